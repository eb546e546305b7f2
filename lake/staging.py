"""Rows and frames written to disk, in no commit yet: what a worker does, and hands to the driver."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lake.errors import SchemaError
from lake.log import Json, Piece
from lake.pieces import tile_rows, write_rows, write_segment
from lake.redaction import recorded
from lake.schema import Array, Declaration, Rejection, Table, Taken
from lake.source import Source
from lake.storage import Storage


@dataclass(frozen=True)
class Staged:
    """Pieces that are on disk and in no commit yet: what a worker hands back to the driver."""

    declaration: Declaration
    pieces: tuple[Piece, ...]
    source: Json = field(default_factory=dict)
    rejected: tuple[Rejection, ...] = ()
    supersede: bool = False
    staged_on: int = -1

    @property
    def source_key(self) -> tuple[str, str]:
        """What may be in a lake only once: this dataset from this input."""
        return self.declaration.name, self.source.get("sha256", "")


def source_record(source: Source | Mapping[str, Any] | None) -> Json:
    """What the log keeps of an input."""
    if source is None:
        return {}
    if isinstance(source, Source):
        return {
            "uri": recorded(source.uri),
            "sha256": source.sha256,
            "size": source.size,
            "reader": source.reader,
        }
    return {**source, "uri": recorded(source["uri"])} if "uri" in source else dict(source)


def stage_rows(
    storage: Storage,
    table: Table,
    rows: Taken | pa.Table | Mapping[str, Any],
    *,
    source: Source | Mapping[str, Any] | None = None,
    supersede: bool = False,
    run: str = "",
    given_up: Mapping[str, int] = {},
    staged_on: int = -1,
) -> Staged:
    """Write rows to disk, for a transaction of this or another process to commit.

    Parameters
    ----------
    given_up, staged_on : names that garbage collections gave up, and the commit at which that was looked up.

    Raises
    ------
    SchemaError
        They do not fit the table.
    """
    taken = rows if isinstance(rows, Taken) else table.fit(rows)
    if not taken.rows.schema.equals(table.arrow, check_metadata=True):
        again = table.fit(taken.rows)
        taken = replace(again, rejected=taken.rejected + again.rejected, source=taken.source)
    record = source_record(source if source is not None else taken.source)
    pieces = write_rows(storage, table, taken.rows, source=record.get("sha256", ""), run=run, taken_names=given_up)
    return Staged(table, tuple(pieces), record, taken.rejected, supersede, staged_on)


def stage_frames(
    storage: Storage,
    array: Array,
    pixels: NDArray[Any] | None,
    frames: pa.Table | Mapping[str, Any],
    *,
    source: Source | Mapping[str, Any] | None = None,
    supersede: bool = False,
    run: str = "",
    given_up: Mapping[str, int] = {},
    staged_on: int = -1,
) -> Staged:
    """Write frames to disk: a segment of pixels, its rows of the frame table, and the statistics of its tiles.

    Parameters
    ----------
    pixels : one image for each row of `frames`, in the same order; None where all of them are missing.
    frames : the columns of the frame table that a file or a flow knows.

    Raises
    ------
    SchemaError
        Images and rows differ in number, or the pixels are of another type or the rows do not fit.
    """
    columns = {name: frames[name] for name in frames.column_names} if isinstance(frames, pa.Table) else dict(frames)
    record = source_record(source)
    sha256 = record.get("sha256", "")
    pieces: list[Piece] = []
    if pixels is not None and not pixels.size:
        pixels = None
    own: dict[str, Any] = {"is_missing": pixels is None}
    if pixels is not None:
        if str(pixels.dtype) != array.dtype:
            raise SchemaError(f"{array.name}: pixels are {pixels.dtype}, declared {array.dtype}")
        segment = write_segment(storage, array, pixels, source=sha256, run=run, taken_names=given_up)
        pieces.append(segment)
        own |= {"segment": segment.path, "segment_index": np.arange(segment.n_rows, dtype=np.int32)}
    taken = array.frames.fit({**columns, **own})
    if pixels is not None:
        if taken.rows.num_rows + sum(r.n_rows for r in taken.rejected) != segment.n_rows:
            raise SchemaError(f"{array.name}: {segment.n_rows} images, {taken.rows.num_rows} rows to describe them")
        index = taken.rows["segment_index"].to_numpy()
        images = pixels.reshape(-1, *pixels.shape[-2:])[index]
        tiles = tile_rows(array, images, taken.rows.select(list(array.frame_dims)))
        pieces += write_rows(storage, array.tiles, tiles, source=sha256, run=run, taken_names=given_up)
    pieces += write_rows(storage, array.frames, taken.rows, source=sha256, run=run, taken_names=given_up)
    return Staged(array, tuple(pieces), record, taken.rejected, supersede, staged_on)
