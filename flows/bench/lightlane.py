"""Photon lists for the bench: one taken in, scans of the table, and every filter on one core."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
from astropy.io import fits

from flows.lightlane import DATASETS, event_rows
from lake.bench import Line, in_turn
from lake.intake import take_in
from lake.kernels.event_lists import observation
from lake.kernels.photons import good_time_columns, observation_columns, photon_columns
from lake.provenance import new_run
from lake.readers import read
from lake.relations import relations
from lake.store import Lake
from lake.synth.photons import Emitter, Scene, write_event_list
from schemas.lightlane import GOOD_TIMES, OBSERVATIONS, PHOTONS

LIST = "tests/data/xmm_test.fits"
SCAN = "select pi, count(*) as n, sum(energy_ev) as energy_ev from {} group by pi"
N_FILTERED, LIMIT_S = 546_451, 0.5
# A grating gives every photon a wavelength, and of the HRC all filters have something to do.
SCENE = Scene("chandra-hrc", 1000.0, (Emitter(555.0),), obs_id="90004", has_grating=True, bad_share=0.01)
SEED = 20_260_301
QUICK = {"rounds": 3, "rounds_filters": 3}


def lines(folder: Path, rounds: int = 7, rounds_filters: int = 5, n_filtered: int = N_FILTERED) -> Iterator[Line]:
    """Intake beside the bare writer, scans beside bare DuckDB, filters beside their limit."""
    lake = taken_in(sample(), folder / "lake", True)
    rows = pl.DataFrame(pl.from_arrow(lake.table(PHOTONS.name).arrow()))
    yield from _intake(folder, lake, rows, rounds)
    yield _scan(lake, f"one file of {rows.height:,} photons", rounds)
    yield _scan(_of_many_files(folder / "many", rows), "32 files of 10,000", rounds)
    yield from _filters(folder, n_filtered, rounds_filters)


def sample() -> Path:
    """The event list of 1.7 million photons that ships with stingray."""
    package = find_spec("stingray")
    (place,) = (package.submodule_search_locations if package else None) or ["stingray"]
    return Path(place, LIST)


def taken_in(path: Path, folder: Path, catalog: bool) -> Lake:
    """The file in a fresh lake, committed."""
    lake = Lake.create(folder)
    run = new_run("lightlane", {})
    (intake,) = take_in(lake, [str(path)], DATASETS, event_rows, run=run["id"], strict=True)
    with lake.transaction("lightlane", run=run, catalog=catalog) as tx:
        for staged in intake.staged:
            tx.add(staged)
    return lake


def written_by_polars(path: Path, rows: pl.DataFrame, out: Path) -> None:
    """The same file read by Astropy, every column of it, and the same columns as ours written by Polars."""
    with fits.open(path, memmap=False) as found:
        table = found[1].data
        for name in table.names:
            np.ascontiguousarray(table[name], table[name].dtype.newbyteorder("="))
    rows.write_parquet(out, compression="zstd", compression_level=1)


def _intake(folder: Path, lake: Lake, rows: pl.DataFrame, rounds: int) -> Iterator[Line]:
    """A photon list from its file to Parquet, and how large it is then."""
    numbers = count()
    bare = folder / "bare.parquet"

    def ours(catalog: bool) -> None:
        place = folder / f"lake-{next(numbers)}"
        taken_in(sample(), place, catalog)
        shutil.rmtree(place)

    acts = (lambda: written_by_polars(sample(), rows, bare), lambda: ours(False), lambda: ours(True))
    peer, plain, full = in_turn(acts, rounds)
    yield Line("photon list to Parquet / read, then bare Polars", plain, peer, peer / plain, ">= 0.5")
    yield Line("the same, catalog.duckdb refreshed too", full, peer, peer / full)
    size, other = lake.n_bytes, bare.stat().st_size
    yield Line("its size / bare Polars", size, other, size / other, unit="B")


def _scan(lake: Lake, what: str, rounds: int) -> Line:
    """A scan through the lake beside one of the same files named to DuckDB, each on a connection of its own."""
    files = [lake.storage.url(p.path) for p in lake.snapshot.pieces_of(PHOTONS.name)]

    def through() -> None:
        lake.sql(SCAN.format(PHOTONS.name)).arrow()

    def bare() -> pa.Table:
        with duckdb.connect() as con:
            return con.sql(SCAN.format(f"read_parquet({files})")).to_arrow_table()

    ours, peer = in_turn((through, bare), 2 * rounds + 1, warm=2)
    return Line(f"scan, {what} / bare DuckDB", ours, peer, peer / ours, ">= 0.8")


def _of_many_files(folder: Path, rows: pl.DataFrame) -> Lake:
    """Photons as those of 32 observations."""
    lake = Lake.create(folder)
    arrow = rows.to_arrow()
    for turn in range(32):
        part = arrow.slice(turn * 10_000, 10_000)
        names = pa.array([f"obs-{turn:03d}"] * part.num_rows)
        columns = {n: names if n == "obs_id" else part[n] for n in part.column_names}
        with lake.transaction("part", catalog=False) as tx:
            tx.append(PHOTONS, columns)
    return lake


def _filters(folder: Path, n: int, rounds: int) -> Iterator[Line]:
    """Every relation that filters photons, with all that it reads."""
    lake = _simulated(folder, n)
    names = [name for name, r in relations().items() if r.stage and name.startswith("lightlane.")]
    with one_core() as cores:
        for name in sorted(names, key=lambda name: relations()[name].stage):
            (taken,) = in_turn([lambda name=name: lake.query(name)], rounds)  # type: ignore[misc]
            what = f"{name.partition('.')[2]}, {n:,} photons, {cores}"
            yield Line(f"{what} / its limit", taken, LIMIT_S, taken / LIMIT_S, "<= 1")


def _simulated(folder: Path, n: int) -> Lake:
    """The first so many photons of a simulated list, with their observation and good times."""
    path = folder / "list.fits"
    write_event_list(path, SCENE, SEED)
    events = observation(read(path))
    lake = Lake.create(folder / "filtered")
    with lake.transaction("filters", catalog=False) as tx:
        tx.append(OBSERVATIONS, observation_columns(events))
        tx.append(GOOD_TIMES, good_time_columns(events))
        tx.append(PHOTONS, PHOTONS.fit(photon_columns(events)).rows.slice(0, n))
    return lake


@contextmanager
def one_core() -> Iterator[str]:
    """Threads that start in the block share one core, where the system has a way to say so; which it is, in words."""
    if not hasattr(os, "sched_setaffinity"):
        yield f"{os.cpu_count()} cores"
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield "one core"
    finally:
        os.sched_setaffinity(0, before)
