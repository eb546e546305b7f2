"""What an HDF5 file must be before it is read: as long as it says, and nobody else's data."""

import math
import struct
from collections.abc import Iterator
from typing import BinaryIO

import h5py

from lake.errors import Forbidden, Malformed, TooLarge

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
        raise Malformed(name, "hdf5-length", f"found {size} bytes, expected {end}")


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


def check_storage(dataset: h5py.Dataset, name: str) -> None:
    """Refuse data of other files, filters that would load code, and chunks above the limit."""
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
