"""Classic netCDF: a header that is walked before anything is believed, and the arrays where it says.

SciPy reads this format too, but not a file whose only record variable has values of one or two bytes.
"""

import math
import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lake.errors import FETCH_AGAIN, Malformed

DIMENSION, VARIABLE, ATTRIBUTE = 10, 11, 12
UNKNOWN = 2**32 - 1  # records of a file that was being written
MOST_ITEMS = 10_000
TYPES = {1: "i1", 2: "S1", 3: ">i2", 4: ">i4", 5: ">f4", 6: ">f8"}


class ClassicVariable(NamedTuple):
    """Where a variable lies; its shape is that of one record if it varies."""

    name: str
    dims: tuple[str, ...]
    attributes: dict[str, NDArray[Any] | bytes]
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    begin: int
    varies: bool

    @property
    def n_bytes(self) -> int:
        return self.dtype.itemsize * math.prod(self.shape)


class Cursor:
    """A place in the header of a file that never leaves it."""

    def __init__(self, data: bytes, name: str) -> None:
        self.data, self.name, self.place = data, name, 4

    def take(self, n_bytes: int) -> bytes:
        """Some bytes; the padding after them is passed."""
        start, self.place = self.place, self.place + -(-n_bytes // 4) * 4
        if self.place > len(self.data):
            detail = f"found {len(self.data)} bytes, expected {self.place} or more for the header"
            raise Malformed(self.name, "netcdf-header", detail, FETCH_AGAIN)
        return self.data[start : start + n_bytes]

    def number(self, code: str = ">I") -> int:
        return int(struct.unpack(code, self.take(struct.calcsize(code)))[0])

    def text(self) -> str:
        return self.take(self.number()).decode("utf-8", "replace")

    def count(self, tag: int) -> int:
        """Length of a list, which starts with its tag unless it is empty."""
        found, length = self.number(), self.number()
        if (found, length) != (0, 0) and (found != tag or length > MOST_ITEMS):
            detail = f"found list {found} of {length} at byte {self.place - 8}, expected {tag} of up to {MOST_ITEMS}"
            raise Malformed(self.name, "netcdf-header", detail)
        return length

    def dtype(self) -> np.dtype[Any]:
        if (code := self.number()) not in TYPES:
            raise Malformed(self.name, "netcdf-header", f"found type {code}, expected 1 to 6")
        return np.dtype(TYPES[code])

    def attributes(self) -> dict[str, NDArray[Any] | bytes]:
        """Values by name, text as bytes."""
        found: dict[str, NDArray[Any] | bytes] = {}
        for _ in range(self.count(ATTRIBUTE)):
            key, dtype = self.text(), self.dtype()
            values = self.take(dtype.itemsize * self.number())
            found[key] = values if dtype == "S1" else np.frombuffer(values, dtype)
        return found

    def variable(self, dims: list[tuple[str, int]], offset: str) -> ClassicVariable:
        name = self.text()
        places = [self.number() for _ in range(min(self.number(), MOST_ITEMS))]
        if any(place >= len(dims) for place in places):
            raise Malformed(self.name, "netcdf-header", f"{name}: found dimension {max(places)} of {len(dims)}")
        attributes, dtype = self.attributes(), self.dtype()
        self.number()  # the length in bytes, which follows from the others and overflows above 4 GiB
        varies = bool(places) and dims[places[0]][1] == 0
        shape = tuple(dims[place][1] for place in places[varies:])
        return ClassicVariable(
            name, tuple(dims[place][0] for place in places), attributes, dtype, shape, self.number(offset), varies
        )


def classic(data: bytes, name: str) -> tuple[dict[str, Any], list[tuple[ClassicVariable, NDArray[Any]]]]:
    """Global attributes, and each variable with its values in native byte order.

    Raises
    ------
    Malformed
        The header leaves the file, or places a variable outside of it.
    """
    if data[3:4] not in (b"\1", b"\2"):
        raise Malformed(name, "netcdf-version", f"found version {data[3:4].hex()}, expected 01 or 02")
    cursor = Cursor(data, name)
    n_records = cursor.number()
    dims = [(cursor.text(), cursor.number()) for _ in range(cursor.count(DIMENSION))]
    attributes = cursor.attributes()
    offset = ">I" if data[3] == 1 else ">Q"
    variables = [cursor.variable(dims, offset) for _ in range(cursor.count(VARIABLE))]
    _check_order(variables, cursor.place, name)
    return attributes, list(_values(data, variables, n_records, name))


def _check_order(variables: list[ClassicVariable], header: int, name: str) -> None:
    """Check that names differ and that variables lie behind the header, none upon another: in order, as all write them.

    Raises
    ------
    Malformed
        They don't.
    """
    names = {v.name for v in variables}
    if len(names) < len(variables):
        raise Malformed(name, "netcdf-header", f"found {len(variables)} variables of {len(names)} names")
    for varies in (False, True):
        end = header
        for v in (v for v in variables if v.varies is varies):
            if v.begin < end:
                raise Malformed(name, "netcdf-header", f"{v.name}: found it at byte {v.begin}, expected {end} or more")
            end = v.begin + v.n_bytes


def _values(
    data: bytes, variables: list[ClassicVariable], n_records: int, name: str
) -> Iterator[tuple[ClassicVariable, NDArray[Any]]]:
    """Each variable's values, all places checked before the first is read."""
    records = [v for v in variables if v.varies]
    # a record of one variable alone is not padded
    record = records[0].n_bytes if len(records) == 1 else sum(-(-v.n_bytes // 4) * 4 for v in records)
    if n_records == UNKNOWN:
        n_records = (len(data) - min((v.begin for v in records), default=len(data))) // max(record, 1)
    ends = [(v.begin + v.n_bytes + (record * (n_records - 1) if v.varies else 0), v.name) for v in variables]
    end, last = max(ends, default=(0, ""))
    if end > len(data):
        raise Malformed(name, "netcdf-length", f"{last}: found {len(data)} bytes, expected {end}", FETCH_AGAIN)
    for v in variables:
        shape = (n_records, *v.shape) if v.varies else v.shape
        if not math.prod(shape):
            yield v, np.zeros(shape, v.dtype.newbyteorder("="))
            continue
        steps = [v.dtype.itemsize * math.prod(v.shape[i + 1 :]) for i in range(len(v.shape))]
        strides = (record, *steps) if v.varies else tuple(steps)
        yield v, np.ndarray(shape, v.dtype, data, v.begin, strides).astype(v.dtype.newbyteorder("="))
