"""JSON lists of flat records, as archives publish tables of months or events: one column a name."""

import json
import re
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from lake.errors import Malformed, TooLarge
from lake.source import Content, Part

MOST = 64 << 20
MOST_DEPTH = 64
MOST_VALUES = 2 << 20
MOST_TEXT = 256 << 20
BEGINNING = re.compile(rb"\s*\[\s*\{")
BLOCK = 1 << 20


def recognises(head: bytes) -> bool:
    """Whether a file begins as a list of records does."""
    return BEGINNING.match(head) is not None


def read(stream: BinaryIO, name: str) -> Content:
    """The records as one part, RECORDS: numbers as float64 with NaN for null, anything else as text.

    Raises
    ------
    Malformed
        It is no list of records with the same names, or repeats a name, or a number is none that float64 holds.
    TooLarge
        It has more than 64 MiB, two million commas and colons, brackets more than 64 deep, or a column of text that
        needs more than 256 MiB.
    """
    text = stream.read(MOST + 1)
    if len(text) > MOST:
        raise TooLarge(name, "json-bytes", f"found more than {MOST} bytes")
    n_values, depth = _extent(text)
    if n_values > MOST_VALUES:
        raise TooLarge(name, "json-values", f"found {n_values} commas and colons, expected at most {MOST_VALUES}")
    if depth > MOST_DEPTH:
        raise TooLarge(name, "json-depth", f"found brackets {depth} deep, expected at most {MOST_DEPTH}")

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({key for key, _ in found}) < len(found):
            raise Malformed(name, "json-names", f"found a name twice among {', '.join(key for key, _ in found)}")
        return dict(found)

    def constant(word: str) -> Any:
        raise Malformed(name, "json-number", f"found {word}, expected a finite number")

    rows = json.loads(text.decode("utf-8"), object_pairs_hook=pairs, parse_constant=constant)
    names = rows[0].keys()
    for number, row in enumerate(rows):
        if not isinstance(row, dict) or row.keys() != names:
            raise Malformed(name, "json-records", f"record {number} has not the names {', '.join(names)}")
    return Content(
        {}, (Part("RECORDS", columns={key: _column(name, key, [row[key] for row in rows]) for key in names}),)
    )


def read_plain(stream: BinaryIO, name: str) -> Content:
    """The same: no code but Python's own decodes it."""
    return read(stream, name)


def _extent(text: bytes) -> tuple[int, int]:
    """How many values there are and how deep brackets lie in one another, those in quotes not counted."""
    steps = np.zeros(256, np.int64)
    steps[[ord("["), ord("{")]], steps[[ord("]"), ord("}")]] = 1, -1
    bare = np.frombuffer(text.replace(b"\\\\", b"").replace(b'\\"', b""), np.uint8)
    n_values = n_quotes = now = most = 0
    for start in range(0, bare.size, BLOCK):
        block = bare[start : start + BLOCK]
        quotes = n_quotes + np.cumsum(block == ord('"'))
        outside = quotes % 2 == 0
        depth = now + np.cumsum(steps[block] * outside)
        n_values += int((outside & ((block == ord(":")) | (block == ord(",")))).sum())
        n_quotes, now, most = int(quotes[-1]), int(depth[-1]), max(most, int(depth.max()))
    return n_values, most


def _column(file: str, key: str, values: list[Any]) -> NDArray[Any]:
    """One value a record: numbers where all are, or null, else text."""
    if all(v is None or (isinstance(v, int | float) and not isinstance(v, bool)) for v in values):
        numbers = np.array([np.nan if v is None else v for v in values], np.float64)
        if np.isinf(numbers).any():
            raise Malformed(file, "json-number", f"{key}: found a number beyond float64")
        return numbers
    texts = ["" if v is None else v if isinstance(v, str) else json.dumps(v) for v in values]
    # Half a pair of surrogates is no text, and no table could hold it.
    "".join(texts).encode("utf-8")
    # NumPy gives every text the room of the longest, 4 bytes a character.
    if 4 * max(map(len, texts)) * len(texts) > MOST_TEXT:
        raise TooLarge(file, "json-text", f"{key}: found {len(texts)} texts of up to {max(map(len, texts))} characters")
    return np.array(texts, np.str_)
