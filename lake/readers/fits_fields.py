"""Columns of FITS tables as their headers declare them, checked before a row is looked at."""

import math
import re
from dataclasses import dataclass
from math import prod

import numpy as np

from lake.readers.fits_guard import MOST_BYTES, Hdu

ITEMS = {
    "L": "u1", "X": "u1", "B": "u1", "I": ">i2", "J": ">i4", "K": ">i8",
    "A": "S1", "E": ">f4", "D": ">f8", "C": ">c8", "M": ">c16",
}  # fmt: skip
FIXED = re.compile(r"(\d{0,12})([LXBIJKAEDCM])(\w*)")
VARIABLE = re.compile(r"([01]?)([PQ])([LXBIJKAEDCM])(?:\((\d{1,12})\))?\w*")
TDIM = re.compile(r"\((-?\d{1,12}(?:\s*,\s*-?\d{1,12})*)\)")
INTEGERS = "BIJK"


@dataclass(frozen=True)
class Field:
    """A column as the header declares it.

    Attributes
    ----------
    name : TTYPE; `col3` where it has none, `NAME_3` where it came before.
    code : letter of the item type.
    repeat, offset : items in a cell, first byte in the row.
    shape : of a cell, slowest axis first; () for a single item.
    pointer : item type of the heap pointers of a column of arrays, else empty.
    most : the longest array of such a column, where it says.
    scale, zero, null : TSCAL, TZERO, TNULL.
    """

    name: str
    code: str
    repeat: int
    offset: int
    shape: tuple[int, ...] = ()
    pointer: str = ""
    most: int | None = None
    scale: float = 1
    zero: float = 0
    null: int | None = None

    @property
    def width(self) -> int:
        """Bytes of a cell in the row."""
        if self.pointer:
            return 2 * np.dtype(self.pointer).itemsize * self.repeat
        return stored_bytes(self.code, self.repeat)


def stored_bytes(code: str, n: int) -> int:
    """Bytes that n items take; bits come in whole bytes."""
    return -(-n // 8) if code == "X" else n * np.dtype(ITEMS[code]).itemsize


def fields(hdu: Hdu) -> list[Field]:
    """The columns of a binary table, checked against the width of its rows.

    Raises
    ------
    Refused
        A declaration is none that FITS knows, or the columns and the row differ in bytes.
    """
    found: list[Field] = []
    offset = 0
    for i in range(1, hdu.whole("TFIELDS", most=999) + 1):
        found.append(_field(hdu, i, offset, {f.name for f in found}))
        offset += found[-1].width
    width, n_rows = hdu.axes()[:2] if len(hdu.axes()) == 2 else (-1, 0)
    if offset != width or (n_rows and not width) or hdu.item_bytes() != 1:
        raise hdu.malformed("fits-tform", f"found columns of {offset} bytes, expected rows of {width} bytes")
    # Text becomes four bytes a character and a bit one byte.
    decoded = n_rows * sum(f.width * {"A": 4, "X": 8}.get(f.code, 1) for f in found)
    if decoded > 2 * MOST_BYTES:
        raise hdu.too_large("fits-size", decoded, 2 * MOST_BYTES)
    return found


def _field(hdu: Hdu, i: int, offset: int, taken: set[str]) -> Field:
    form = str(hdu.header.get(f"TFORM{i}", "")).strip().upper()
    scale, zero = scaling(hdu, f"TSCAL{i}", f"TZERO{i}")
    name = column_name(hdu, i, taken)
    if match := VARIABLE.fullmatch(form):
        repeat, most = int(match[1] or 1), int(match[4]) if match[4] else None
        pointer, code = {"P": ">i4", "Q": ">i8"}[match[2]], match[3]
        shape: tuple[int, ...] = ()
    elif match := FIXED.fullmatch(form):
        repeat, most, pointer, code = int(match[1] or 1), None, "", match[2]
        shape = _shape(hdu, i, repeat, code, match[3])
    else:
        raise hdu.malformed("fits-tform", f"found TFORM{i} = {form!r}, expected a FITS column format")
    return Field(name, code, repeat, offset, shape, pointer, most, scale, zero, _null(hdu, i, code))


def column_name(hdu: Hdu, i: int, taken: set[str]) -> str:
    """TTYPE, or a name made of the column's number; none that is taken."""
    name = str(hdu.header.get(f"TTYPE{i}") or "").strip() or f"col{i}"
    while name in taken:
        name = f"{name}_{i}"
    return name


def _shape(hdu: Hdu, i: int, repeat: int, code: str, rest: str) -> tuple[int, ...]:
    """The shape of a cell from TDIM (or rAw of text), its repeat otherwise."""
    stated = hdu.header.get(f"TDIM{i}")
    if stated:
        match = TDIM.fullmatch(str(stated).strip())
        dims = [int(n) for n in match[1].split(",")] if match else []
        if not dims or min(dims) <= 0 or prod(dims) != repeat:
            raise hdu.malformed("fits-tdim", f"found TDIM{i} = {stated!r}, expected a product of {repeat}")
        return tuple(reversed(dims))
    if code == "A":
        word = int(rest) if rest.isdigit() and int(rest) > 0 and repeat % int(rest) == 0 else repeat
        return (repeat // word, word) if word != repeat else (repeat,)
    return () if repeat == 1 and code != "X" else (repeat,)


def _null(hdu: Hdu, i: int, code: str) -> int | None:
    """TNULL of a column of integers; it has no meaning for the others."""
    return hdu.whole(f"TNULL{i}", least=-(1 << 63)) if code in INTEGERS and f"TNULL{i}" in hdu.header else None


def scaling(hdu: Hdu, scale_key: str, zero_key: str) -> tuple[float, float]:
    """Two scaling keywords, finite numbers and the first not zero."""
    values = hdu.header.get(scale_key, 1), hdu.header.get(zero_key, 0)
    for key, value in zip((scale_key, zero_key), values, strict=True):
        if not isinstance(value, int | float) or not math.isfinite(value) or (key == scale_key and not value):
            raise hdu.malformed("fits-scale", f"found {key} = {value!r}, expected a finite number, no zero scale")
    return float(values[0]), float(values[1])
