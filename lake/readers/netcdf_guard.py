"""What an HDF5 file must be before it is read: as long as it says, and nobody else's data."""

import math
import struct
from collections.abc import Iterator
from typing import BinaryIO

import h5py
import numpy as np
from numpy.typing import NDArray

from lake.errors import FETCH_AGAIN, Forbidden, Malformed, TooLarge

MOST_CHUNK = 64 << 20
MOST_OBJECTS = 10_000
FILTERS = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32}
ENDS = {0: 40, 1: 44, 2: 28, 3: 28}  # where a superblock of each version states the end of the file


def check_length(stream: BinaryIO, size: int, name: str) -> None:
    """Compare the end that the HDF5 superblock states with the file's own."""
    head = stream.read(56).ljust(56, b"\0")
    stream.seek(0)
    version = head[8]
    width = head[13] if version < 2 else head[9]
    if version not in ENDS or width != 8:
        detail = f"found version {version} with addresses of {width} bytes, expected 0 to 3 with 8"
        raise Malformed(name, "hdf5-superblock", detail)
    (end,) = struct.unpack_from("<Q", head, ENDS[version])
    if end > size:
        raise Malformed(name, "hdf5-length", f"found {size} bytes, expected {end}", FETCH_AGAIN)


def datasets(file: h5py.File, name: str) -> Iterator[h5py.Dataset]:
    """All datasets, each object visited once and no link out of the file followed."""
    groups, seen = [file], {h5py.h5o.get_info(file.id).addr}
    while groups:
        group = groups.pop()
        for key in group:
            link = group.get(key, getlink=True)
            if not isinstance(link, h5py.HardLink):
                raise Forbidden(name, "hdf5-link", f"{key[:64]} is a {type(link).__name__}, expected data of this file")
            found = group[key]
            address = h5py.h5o.get_info(found.id).addr
            if address in seen:
                continue
            seen.add(address)
            if len(seen) > MOST_OBJECTS:
                raise TooLarge(name, "hdf5-objects", f"found more than {MOST_OBJECTS} objects")
            if isinstance(found, h5py.Group):
                groups.append(found)
            elif isinstance(found, h5py.Dataset):
                yield found


def check_storage(dataset: h5py.Dataset, size: int, name: str) -> None:
    """Refuse data of other files, filters that would load code, and chunks above the limit or outside the file."""
    made = dataset.id.get_create_plist()
    if dataset.is_virtual or made.get_external_count():
        raise Forbidden(name, "hdf5-external", f"{dataset.name} lies in another file, expected data of this one")
    for number in range(made.get_nfilters()):
        code = made.get_filter(number)[0]
        if code not in FILTERS:
            raise Forbidden(name, "hdf5-filter", f"{dataset.name}: found filter {code}, expected {sorted(FILTERS)}")
    chunk = math.prod(dataset.chunks) * dataset.dtype.itemsize if dataset.chunks else 0
    if chunk > MOST_CHUNK:
        detail = f"{dataset.name}: found chunks of {chunk} bytes, expected up to {MOST_CHUNK}"
        raise TooLarge(name, "hdf5-chunk", detail)
    if dataset.chunks:
        _check_index(dataset, size, name)
    elif dataset.id.get_offset() is not None and dataset.id.get_storage_size() < dataset.nbytes:
        found = dataset.id.get_storage_size()
        raise Malformed(name, "hdf5-length", f"{dataset.name}: found {found} bytes, expected {dataset.nbytes}")


def _check_index(dataset: h5py.Dataset, size: int, name: str) -> None:
    """Check that each chunk that was written is inside the file, in its place of the grid, and there once.

    The library believes its index, which in older files has no checksum: it crashes over a chunk of no bytes, and gives
    fill values for one that is not found.
    """
    seen: set[tuple[int, ...]] = set()
    skips = _skippable(dataset)

    def check(chunk: h5py.h5d.StoreInfo) -> None:
        at = chunk.chunk_offset
        is_placed = all(a % c == 0 and a < n for a, c, n in zip(at, dataset.chunks, dataset.shape, strict=True))
        is_inside = chunk.size > 0 and chunk.byte_offset + chunk.size <= size
        if at in seen or not is_placed or not is_inside or chunk.filter_mask & ~skips:
            wrong.append(chunk)
        seen.add(at)

    wrong: list[h5py.h5d.StoreInfo] = []
    dataset.id.chunk_iter(check)
    if wrong:
        at, mask, offset, n_bytes = wrong[0]
        detail = f"chunk {at} of {n_bytes} bytes at {offset}, filters {mask:b} left out, in a file of {size} bytes"
        raise Malformed(name, "hdf5-index", f"{dataset.name}: found {detail}")


def _skippable(dataset: h5py.Dataset) -> int:
    """Filters that a chunk may do without, as bits: those that only make it smaller."""
    made = dataset.id.get_create_plist()
    codes = (made.get_filter(number)[0] for number in range(made.get_nfilters()))
    return sum(1 << i for i, code in enumerate(codes) if code == h5py.h5z.FILTER_DEFLATE)


def unwritten(dataset: h5py.Dataset) -> NDArray[np.bool_] | None:
    """Where values were never written, and the library makes some up; None where all were."""
    if not dataset.size:
        return None
    if not dataset.chunks:
        written = bool(dataset.id.get_storage_size())
        return None if written else np.ones(dataset.shape, bool)
    grid = [-(-n // c) for n, c in zip(dataset.shape, dataset.chunks, strict=True)]
    if dataset.id.get_num_chunks() == math.prod(grid):
        return None
    absent = np.ones(dataset.shape, bool)

    def fill(chunk: h5py.h5d.StoreInfo) -> None:
        absent[tuple(slice(a, a + c) for a, c in zip(chunk.chunk_offset, dataset.chunks, strict=True))] = False

    dataset.id.chunk_iter(fill)
    return absent
