"""CDF files, and how to change their records."""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from cdflib.cdfwrite import CDF

KINDS = {"epoch": 31, "epoch16": 32, "tt2000": 33, "text": 51, "f4": 44, "f8": 45, "i4": 4, "u2": 12}


@dataclass(frozen=True)
class Given:
    """A variable: its kind, its values with the record first, its attributes."""

    kind: str
    values: Any
    attributes: Mapping[str, Any] = field(default_factory=dict)
    varies: bool = True
    compress: int = 0


def cdf(path: Path, given: Mapping[str, Given], compressed: bool = False, **attributes: str) -> Path:
    """A file of these variables."""
    file = CDF(path, cdf_spec={"Compressed": 6 if compressed else 0}, delete=True)
    file.write_globalattrs({key: {0: value} for key, value in attributes.items()})
    for name, variable in given.items():
        values = np.asarray(variable.values)
        shape = values.shape[1:] if variable.varies else values.shape
        spec = {
            "Variable": name,
            "Data_Type": KINDS[variable.kind],
            "Num_Elements": values.dtype.itemsize // 4 if variable.kind == "text" else 1,
            "Rec_Vary": variable.varies,
            "Dim_Sizes": list(shape),
            "Compress": variable.compress,
        }
        file.write_var(spec, var_attrs=dict(variable.attributes), var_data=values)
    file.close()
    return path


def records(data: bytes) -> Iterator[tuple[int, int]]:
    """Place and kind of each record of a file, as they lie."""
    place = 8
    while place + 12 <= len(data):
        size, kind = struct.unpack_from(">qi", data, place)
        yield place, kind
        place += size


def patched(data: bytes, kind: int, at: int, code: str, value: int) -> bytes:
    """The file with a number in its first record of a kind changed."""
    place = next(place for place, found in records(data) if found == kind) + at
    number = struct.pack(code, value)
    return data[:place] + number + data[place + len(number) :]
