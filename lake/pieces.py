"""Immutable pieces: Parquet files of rows and Zarr segments of frames, staged, named by their content, published."""

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lake.errors import CommitError, ConflictError
from lake.log import Piece
from lake.schema import SOURCE, Array, Table
from lake.storage import Storage, content_digest, file_sink, staged_digest

ROW_GROUP = 122_880
LONGEST_BOUND = 64
# The array in the group that a segment is: xarray opens groups alone.
PIXELS = "pixels"
SAFE_PARTITION = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?")


class HashingSink:
    """A new file that hashes what passes through, so that its bytes are read only once."""

    def __init__(self, path: Path) -> None:
        self._file = file_sink(path)
        self._hash = hashlib.sha256()
        self.closed = False

    def write(self, block: Any) -> int:
        self._hash.update(block)
        return self._file.write(block)

    def tell(self) -> int:
        return self._file.tell()

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()
        self.closed = True

    def hexdigest(self) -> str:
        return self._hash.hexdigest()


def write_rows(
    storage: Storage,
    table: Table,
    rows: pa.Table,
    *,
    source: str = "",
    run: str = "",
    taken_names: Mapping[str, int] = {},
) -> list[Piece]:
    """Publish rows as Parquet, one file a partition.

    Parameters
    ----------
    rows : the declared columns in order of the key; `_source` as well where the rows are from several inputs.
    source : SHA-256 of the input, where it is one.
    taken_names : names that a garbage collection gave up, with the commit that did.
    """
    if SOURCE not in rows.column_names:
        rows = rows.append_column(SOURCE, _repeated(source, rows.num_rows))
    rows = _with_items(rows)
    parts = partitions(table, rows)
    return [_write_file(storage, table, part, folder, run, taken_names) for folder, part in parts if part.num_rows]


def _repeated(text: str, n: int) -> pa.ChunkedArray:
    """One text for every row; all row groups share the memory of one."""
    block = pa.repeat(pa.scalar(text), min(n, ROW_GROUP))
    starts = range(0, n, ROW_GROUP)
    return pa.chunked_array([block.slice(0, min(ROW_GROUP, n - start)) for start in starts], pa.string())


def _write_file(
    storage: Storage, table: Table, rows: pa.Table, folder: str, run: str, taken_names: Mapping[str, int]
) -> Piece:
    staged = storage.staging()
    try:
        with storage.step("write", staged.name):
            sink = HashingSink(staged)
            with pa.PythonFile(sink, "w") as out:
                pq.write_table(rows, out, **parquet_profile(rows.schema))
            sink.close()
        path = "/".join(filter(None, ["tables", table.name, folder, f"{sink.hexdigest()}.parquet"]))
        size = staged.stat().st_size
        path = publish_once(storage, staged, path, sink.hexdigest(), taken_names)
    except BaseException:
        storage.discard(staged)
        raise
    return Piece(
        dataset=table.name,
        path=path,
        sha256=sink.hexdigest(),
        n_bytes=size,
        n_rows=rows.num_rows,
        columns={f.name: str(f.type) for f in rows.schema if f.name != SOURCE},
        stats=bounds(rows.drop_columns(SOURCE)),
        sources=tuple(sorted(s for s in pc.unique(rows[SOURCE]).to_pylist() if s)),
        run=run,
        partition=folder,
    )


def parquet_profile(schema: pa.Schema) -> dict[str, Any]:
    """How Parquet is written: zstd, and dictionaries only where few values repeat.

    Other whole numbers are kept as differences, real ones byte by byte: a photon list is a quarter smaller for it, is
    written in two thirds of the time and scanned in half.
    """
    few = [f.name for f in schema if pa.types.is_string(f.type) or pa.types.is_boolean(f.type) or f.type in SMALL]
    return {
        "compression": "zstd",
        "compression_level": 1,
        "row_group_size": ROW_GROUP,
        "use_dictionary": [name for name in few if not pa.types.is_boolean(schema.field(name).type)],
        "column_encoding": {_leaf(f): code for f in schema if (code := _number_encoding(f.type))},
        "write_statistics": True,
        "version": "2.6",
    }


SMALL = (pa.int8(), pa.uint8(), pa.int16(), pa.uint16())


def _leaf(field: pa.Field) -> str:
    """The name by which Parquet knows the values of a column."""
    return f"{field.name}.list.element" if pa.types.is_list(field.type) else str(field.name)


def _number_encoding(kind: pa.DataType) -> str:
    """The Parquet encoding of numbers that have no dictionary; empty for what is no such number.

    Whole numbers in lists stay as they are: where one list ends and another begins their differences are large.
    """
    if pa.types.is_list(kind):
        return "BYTE_STREAM_SPLIT" if pa.types.is_floating(kind.value_type) else ""
    if pa.types.is_float32(kind) or pa.types.is_float64(kind):
        return "BYTE_STREAM_SPLIT"
    is_whole = pa.types.is_integer(kind) or pa.types.is_timestamp(kind)
    return "DELTA_BINARY_PACKED" if is_whole and kind not in SMALL else ""


