"""What a CDF must be before a library opens it: a tree of records, each inside the file and met once."""

import math
import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from lake.errors import Malformed, TooLarge

MOST_BYTES = 4 << 30
MOST_RATIO = 1_032  # deflate cannot do better
MOST_RECORDS = 1_000_000
MOST_DIMENSIONS = 32
SMALL = 64 << 20
CDR, GDR, R_VDR, ADR, GR_ENTRY, VXR, VVR, Z_VDR, Z_ENTRY, CCR, CPR, CVVR = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13
GZIP = 5
COMPRESSED = 4  # in the flags of a variable
MAGIC = {b"\xcd\xf3\x00\x01": 8, b"\xcd\xf2\x60\x02": 4}  # bytes of an offset
PLAIN, PACKED = b"\x00\x00\xff\xff", b"\xcc\xcc\x00\x01"
# Bytes of a value by the number of its type.
SIZES = {
    1: 1, 2: 2, 4: 4, 8: 8, 11: 1, 12: 2, 14: 4, 21: 4, 22: 8, 31: 8, 32: 16, 33: 8, 41: 1, 44: 4, 45: 8, 51: 1, 52: 1,
}  # fmt: skip


class Record(NamedTuple):
    """One record: where it starts, what it is, its bytes."""

    place: int
    kind: int
    body: memoryview


class _Walk:
    """Records of one file, reached by their offsets."""

    def __init__(self, data: memoryview, name: str) -> None:
        self.data, self.name, self.width = data, name, MAGIC[bytes(data[:4])]
        self.head = self.width + 4
        self.seen: set[int] = set()

    def record(self, place: int, *kinds: int) -> Record:
        """The record at a place, if it is one of these, inside the file, and not met before."""
        if place in self.seen:
            raise Malformed(self.name, "cdf-loop", f"the record at byte {place} is met twice, expected once")
        self.seen.add(place)
        if len(self.seen) > MOST_RECORDS:
            raise TooLarge(self.name, "cdf-records", f"found more than {MOST_RECORDS} records")
        return self.shared(place, *kinds)

    def shared(self, place: int, *kinds: int) -> Record:
        """The same of a record that several others may state."""
        if not 8 <= place <= len(self.data) - self.head:
            raise Malformed(self.name, "cdf-offset", f"found offset {place} in {len(self.data)} bytes")
        size, kind = struct.unpack_from(">qi" if self.width == 8 else ">ii", self.data, place)
        if not self.head <= size <= len(self.data) - place:
            detail = f"record at byte {place}: found {size} bytes, expected up to {len(self.data) - place}"
            raise Malformed(self.name, "cdf-size", detail)
        if kind not in kinds:
            raise Malformed(self.name, "cdf-kind", f"record at byte {place}: found kind {kind}, expected {kinds}")
        return Record(place, kind, self.data[place : place + size])

    def chain(self, place: int, kind: int, count: int) -> Iterator[Record]:
        """So many records, each of which states where the next one is."""
        found = 0
        while place > 0:
            record = self.record(place, kind)
            yield record
            found, place = found + 1, self.offset(record, 0)
        if found != count:
            raise Malformed(self.name, "cdf-count", f"found {found} records of kind {kind}, expected {count}")

    def offset(self, record: Record, n_offsets: int, n_bytes: int = 0) -> int:
        """An offset in a record, after so many offsets and other bytes."""
        code = ">q" if self.width == 8 else ">i"
        return int(struct.unpack_from(code, record.body, self.head + n_offsets * self.width + n_bytes)[0])

    def number(self, record: Record, n_offsets: int, n_bytes: int = 0) -> int:
        """A four-byte number in a record, after so many offsets and other bytes."""
        return int(struct.unpack_from(">i", record.body, self.head + n_offsets * self.width + n_bytes)[0])


