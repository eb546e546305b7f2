"""What a Zarr segment must be before its pixels are read: all of it there, small chunks, and codecs that we know.

Zarr itself reads a missing shard as fill values and runs whatever codec is installed under a name.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

from lake.errors import CommitError, Forbidden, LakeError, Malformed, TooLarge
from lake.storage import Storage

METADATA = "zarr.json"
CODECS = {"bytes", "blosc", "sharding_indexed", "crc32c", "transpose"}
MOST_CHUNK = 256 << 20
MOST_METADATA = 1 << 20


def check_sizes(storage: Storage, path: str, sizes: Mapping[str, int]) -> None:
    """Compare a segment with the files that the log lists, by their lengths.

    Raises
    ------
    CommitError
        A file is missing or of another length.
    """
    for name, size in sizes.items():
        found = storage.size(f"{path}/{name}")
        if found != size:
            raise CommitError(f"{path}/{name}: {found or 'no'} bytes, the log has {size}", "lake verify")


def check_metadata(storage: Storage, path: str, sizes: Mapping[str, int]) -> None:
    """Check what the metadata of a segment ask for.

    Raises
    ------
    CommitError
        The log lists no file for a shard, or no metadata.
    Refused
        They ask for a codec that is not ours, a chunk above 256 MiB, or contradict themselves.
    """
    nodes = [name for name in sizes if name.rpartition("/")[2] == METADATA]
    if not nodes:
        raise CommitError(f"{path}: the log lists no {METADATA}", "lake verify")
    for name in nodes:
        where = f"{path}/{name}"
        if sizes[name] > MOST_METADATA:
            raise TooLarge(where, "zarr-metadata", f"found {sizes[name]} bytes, expected up to {MOST_METADATA}")
        try:
            _check_node(storage.read(where), path, name.removesuffix(METADATA), sizes)
        except LakeError:
            raise
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
            raise Malformed(where, "zarr-metadata", f"{type(error).__name__}: {error}") from error


def _check_node(content: bytes, path: str, folder: str, sizes: Mapping[str, int]) -> None:
    """Check a group or an array by its metadata."""
    words = json.loads(content)
    if words["zarr_format"] != 3 or words.get("storage_transformers"):
        raise Forbidden(path, "zarr-format", f"found format {words['zarr_format']!r}, expected plain Zarr 3")
    if words["node_type"] == "group":
        return
    for codec in _codecs(words["codecs"]):
        if codec not in CODECS:
            raise Forbidden(path, "zarr-codec", f"found codec {codec!r}, expected one of {', '.join(sorted(CODECS))}")
    shape, shard = words["shape"], words["chunk_grid"]["configuration"]["chunk_shape"]
    keys = words["chunk_key_encoding"]
    if keys["name"] != "default" or keys.get("configuration", {}).get("separator", "/") != "/":
        raise Forbidden(path, "zarr-keys", f"found chunk keys {keys!r}, expected the default ones")
    if len(shape) != len(shard) or min(shape, default=0) < 0 or min(shard, default=1) < 1:
        raise Malformed(path, "zarr-shape", f"found shape {shape} in chunks of {shard}")
    n_bytes = np.dtype(words["data_type"]).itemsize * math.prod(_inner(words["codecs"], shard))
    if n_bytes > MOST_CHUNK:
        raise TooLarge(path, "zarr-chunk", f"found chunks of {n_bytes} bytes, expected up to {MOST_CHUNK}")
    grid = [-(-n // c) for n, c in zip(shape, shard, strict=True)]
    if math.prod(grid) > len(sizes):
        raise CommitError(f"{path}: {math.prod(grid)} shards, the log lists {len(sizes)} files", "lake verify")
    for place in product(*map(range, grid)):
        name = "/".join([f"{folder}c", *map(str, place)])
        if name not in sizes:
            raise CommitError(f"{path}/{name}: not in the log, which would read as fill values", "lake verify")


def _codecs(codecs: Sequence[Any]) -> Iterator[str]:
    """Names of codecs, those inside of others too."""
    for codec in codecs:
        yield codec["name"]
        configuration = codec.get("configuration", {})
        for inner in ("codecs", "index_codecs"):
            yield from _codecs(configuration.get(inner, ()))


def _inner(codecs: Sequence[Any], shard: Sequence[int]) -> Sequence[int]:
    """The chunk that is decoded at once: that of the sharding, where there is one."""
    for codec in codecs:
        if codec["name"] == "sharding_indexed":
            return _inner(codec["configuration"]["codecs"], codec["configuration"]["chunk_shape"])
    return shard
