"""Small lakes, datasets and inputs."""

import hashlib
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lake.keys import merged
from lake.pieces import read_rows
from lake.schema import INSTANT, Array, Column, Table
from lake.store import Lake

COUNTS = Table(
    name="toy.counts",
    doc="Counts of a made-up detector.",
    key=("obs_id", "row_id"),
    columns=(
        Column("obs_id", pa.string(), "Observation"),
        Column("row_id", pa.int64(), "Row of the observation, from 0", at_least=0),
        Column("energy_kev", pa.float64(), "Energy", unit="keV", nullable=True, at_least=0),
    ),
)
FRAMES = Array(
    name="toy.images",
    doc="Images of a made-up camera.",
    dims=("time", "y", "x"),
    dtype="uint16",
    unit="DN",
    chunk=(1, 8, 8),
    fill=0,
    columns=(
        Column("time", INSTANT, "Start of the exposure, UTC"),
        Column("exposure_s", pa.float64(), "Exposure time", unit="s"),
    ),
    tile=8,
)


def origin(name: str) -> dict[str, Any]:
    """The record of an input of this name."""
    sha256 = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()
    return {"uri": f"archive/{name}", "sha256": sha256, "size": 1, "reader": "toy"}


def counts(obs_id: str, n: int = 5, first: int = 0) -> dict[str, Any]:
    """Columns of `n` rows of COUNTS."""
    rows = np.arange(first, first + n)
    return {"obs_id": obs_id, "row_id": rows, "energy_kev": rows * 0.5}


def images(n: int, seed: int = 0, size: int = 12) -> NDArray[np.uint16]:
    """Made-up images, shape (n, size, size)."""
    return np.random.default_rng(seed).integers(0, 60_000, (n, size, size)).astype(np.uint16)


def instants(*seconds: float) -> NDArray[np.datetime64]:
    """Instants these seconds after the start of 2020."""
    return np.array([np.datetime64("2020-01-01", "us") + np.timedelta64(int(s * 1e6), "us") for s in seconds])


def add(lake: Lake, name: str, obs_id: str = "", n: int = 5, **words: bool) -> None:
    """Commit one input of `n` counts."""
    with lake.transaction("test", catalog=False) as tx:
        tx.append(COUNTS, counts(obs_id or name, n), source=origin(name), **words)


def all_rows(lake: Lake, name: str) -> pa.Table:
    """All rows of a table, read file by file."""
    return merged(lake.snapshot.tables[name], [read_rows(lake.storage, p) for p in lake.snapshot.pieces_of(name)])


def count_keys(lake: Lake) -> list[tuple[str, int]]:
    """The keys of all counts."""
    return [(r["obs_id"], r["row_id"]) for r in all_rows(lake, "toy.counts").to_pylist()]