def check(data: memoryview, name: str) -> None:
    """Walk all records that a library would, before it does.

    Raises
    ------
    Malformed
        An offset or a size leaves the file, a record is met twice or is of the wrong kind.
    TooLarge
        The variables declare more than 4 GiB or than the file can hold, or a block inflates to more than it declares.
    """
    if bytes(data[:4]) not in MAGIC or bytes(data[4:8]) != PLAIN:
        raise Malformed(name, "cdf-magic", f"found {bytes(data[:8]).hex(' ')}, expected cd f3 00 01 00 00 ff ff")
    try:
        _check_records(_Walk(data, name))
    except struct.error as error:
        raise Malformed(name, "cdf-size", f"a record is shorter than its kind: {error}") from error


def unpacked(data: bytes, name: str, most: int = MOST_BYTES) -> bytes:
    """A file without the compression of the whole; the same where there is none.

    Raises
    ------
    Malformed
        The compression is not gzip, or its length differs from what is declared.
    TooLarge
        It declares, or inflates to, more than the limit.
    """
    if data[4:8] != PACKED or data[:4] not in MAGIC:
        return data
    walk = _Walk(memoryview(data), name)
    packed = walk.record(8, CCR)
    size = walk.offset(packed, 1)
    method = walk.number(walk.record(walk.offset(packed, 0), CPR), 0)
    if method != GZIP:
        raise Malformed(name, "cdf-compression", f"found method {method}, expected {GZIP}")
    if not 0 <= size <= min(most, MOST_RATIO * len(data)):
        raise TooLarge(name, "cdf-compression", f"found {size} bytes declared in {len(data)}, expected up to {most}")
    inflated = _inflated(packed.body[walk.head + 2 * walk.width + 4 :], size, name)
    if len(inflated) != size:
        raise Malformed(name, "cdf-compression", f"found {len(inflated)} bytes inflated, expected {size}")
    return data[:4] + PLAIN + inflated


def _check_records(walk: _Walk) -> None:
    first = walk.record(8, CDR)
    top = walk.record(walk.offset(first, 0), GDR)
    if top.place != 8 + len(first.body):  # where the library looks, whatever the file states
        detail = f"found the second record at byte {top.place}, expected {8 + len(first.body)}"
        raise Malformed(walk.name, "cdf-offset", detail)
    for attribute in walk.chain(walk.offset(top, 2), ADR, walk.number(top, 4, 4)):
        entries = (
            (GR_ENTRY, walk.offset(attribute, 1), walk.number(attribute, 2, 8)),
            (Z_ENTRY, walk.offset(attribute, 2, 20), walk.number(attribute, 3, 20)),
        )
        for kind, place, count in entries:
            for entry in walk.chain(place, kind, count):
                _check_entry(walk, entry)
    if not 0 <= walk.number(top, 4, 12) <= MOST_DIMENSIONS:
        raise Malformed(walk.name, "cdf-variable", f"found {walk.number(top, 4, 12)} dimensions, expected 0 to 32")
    total = 0
    variables = (R_VDR, walk.offset(top, 0), walk.number(top, 4)), (Z_VDR, walk.offset(top, 1), walk.number(top, 4, 16))
    for kind, place, count in variables:
        for variable in walk.chain(place, kind, count):
            total += _check_variable(walk, top, variable)
    if total > MOST_BYTES or (total > SMALL and total > MOST_RATIO * len(walk.data)):
        raise TooLarge(walk.name, "cdf-size", f"found {total} bytes declared by a file of {len(walk.data)}")


def _check_entry(walk: _Walk, entry: Record) -> None:
    """Check that an attribute's value is inside its record."""
    code, n_elements = walk.number(entry, 1, 4), walk.number(entry, 1, 12)
    if code not in SIZES or not 0 <= SIZES[code] * n_elements <= len(entry.body):
        detail = f"attribute at byte {entry.place}: found {n_elements} of type {code} in {len(entry.body)} bytes"
        raise Malformed(walk.name, "cdf-attribute", detail)


