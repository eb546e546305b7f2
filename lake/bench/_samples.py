"""Small datasets for benches, and lakes of many commits or many files made in seconds."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lake.bench import _peers
from lake.log import (
    FORMAT,
    Json,
    Piece,
    Snapshot,
    digest,
    encode,
    entry_name,
    is_checkpoint_due,
    next_time,
    write_checkpoint,
)
from lake.pieces import bounds, parquet_profile
from lake.schema import INSTANT, SOURCE, Array, Column, Table
from lake.store import Lake

COUNTS = Table(
    name="bench.counts",
    doc="Counts of a made-up detector.",
    key=("obs_id", "row_id"),
    columns=(
        Column("obs_id", pa.string(), "Observation"),
        Column("row_id", pa.int64(), "Row of the observation, from 0", at_least=0),
        Column("energy_kev", pa.float64(), "Energy", unit="keV", nullable=True, at_least=0),
    ),
)
IMAGES = Array(
    name="bench.images",
    doc="Images of a made-up camera.",
    dims=("time", "y", "x"),
    dtype="uint16",
    unit="DN",
    chunk=(1, 256, 256),
    fill=0,
    columns=(Column("time", INSTANT, "Start of the exposure, UTC"),),
    tile=256,
)


def origin(name: str) -> Json:
    """The record of an input of this name."""
    return {"uri": f"archive/{name}", "sha256": hashlib.sha256(name.encode()).hexdigest(), "size": 1, "reader": "bench"}


def counts(name: str, n: int = _peers.N_ROWS) -> dict[str, Any]:
    """Columns of `n` rows of COUNTS."""
    rows = np.arange(n)
    return {"obs_id": name, "row_id": rows, "energy_kev": rows * 1.0}


def instants(first: int, n: int) -> NDArray[np.datetime64]:
    """So many instants, a second apart, this many seconds after the start of 2020."""
    return np.datetime64("2020-01-01", "us") + np.arange(first, first + n) * np.timedelta64(1_000_000, "us")


def commit(lake: Lake, writer: str, turn: int) -> None:
    """One commit of 1,000 rows to the lake."""
    name = f"{writer}-{turn:06d}"
    with lake.transaction("bench", catalog=False) as tx:
        tx.append(COUNTS, counts(name), source=origin(name))


def grown(lake: Lake, until: int) -> None:
    """Bring a lake to a commit as `commit` would have, in a tenth of the time.

    The log is byte for byte what so many commits write, with the newest checkpoint that is due. Nothing is fsynced, and
    the files of the table are links to the first one, whose rows no bench asks for.
    """
    if lake.number < 0:
        commit(lake, "w", 0)
    first = lake.snapshot.pieces_of(COUNTS.name)[0]
    snapshot, due = lake.snapshot, None
    while snapshot.number < until:
        name = f"w-{snapshot.number + 1:06d}"
        piece = _like(first, name, hashlib.sha256(f"file {name}".encode()).hexdigest())
        os.link(lake.storage.url(first.path), lake.storage.url(piece.path))
        snapshot = _written(lake, snapshot, [piece], origin(name))
        due = snapshot if is_checkpoint_due(snapshot) else due
    if due is not None:
        write_checkpoint(lake.storage, due)
    lake.snapshot = snapshot


def _like(piece: Piece, name: str, sha256: str) -> Piece:
    """A piece of COUNTS as another one, of another observation."""
    path = f"{piece.path.rpartition('/')[0]}/{sha256}.parquet"
    stats = {**piece.stats, "obs_id": [name, name, 0]}
    return replace(piece, path=path, sha256=sha256, stats=stats, sources=(origin(name)["sha256"],))


def _written(lake: Lake, snapshot: Snapshot, pieces: list[Piece], source: Json) -> Snapshot:
    """The snapshot after an entry that adds some pieces, written without an fsync."""
    number = snapshot.number + 1
    entry = {
        "format": FORMAT,
        "number": number,
        "parent": snapshot.digest,
        "time": next_time(snapshot.time, datetime.now(UTC)),
        "reason": "bench",
        "add": [p.to_json() for p in pieces],
        "ingest": [[pieces[0].dataset, source["sha256"]]],
        "sources": [source],
    }
    content = encode(entry)
    Path(lake.storage.url(entry_name(number))).write_bytes(content)
    return snapshot.advanced(entry, digest(content))


def filled(lake: Lake, table: Table, parts: Iterator[pa.Table]) -> None:
    """Commit some rows as one file each, in one entry and without an fsync.

    Parameters
    ----------
    parts : rows as the table declares them, in the order of its key.
    """
    with lake.transaction("bench", catalog=False) as tx:
        tx.declare(table)
    folder = Path(lake.storage.url(f"tables/{table.name}"))
    folder.mkdir(parents=True)
    sha256 = origin(table.name)["sha256"]
    pieces = [_file(folder, table, rows, sha256) for rows in parts]
    lake.snapshot = _written(lake, lake.snapshot, pieces, origin(table.name))


def _file(folder: Path, table: Table, rows: pa.Table, source: str) -> Piece:
    """A Parquet file as the lake writes it."""
    stored = rows.append_column(SOURCE, pa.repeat(pa.scalar(source), rows.num_rows))
    buffer = pa.BufferOutputStream()
    pq.write_table(stored, buffer, **parquet_profile(stored.schema))
    content = buffer.getvalue().to_pybytes()
    sha256 = digest(content)
    (folder / f"{sha256}.parquet").write_bytes(content)
    return Piece(
        dataset=table.name,
        path=f"tables/{table.name}/{sha256}.parquet",
        sha256=sha256,
        n_bytes=len(content),
        n_rows=rows.num_rows,
        columns={f.name: str(f.type) for f in rows.schema},
        stats=bounds(rows),
        sources=(source,),
    )
