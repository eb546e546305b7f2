"""Frames of many segments as one lazy array, with coordinates, and missing frames flagged."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lake.errors import QueryError
from lake.log import Snapshot
from lake.pieces import PIXELS, read_rows
from lake.schema import Array
from lake.segment_guard import check_metadata, check_sizes
from lake.storage import Storage

BOOKKEEPING = ("segment", "segment_index")


@dataclass(frozen=True)
class Segment:
    """One Zarr group of the lake, its files as the log lists them."""

    storage: Storage
    path: str
    sizes: tuple[tuple[str, int], ...]

    def __hash__(self) -> int:
        return hash((self.storage.root, self.path))

    def open(self) -> Any:
        """The Zarr array, all its shards there.

        Raises
        ------
        CommitError
            A file is missing or of another length, which Zarr itself would read as fill values.
        Refused
            It is none that this lake writes.
        """
        check_sizes(self.storage, self.path, dict(self.sizes))
        return _opened(self)


@lru_cache(maxsize=256)
def _opened(segment: Segment) -> Any:
    """The array with its metadata, which are looked at and read once."""
    import zarr
    from zarr.storage import FsspecStore

    check_metadata(segment.storage, segment.path, dict(segment.sizes))
    url = segment.storage.url(f"{segment.path}/{PIXELS}")
    if segment.storage.filesystem is None:
        return zarr.open_array(url, mode="r", zarr_format=3)
    return zarr.open_array(FsspecStore.from_url(url, read_only=True), mode="r", zarr_format=3)


class FrameStack:
    """Frames of many segments behind NumPy indexing; only what is asked for is read.

    Attributes
    ----------
    shape : the frame axes, then y and x.
    """

    def __init__(
        self,
        array: Array,
        segments: Sequence[Segment],
        which: NDArray[np.int64],
        index: NDArray[np.int64],
        yx: Sequence[int],
    ) -> None:
        self.array = array
        self.segments = segments
        self.which = which
        self.index = index
        self.shape = (*which.shape, *yx)
        self.dtype = np.dtype(array.dtype)
        self.ndim = len(self.shape)

    def __getitem__(self, key: tuple[Any, ...]) -> NDArray[Any]:
        n = self.which.ndim
        # A single row or column is read as a slice of one, and its axis dropped at the end.
        y, x = (slice(k, k + 1) if isinstance(k, int | np.integer) else k for k in key[n:])
        which, index = self.which[key[:n]], self.index[key[:n]]
        window = (len(range(*y.indices(self.shape[-2]))), len(range(*x.indices(self.shape[-1]))))
        found = np.unique(which)
        if len(found) == 1 and found[0] >= 0:
            # As chunks mostly are: all of one segment, which is then copied nowhere.
            frames = _read(self.segments[found[0]].open(), index.ravel(), n, y, x)
        else:
            frames = np.full((which.size, *window), self.array.fill, self.dtype)
            for segment in found[found >= 0]:
                places = np.flatnonzero(which.ravel() == segment)
                rows = index.ravel()[places]
                frames[places] = _read(self.segments[segment].open(), rows, n, y, x).reshape(len(places), *window)
        single = tuple(0 if isinstance(k, int | np.integer) else slice(None) for k in key[n:])
        chosen: NDArray[Any] = frames.reshape(*which.shape, *window)[(..., *single)]
        return chosen


def _read(stored: Any, rows: NDArray[np.int64], n_frame_dims: int, y: slice, x: slice) -> NDArray[Any]:
    """These frames of a segment; neighbours in one read."""
    others = (slice(None),) * (n_frame_dims - 1)
    first, last = int(rows.min()), int(rows.max()) + 1
    block: NDArray[Any] = stored[(slice(first, last), *others, y, x)]
    return block if len(rows) == last - first and (np.diff(rows) == 1).all() else block[rows - first]


def open_array(snapshot: Snapshot, storage: Storage, array: Array) -> Any:
    """All frames of an array, lazy, in order of their axes.

    Returns
    -------
    xarray.DataArray
        Dims as declared; each column of the frame table is a coordinate, `is_missing` among them. A missing frame, and
        a combination of axes that no frame has, reads as the fill value and is flagged.
    """
    import dask.array as da
    import xarray as xr

    frames = frame_rows(snapshot, storage, array)
    axes = [np.unique(frames[name].to_numpy(zero_copy_only=False)) for name in array.frame_dims]
    where = tuple(
        np.searchsorted(axis, frames[name].to_numpy(zero_copy_only=False))
        for axis, name in zip(axes, array.frame_dims, strict=True)
    )
    shape = tuple(len(axis) for axis in axes)
    pieces = {p.path: p for p in snapshot.pieces_of(array.name)}
    names = sorted(pieces)
    segments = [Segment(storage, n, tuple((f, s[1]) for f, s in pieces[n].files.items())) for n in names]
    codes = {name: code for code, name in enumerate(names)}
    which, index = np.full(shape, -1), np.zeros(shape, np.int64)
    which[where] = [codes[s] if s is not None else -1 for s in frames["segment"].to_pylist()]
    index[where] = [i if i is not None else 0 for i in frames["segment_index"].to_pylist()]
    yx = segments[0].open().shape[-2:] if segments else (0, 0)
    stack = FrameStack(array, segments, which, index, yx)
    chunks = (*(min(c, n) or 1 for c, n in zip(array.chunk[:-2], shape, strict=True)), *(max(n, 1) for n in yx))
    pixels = da.from_array(
        stack, chunks=chunks, name=f"{array.name}@{snapshot.number}-{_token(snapshot, array)}", asarray=False,
        meta=np.empty((0,) * stack.ndim, stack.dtype),
    )  # fmt: skip
    coords: dict[str, Any] = dict(zip(array.frame_dims, axes, strict=True))
    coords |= _coordinates(array, frames, where, shape)
    attrs = {"units": array.unit, "long_name": array.doc, "dataset": array.name, "commit": snapshot.number}
    return xr.DataArray(pixels, dims=array.dims, coords=coords, name=array.name, attrs=attrs)


@dataclass(frozen=True)
class StoredFrame:
    """One frame where it lies, for a worker to read."""

    segment: Segment
    index: tuple[int, ...]

    def read(self) -> NDArray[Any]:
        """Its pixels, shape (y, x).

        Raises
        ------
        CommitError
            They are not as the log has them.
        """
        pixels: NDArray[Any] = self.segment.open()[self.index]
        return pixels


def stored_frames(snapshot: Snapshot, storage: Storage, array: Array, rows: pa.Table) -> list[StoredFrame | None]:
    """Where the frames lie of which these are rows of the frame table, with `segment` and `segment_index`.

    Returns
    -------
    One a row, in the order of the rows; None where the pixels are missing.
    """
    places = zip(rows["segment"].to_pylist(), rows["segment_index"].to_pylist(), strict=True)
    between = (0,) * (len(array.frame_dims) - 1)
    found: list[StoredFrame | None] = []
    for path, index in places:
        sizes = tuple((name, size[1]) for name, size in snapshot.pieces[path].files.items()) if path else ()
        found.append(StoredFrame(Segment(storage, path, sizes), (index, *between)) if path else None)
    return found


def frame_rows(snapshot: Snapshot, storage: Storage, array: Array) -> pa.Table:
    """Every row of the frame table, in order of the frame axes."""
    from lake.keys import merged

    return merged(array.frames, [read_rows(storage, p) for p in snapshot.pieces_of(array.frames.name)])


def _coordinates(
    array: Array, frames: pa.Table, where: tuple[NDArray[np.int64], ...], shape: tuple[int, ...]
) -> dict[str, Any]:
    """The columns of the frame table along the frame axes; what no frame has is flagged as missing."""
    found: dict[str, Any] = {}
    for column in array.frames.columns:
        if column.name in (*array.frame_dims, *BOOKKEEPING):
            continue
        values = frames[column.name].to_numpy(zero_copy_only=False)
        if column.name == "is_missing":
            grid = np.ones(shape, bool)
        else:
            empty = np.array(None) if values.dtype.kind in "OU" else _nothing(values.dtype)
            grid = np.full(shape, empty, dtype=np.result_type(values.dtype, empty.dtype))
        grid[where] = values
        found[column.name] = (array.frame_dims, grid, {"units": column.unit, "long_name": column.doc})
    return found


def _nothing(dtype: np.dtype[Any]) -> NDArray[Any]:
    """The value that says there is none, of a type that holds these values as well."""
    if dtype.kind == "M":
        return np.array("NaT", dtype)
    return np.array(False) if dtype.kind == "b" else np.array(np.nan)


def _token(snapshot: Snapshot, array: Array) -> str:
    import hashlib

    return hashlib.sha256("".join(p.sha256 for p in snapshot.pieces_of(array.name)).encode()).hexdigest()[:16]


def sunpy_map(frames: Any, place: int) -> Any:
    """One frame as a `sunpy.map.Map`, its header from the frame table's column `fits_header`.

    Raises
    ------
    QueryError
        There is no such frame, or the array keeps no header, so that its coordinates are not known.
    """
    import json

    import sunpy.map

    n = frames.shape[0]
    if not -n <= place < n:
        raise QueryError(f"{frames.name}: no frame {place}; has {n:,}, from 0", f"lake show {frames.name}")
    frame = frames.isel({dim: place if dim == frames.dims[0] else 0 for dim in frames.dims[:-2]})
    if "fits_header" not in frame.coords:
        raise QueryError(f"{frames.name}: keeps no FITS header, so it cannot become a map")
    return sunpy.map.Map(frame.values, json.loads(str(frame.coords["fits_header"].item())))