def _check_variable(walk: _Walk, top: Record, variable: Record) -> int:
    """Check where a variable's blocks are; return the bytes that it declares."""
    n_bytes, n_records = _record_bytes(walk, top, variable), walk.number(variable, 1, 4) + 1
    flags, sparse = walk.number(variable, 3, 8), walk.number(variable, 3, 12)
    if flags & COMPRESSED:
        walk.shared(walk.offset(variable, 3, 36), CPR)
    n_found = _check_index(walk, walk.offset(variable, 1, 8), n_bytes)
    if n_records > (MOST_RECORDS if sparse else n_found):
        detail = f"variable at byte {variable.place}: found {n_found} records, expected {n_records}"
        raise Malformed(walk.name, "cdf-records", detail)
    return n_bytes * n_records


def _record_bytes(walk: _Walk, top: Record, variable: Record) -> int:
    """Bytes of one record of a variable."""
    code, n_elements = walk.number(variable, 1), walk.number(variable, 3, 28)
    if variable.kind == R_VDR:
        source, start, n_dims = top, (5, 32), walk.number(top, 4, 12)
    else:
        names = 256 if walk.width == 8 else 64
        source, start, n_dims = variable, (4, 44 + names), walk.number(variable, 4, 40 + names)
    if code not in SIZES or n_elements < 1 or not 0 <= n_dims <= MOST_DIMENSIONS:
        detail = f"variable at byte {variable.place}: found type {code} of {n_elements} with {n_dims} dimensions"
        raise Malformed(walk.name, "cdf-variable", detail)
    lengths = [walk.number(source, start[0], start[1] + 4 * i) for i in range(n_dims)]
    if min(lengths, default=0) < 0:
        raise Malformed(walk.name, "cdf-variable", f"variable at byte {variable.place}: found dimensions {lengths}")
    return SIZES[code] * n_elements * math.prod(lengths)


def _check_index(walk: _Walk, place: int, n_bytes: int) -> int:
    """Check each block of a variable, and those of the indices below its own; return how many records there are."""
    below, n_records = [place], 0
    while below:
        place = below.pop()
        while place > 0:
            index = walk.record(place, VXR)
            place = walk.offset(index, 0)
            for first, last, offset in _blocks(walk, index):
                if walk.shared(offset, VXR, VVR, CVVR).kind == VXR:
                    below.append(offset)
                    continue
                _check_block(walk, walk.record(offset, VVR, CVVR), n_bytes * (last - first + 1))
                n_records = max(n_records, last + 1)
    return n_records


def _blocks(walk: _Walk, index: Record) -> Iterator[tuple[int, int, int]]:
    """First and last record and offset of each block that an index states."""
    n_entries, n_used = walk.number(index, 1), walk.number(index, 1, 4)
    if not 0 <= n_used <= n_entries:
        detail = f"index at byte {index.place}: found {n_used} used of {n_entries} entries"
        raise Malformed(walk.name, "cdf-index", detail)
    for i in range(n_used):
        first, last = (walk.number(index, 1, 8 + 4 * (i + n)) for n in (0, n_entries))
        if not 0 <= first <= last:
            detail = f"index at byte {index.place}: found records {first} to {last}"
            raise Malformed(walk.name, "cdf-index", detail)
        yield first, last, walk.offset(index, 1, 8 + 8 * n_entries + walk.width * i)


def _check_block(walk: _Walk, block: Record, n_bytes: int) -> None:
    """Check that a block holds as many bytes as its records have, before and after inflating."""
    if block.kind == CVVR:
        _inflated(block.body[walk.head + 4 + walk.width :], n_bytes, walk.name)
    elif len(block.body) - walk.head < n_bytes:
        found = len(block.body) - walk.head
        raise Malformed(walk.name, "cdf-block", f"block at byte {block.place}: found {found} bytes, expected {n_bytes}")


def _inflated(packed: memoryview, most: int, name: str) -> bytes:
    """Gzip data up to a number of bytes; other methods, which cannot grow much, are left to the library."""
    if bytes(packed[:2]) != b"\x1f\x8b":
        return b""
    try:
        data = zlib.decompressobj(31).decompress(packed, max(most, 0) + 1)
    except zlib.error as error:
        raise Malformed(name, "cdf-inflate", f"a compressed block is damaged: {error}") from error
    if len(data) > most:
        raise TooLarge(name, "cdf-inflate", f"a block inflates to more than the {most} bytes it declares")
    return data
