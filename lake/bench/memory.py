"""Memory of a question over very many rows, and of opening a lake: the peak of a fresh process, beside its peer's."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from lake.bench import Line
from lake.bench._peak import peak_of
from lake.bench._samples import grown
from lake.schema import Column, Table
from lake.store import Lake, size_text

EACH = 5_000_000
N_CHANNELS = 4096
GROUPED = "select channel, count(*) as n_photons, sum(energy_ev) as energy_ev from {} group by channel"
# Numbers in runs: a hundred million rows take few bytes on disk, and as many in memory as any others.
PHOTONS = Table(
    name="bench.photons",
    doc="Photons of a made-up detector.",
    key=(),
    columns=(
        Column("event_id", pa.int64(), "Photon, from 0"),
        Column("channel", pa.int16(), "Channel of its energy"),
        Column("energy_ev", pa.float32(), "Energy", unit="eV"),
    ),
)
QUICK = {"n_rows": 10_000_000, "n_commits": 1000}


def lines(folder: Path, n_rows: int = 100_000_000, n_commits: int = 10_000) -> Iterator[Line]:
    """A group-by, the same by DuckDB of the same files, and two lakes opened."""
    lake = Lake.create(folder / "rows")
    for start in range(0, n_rows, EACH):
        _commit(lake, start, min(EACH, n_rows - start))
    files = lake.storage.url(f"tables/{PHOTONS.name}/*.parquet")
    what = f"memory, group-by of {n_rows:,} rows in {size_text(lake.n_bytes)} / DuckDB alone"
    ours, bare = peak_of("asked", lake.root, GROUPED.format(PHOTONS.name)), peak_of("bare", files, GROUPED)
    yield Line(what, ours, bare, ours / bare, "<= 1.25", unit="B")
    least = peak_of("imports")
    many = Lake.create(folder / "commits")
    grown(many, n_commits - 1)
    for words, each in ((f"{n_rows:,} rows", lake), (f"{n_commits:,} commits", many)):
        taken = peak_of("opened", each.root)
        yield Line(f"memory, opening {words} / imports alone", taken, least, taken / least, unit="B")


def _commit(lake: Lake, start: int, n: int) -> None:
    """So many photons from this one on."""
    ids = np.arange(start, start + n)
    channel = (ids >> 6) % N_CHANNELS
    with lake.transaction("bench", catalog=False) as tx:
        tx.append(PHOTONS, {"event_id": ids, "channel": channel.astype(np.int16), "energy_ev": channel * np.float32(5)})
