"""One input file, read: what its header says, its columns, its frames, and what was damaged."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lake.errors import SourceError


@dataclass(frozen=True)
class Coded:
    """Texts of a few kinds, many rows of them.

    Attributes
    ----------
    kinds : the texts there are.
    index : which of them each row has, integer, shape (n,).
    """

    kinds: tuple[str, ...]
    index: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.index)


@dataclass(frozen=True)
class Ragged:
    """A list of numbers a row, all of them in one array.

    Attributes
    ----------
    offsets : where each row's list begins, and where the last ends, integer, shape (n + 1,).
    values : the numbers, shape (n_values,).
    """

    offsets: NDArray[np.int32]
    values: NDArray[Any]

    def __len__(self) -> int:
        return len(self.offsets) - 1


@dataclass(frozen=True)
class Part:
    """One table or image of a file: an HDU, the record variables of a CDF, the frames of a PGM stream.

    Attributes
    ----------
    name : as the file calls it, empty where it doesn't (`EVENTS`, `SCI`).
    version : which one of several with this name, from 1.
    header : keywords of this part alone, in the file's own spelling.
    columns : one array a column, the row its first axis; nulls as `numpy.ma`; ragged columns as arrays of arrays.
    units : the unit of each column that states one, as the file writes it; of `pixels` under the name `pixels`.
    pixels : image values in native byte order, shape (y, x), (time, y, x) or more; None in a table.
    """

    name: str = ""
    version: int = 1
    header: Mapping[str, Any] = field(default_factory=dict)
    columns: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    pixels: NDArray[Any] | None = None

    def column(self, name: str) -> NDArray[Any] | None:
        """The column of this name, upper and lower case alike; None where there is none."""
        found: NDArray[Any] | None = _spelled(self.columns, name)
        return found

    def unit(self, name: str) -> str:
        """The unit the file states for a column, or the empty string."""
        return _spelled(self.units, name) or ""

    @property
    def n_rows(self) -> int:
        """Rows of the table, or frames of the image: the common length of the columns."""
        return len(next(iter(self.columns.values()))) if self.columns else 0


@dataclass(frozen=True)
class Problem:
    """Something that was damaged and left out, or is in doubt and was kept (count 0), and where."""

    place: str
    reason: str
    count: int = 1


@dataclass(frozen=True)
class Content:
    """What a reader finds in a stream."""

    header: Mapping[str, Any]
    parts: tuple[Part, ...]
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class Source:
    """A file that was read, known by the SHA-256 of its bytes as they lie in the archive.

    Attributes
    ----------
    uri, sha256, size : where it was, the hash and the number of its bytes (compressed, if it is).
    reader : module of `lake.readers` that read it.
    content : header, parts and problems.
    """

    uri: str
    sha256: str
    size: int
    reader: str
    content: Content

    @property
    def header(self) -> Mapping[str, Any]:
        """Keywords of the file as a whole: the primary header, the global attributes."""
        return self.content.header

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What was damaged and left out."""
        return self.content.problems

    def parts(self, name: str) -> Iterator[Part]:
        """All parts of a name, in file order; upper and lower case alike."""
        return (part for part in self.content.parts if part.name.lower() == name.lower())

    def part(self, name: str, version: int | None = None) -> Part:
        """The first part of a name, or its n-th version.

        Raises
        ------
        SourceError
            There is none; the message names those that there are.
        """
        for part in self.parts(name):
            if version is None or part.version == version:
                return part
        names = ", ".join(part.name or "(unnamed)" for part in self.content.parts) or "nothing"
        raise SourceError(f"{self.uri.rsplit('/', 1)[-1]}: no {name}; has {names}")

    def keyword(self, name: str, part: Part | None = None) -> Any:
        """A keyword of a part, else of the file; None where neither has it."""
        found = _spelled(part.header, name) if part is not None else None
        return _spelled(self.header, name) if found is None else found


def _spelled(mapping: Mapping[str, Any], name: str) -> Any:
    """The value under a name, whatever its case."""
    if name in mapping:
        return mapping[name]
    wanted = name.lower()
    return next((value for key, value in mapping.items() if key.lower() == wanted), None)


def is_missing(value: Any) -> bool:
    """Whether a header value says nothing: None, NaN, an empty string."""
    return value is None or value == "" or (isinstance(value, float) and np.isnan(value))
