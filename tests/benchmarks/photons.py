"""A photon list to Parquet, and a scan of it by SQL, beside Polars' and DuckDB's own."""

import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
from astropy.io import fits

from flows.lightlane import DATASETS, event_rows
from lake.intake import take_in
from lake.provenance import new_run
from lake.store import Lake
from schemas.lightlane import PHOTONS
from tests.benchmarks import Line, in_turn, ms

LIST = "tests/data/xmm_test.fits"
SCAN = "select pi, count(*) as n, sum(energy_ev) as energy from {} group by pi"


def sample() -> Path:
    """The event list of 1.7 million photons that ships with stingray."""
    package = find_spec("stingray")
    assert package, "stingray is not installed"
    assert package.submodule_search_locations, "stingray is no package"
    return Path(package.submodule_search_locations[0], LIST)


def written_by_polars(path: Path, rows: pl.DataFrame, out: Path) -> None:
    """The same file read by Astropy, every column of it, and the same columns as ours written by Polars."""
    with fits.open(path, memmap=False) as found:
        table = found[1].data
        for name in table.names:
            np.ascontiguousarray(table[name], table[name].dtype.newbyteorder("="))
    rows.write_parquet(out, compression="zstd", compression_level=1)


def taken_in(path: Path, folder: Path, catalog: bool) -> Lake:
    """The file in a fresh lake, committed."""
    lake = Lake.create(folder)
    run = new_run("lightlane", {})
    (intake,) = take_in(lake, [str(path)], DATASETS, event_rows, run=run["id"])
    with lake.transaction("lightlane", run=run, catalog=catalog) as tx:
        for staged in intake.staged:
            tx.add(staged)
    return lake


def lines(folder: Path) -> Iterator[Line]:
    """Intake beside the bare writer, then the scan beside bare DuckDB."""
    lake = taken_in(sample(), folder / "lake", True)
    rows = pl.DataFrame(pl.from_arrow(lake.table(PHOTONS.name).arrow()))
    numbers = count()

    def ours(catalog: bool) -> None:
        place = folder / f"lake-{next(numbers)}"
        taken_in(sample(), place, catalog)
        shutil.rmtree(place)

    acts = (lambda: written_by_polars(sample(), rows, folder / "bare.parquet"), lambda: ours(False), lambda: ours(True))
    peer, plain, full = in_turn(acts, rounds=7, warm=2)
    yield Line("photon list → Parquet / read + bare Polars", ms(plain), ms(peer), peer / plain, ">= 0.5")
    yield Line("the same, catalog.duckdb refreshed too", ms(full), ms(peer), peer / full)
    sizes = lake.n_bytes, (folder / "bare.parquet").stat().st_size
    yield Line("bytes of it", f"{sizes[0] / 1e6:.1f} MB", f"{sizes[1] / 1e6:.1f} MB", sizes[1] / sizes[0])
    yield from _scans(lake)
    yield from _many_files(folder, rows)


def _scans(lake: Lake) -> Iterator[Line]:
    files = [lake.storage.url(p.path) for p in lake.snapshot.pieces_of(PHOTONS.name)]
    yield _scan(lake, files, PHOTONS.name, "one file of 1.7 M photons")


def _scan(lake: Lake, files: list[str], name: str, what: str) -> Line:
    """A scan through the lake beside one of the same files named to DuckDB, each on a connection of its own."""

    def through() -> None:
        lake.sql(SCAN.format(name)).arrow()

    def bare() -> pa.Table:
        with duckdb.connect() as con:
            return con.sql(SCAN.format(f"read_parquet({files})")).to_arrow_table()

    ours, peer = in_turn((through, bare), rounds=15, warm=2)
    return Line(f"scan, {what} / bare DuckDB", ms(ours), ms(peer), peer / ours, ">= 0.8")


def _many_files(folder: Path, rows: pl.DataFrame) -> Iterator[Line]:
    """The same scan over the photons of 32 observations."""
    lake = Lake.create(folder / "many")
    arrow = rows.to_arrow().slice(0, 320_000)
    for turn in range(32):
        part = arrow.slice(turn * 10_000, 10_000)
        names = pa.array([f"obs-{turn:03d}"] * part.num_rows)
        columns = {n: names if n == "obs_id" else part[n] for n in part.column_names}
        with lake.transaction("part", catalog=False) as tx:
            tx.append(PHOTONS, columns)
    files = [lake.storage.url(p.path) for p in lake.snapshot.pieces_of(PHOTONS.name)]
    yield _scan(lake, files, PHOTONS.name, "32 files of 10,000")