def publish_once(
    storage: Storage, staged: Path, path: str, sha256: str, taken_names: Mapping[str, int], *, again: bool = True
) -> str:
    """Publish under the name of the content, or find it there already from a run that was killed.

    A name that a garbage collection has given up may vanish at any moment; then the content gets another one. So it
    does where what is there was damaged, and `again` allows it.

    Raises
    ------
    ConflictError
        A garbage collection came between.
    CommitError
        What is there has other bytes than its name says, and the content may have no other name.
    """
    while path in taken_names:
        path = _numbered(path, taken_names[path])
    try:
        try:
            storage.publish(staged, path)
        except FileExistsError:
            if not _adopted(storage, path, sha256):
                if not again:
                    raise CommitError(f"{path}: there, with other bytes than its name says; remove it") from None
                return publish_once(storage, staged, _numbered(path, 0), sha256, taken_names)
            storage.discard(staged)
    except FileNotFoundError:
        raise ConflictError(f"{path}: a garbage collection came between; nothing was written, run again") from None
    return path


def _numbered(path: str, number: int) -> str:
    """Another name for the same content."""
    stem, _, ending = path.rpartition(".")
    return f"{stem}.{number}.{ending}"


def _adopted(storage: Storage, path: str, sha256: str) -> bool:
    """Make a file of ours what another writer published and may not have made durable; False where it is damaged."""
    if content_digest(storage.read(path)) != sha256:
        return False
    storage.touch(path)
    storage.secure(path)
    return True


