"""A stranger's question beside the owner's: millions of rows grouped, native and through the walls."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import duckdb
import numpy as np

from lake import untrusted
from lake.bench import Line, in_turn
from lake.bench._samples import COUNTS
from lake.store import Lake
from lake.views import connect
from lake.walls.files import PinnedFiles, local_opener, sealed

N_FILES, N_OBSERVATIONS = 10, 1_000
QUESTION = f"select obs_id, count(*) as n, avg(energy_kev) as mean from {COUNTS.name} group by obs_id"
QUICK = {"n_rows": 2_000_000, "rounds": 3}


def lines(folder: Path, n_rows: int = 20_000_000, rounds: int = 5) -> Iterator[Line]:
    """The first wall against the bare files on one thread, then all three with the start of their process."""
    lake = _filled(folder / "lake", n_rows)
    with connect(lake.snapshot, lake.storage, only={COUNTS.name}) as native:
        native.execute("set threads = 1")
        files = PinnedFiles(lake.snapshot, local_opener(lake.root))
        with sealed(lake.snapshot, files, only={COUNTS.name}) as walled:
            acts = (partial(_asked, native), partial(_asked, walled), partial(untrusted.sql, lake, QUESTION))
            bare, wall, door = in_turn(acts, rounds)
    size = f"{n_rows:,} rows grouped on one thread"
    yield Line(f"{size}: behind the wall of files / bare files", wall, bare, wall / bare, "<= 2")
    yield Line(f"{size}: through all three walls / bare files", door, bare, door / bare)


def _filled(folder: Path, n_rows: int) -> Lake:
    """A lake of made-up counts, a commit of ten files."""
    lake = Lake.create(folder)
    names = np.array([f"obs-{n:04d}" for n in range(N_OBSERVATIONS)])
    per_file = n_rows // N_FILES
    with lake.transaction("benchmark", catalog=False) as tx:
        for place in range(N_FILES):
            chance = np.random.default_rng(place)
            columns = {
                "obs_id": names[np.sort(chance.integers(0, N_OBSERVATIONS, per_file))],
                "row_id": np.arange(per_file) + place * per_file,
                "energy_kev": chance.gamma(2.0, 1.5, per_file),
            }
            tx.append(COUNTS, columns)
    return lake


def _asked(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(QUESTION).fetchall()