def partitions(table: Table, rows: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    """Rows by the folder their partition value gives, folders in order; one unnamed folder without a partition."""
    if not table.partition or not rows.num_rows:
        yield "", rows
        return
    values = rows[table.partition]
    if pa.types.is_timestamp(values.type):
        values = pc.strftime(values, "%Y-%m")
    for value in sorted(pc.unique(values).to_pylist(), key=str):
        yield partition_folder(value), rows.filter(pc.equal(values, pa.scalar(value, values.type)))


def partition_folder(value: Any) -> str:
    """A folder for a value that came out of a file: itself where it is harmless, else a hash of it."""
    text = str(value)
    if SAFE_PARTITION.fullmatch(text) and not RESERVED.fullmatch(text):
        return text
    return "h" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def bounds(rows: pa.Table) -> dict[str, list[Any]]:
    """Least and greatest value and number of nulls of each column with an order, as JSON has them."""
    found = {}
    for name, column in zip(rows.column_names, rows.columns, strict=True):
        if pa.types.is_nested(column.type) or pa.types.is_binary(column.type):
            continue
        if pa.types.is_float16(column.type):
            column = pc.cast(column, pa.float32())
        if pa.types.is_floating(column.type) and pc.any(pc.is_nan(column)).as_py():
            continue
        least, most = pc.min_max(column).as_py().values()
        words = [_bound(least), _bound(most)]
        if least is None or None not in words:
            found[name] = [*words, column.null_count]
    return found


def _bound(value: Any) -> Any:
    """A bound as JSON has it; None where it has no short and finite form."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, str):
        return value if len(value) <= LONGEST_BOUND else None
    return value if isinstance(value, int | float) else None


def read_rows(storage: Storage, piece: Piece, columns: Sequence[str] | None = None) -> pa.Table:
    """Rows of a table file, as they were written.

    Raises
    ------
    CommitError
        The file is gone or damaged, or has other columns than the log.
    """
    try:
        opened = storage.url(piece.path) if storage.filesystem is None else pa.BufferReader(storage.read(piece.path))
        file = pq.ParquetFile(opened)
        _check_types(piece, _with_items(file.schema_arrow.empty_table()).schema)
        return _with_items(file.read(columns=None if columns is None else list(columns)))
    except (OSError, pa.ArrowException) as error:
        raise CommitError(f"{piece.path}: {error}", "lake verify") from error


def _with_items(rows: pa.Table) -> pa.Table:
    """The same rows, their lists of `item`, as Arrow calls it; Parquet gives them back as lists of `element`."""
    for place, field in enumerate(rows.schema):
        if pa.types.is_list(field.type):
            kind = pa.list_(field.type.value_type)
            rows = rows.set_column(place, field.with_type(kind), rows.column(place).cast(kind))
    return rows


def check_bytes(storage: Storage, piece: Piece) -> None:
    """That a file has the bytes that were committed, before its rows are written anew under another hash.

    Raises
    ------
    CommitError
        It has not, or is gone.
    """
    try:
        found = content_digest(storage.read(piece.path))
    except OSError as error:
        raise CommitError(f"{piece.path}: {error}; nothing was written", "lake verify") from error
    if found != piece.sha256:
        raise CommitError(f"{piece.path}: has other bytes than were committed; nothing was written", "lake verify")


def _check_types(piece: Piece, schema: pa.Schema) -> None:
    """Compare a file's columns with those of the log; what a footer says is never believed alone."""
    found = {field.name: str(field.type) for field in schema if field.name != SOURCE}
    if found != dict(piece.columns) or SOURCE not in schema.names:
        raise CommitError(f"{piece.path}: has columns {found}, the log has {dict(piece.columns)}", "lake verify")


def write_segment(
    storage: Storage,
    array: Array,
    pixels: NDArray[Any],
    *,
    source: str = "",
    run: str = "",
    taken_names: Mapping[str, int] = {},
) -> Piece:
    """Publish frames as one Zarr v3 group of one sharded array, `pixels`.

    Parameters
    ----------
    pixels : shape (frame, y, x), or all declared dims; of the declared dtype.
    """
    pixels = pixels.reshape(_segment_shape(array, pixels))
    staged = storage.staging()
    try:
        with storage.step("write", staged.name):
            _write_zarr(staged, array, pixels)
        found = sorted(p for p in staged.rglob("*") if p.is_file())
        files: dict[str, list[Any]] = {p.relative_to(staged).as_posix(): list(staged_digest(p)) for p in found}
        sha256 = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
        folder = _segment_path(array, f"{sha256} {source}", taken_names)
        # The metadata comes last: a segment that opens has all of its shards.
        for name in sorted(files, key=lambda n: n == "zarr.json"):
            publish_once(storage, staged / name, f"{folder}/{name}", files[name][0], {}, again=False)
    finally:
        storage.discard(staged)
    return Piece(
        dataset=array.name,
        path=folder,
        sha256=sha256,
        n_bytes=sum(size for _, size in files.values()),
        n_rows=pixels.shape[0],
        columns={"yx": f"{pixels.shape[-2]} x {pixels.shape[-1]}"},
        sources=(source,) if source else (),
        run=run,
        files=files,
    )


def _write_zarr(folder: Path, array: Array, pixels: NDArray[Any]) -> None:
    """Pixels as a Zarr v3 array of one shard."""
    import zarr
    from zarr.codecs import BloscCodec

    chunk = tuple(min(c, n) for c, n in zip(array.chunk, pixels.shape, strict=True))
    shard = tuple(math.ceil(n / c) * c for c, n in zip(chunk, pixels.shape, strict=True))
    with zarr.config.set({"async.concurrency": 1, "threading.max_workers": 1}):
        blosc_in_one_thread()
        stored = zarr.create_array(
            store=str(folder), name=PIXELS, shape=pixels.shape, dtype=pixels.dtype, chunks=chunk, shards=shard,
            compressors=BloscCodec(cname="zstd", clevel=3, shuffle="bitshuffle"),
            fill_value=array.fill, dimension_names=array.dims, config={"write_empty_chunks": True},
            attributes={"units": array.unit, "long_name": array.doc, "dataset": array.name},
        )  # fmt: skip
        stored[...] = pixels


def _segment_path(array: Array, content: str, taken_names: Mapping[str, int]) -> str:
    """The folder of a segment, named for its content and its input.

    Frames of two inputs are two segments, though their pixels be equal: one may go and the other stay.
    """
    folder = f"arrays/{array.name}/{hashlib.sha256(content.encode()).hexdigest()}.zarr"
    while folder in taken_names:
        folder = f"{folder.removesuffix('.zarr')}.{taken_names[folder]}.zarr"
    return folder


def _segment_shape(array: Array, pixels: NDArray[Any]) -> tuple[int, ...]:
    """The declared axes of these pixels: one frame an entry of the first, length one on other frame axes."""
    y, x = pixels.shape[-2:]
    frames = pixels.size // (y * x) if y and x else 0
    return (frames, *(1 for _ in array.frame_dims[1:]), y, x)


def blosc_in_one_thread() -> None:
    """Compress in one thread: with more, the bytes of a chunk differ from run to run."""
    from numcodecs import blosc

    blosc.set_nthreads(1)
    blosc.use_threads = False


def tile_rows(array: Array, pixels: NDArray[Any], keys: pa.Table) -> pa.Table:
    """Integer statistics of the tiles of each frame, as `array.tiles` declares them.

    Parameters
    ----------
    pixels : shape (frame, y, x).
    keys : the key columns of the frames, in their order.
    """
    from lake.tiles import tile_statistics

    columns, frame = tile_statistics(pixels, array.tile)
    for name in keys.column_names:
        columns[name] = keys[name].take(pa.array(frame))
    return array.tiles.fit(columns).rows
