"""Other people's readers, and a cluster in place of threads."""

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
from deltalake import DeltaTable

from lake.delta import register
from lake.intake import commit, take_in
from lake.provenance import new_run
from lake.store import Lake
from lake.verify import verify
from tests.builders.clusters import NOTES, deadly_rows, local_cluster, noted, watched_rows
from tests.builders.lakes import COUNTS, FRAMES, counts, origin
from tests.builders.toy_ingest import toy_rows, write_toy
from tests.proofs import Criterion, passing

FILES, ROWS = 200, 5000
TOYS = 12
INTEROP, DISTRIBUTED = "tests/interop", "tests/test_distributed.py"


def prove_delta_by_reference(folder: Path) -> Iterator[Criterion]:
    lake = Lake.create(folder / "lake")
    with lake.transaction("counts", catalog=False) as tx:
        for n in range(FILES):
            tx.append(COUNTS, counts(f"o{n:03}", ROWS), source=origin(str(n)))
    start = time.perf_counter()
    register(lake, "toy.counts", folder / "delta")
    seconds = time.perf_counter() - start
    own = {(folder / "lake" / p.path).stat().st_ino for p in lake.snapshot.pieces_of("toy.counts")}
    linked = {p.stat().st_ino for p in (folder / "delta").glob("*.parquet")}
    log_bytes = sum(p.stat().st_size for p in (folder / "delta/_delta_log").iterdir())
    yield Criterion(
        f"a table of {FILES} files and {FILES * ROWS:,} rows registered as a Delta table, no row copied",
        f"{seconds:.2f} s, {len(linked & own)} files shared, {len(linked - own)} copied, log {log_bytes / 1e3:.0f} kB",
        linked == own,
    )
    at = str(folder / "delta")
    readers = {
        "deltalake": DeltaTable(at).to_pyarrow_table(),
        "Polars": pl.scan_delta(at).collect().to_arrow().cast(COUNTS.arrow),
        "DuckDB over Arrow": duckdb.from_arrow(DeltaTable(at).to_pyarrow_dataset()).to_arrow_table(),
    }
    wanted = in_order(lake.table("toy.counts").arrow())
    equal = [name for name, rows in readers.items() if in_order(rows).equals(wanted)]
    yield Criterion(
        "equal rows in deltalake, Polars and DuckDB over Arrow", f"equal in {', '.join(equal)}", len(equal) == 3
    )
    again = register(lake, "toy.counts", folder / "delta")
    with lake.transaction("less", catalog=False) as tx:
        tx.delete("toy.counts", sources=[origin("0")["sha256"]])
    later = register(lake, "toy.counts", folder / "delta")
    travelled = DeltaTable(at, version=0).to_pyarrow_table().num_rows, DeltaTable(at).to_pyarrow_table().num_rows
    yield Criterion(
        "the same commit again is the same version, a later one the next, and the first is still there",
        f"versions {again['version']} and {later['version']}, rows {travelled[0]:,} and {travelled[1]:,}",
        (again["version"], later["version"]) == (0, 1) and travelled == (FILES * ROWS, (FILES - 1) * ROWS),
    )


def in_order(rows: pa.Table) -> pa.Table:
    """Rows by key, in plain types and one chunk a column."""
    plain = rows.select(COUNTS.arrow.names).cast(pa.schema([f.remove_metadata() for f in COUNTS.arrow]))
    return plain.sort_by([(name, "ascending") for name in COUNTS.key]).combine_chunks().replace_schema_metadata(None)


def prove_other_readers(folder: Path) -> Iterator[Criterion]:
    def tests(words: str) -> tuple[str, str, str]:
        return INTEROP, "-k", words

    yield passing("every type, null, NaN, unicode, no row, partitions, evolution: equal in 7 formats", *tests("format"))
    yield passing("the same by Delta in 4 readers; vacuum, gc, races, refusals", *tests("delta or export or version"))
    yield passing(
        "segments in plain Zarr and xarray; units, instants and provenance in ECSV, VOTable and FITS",
        *tests("segment or quantity or instants or says"),
    )
    others = [n for n in ("LIGHTLAKE_OTHER_DUCKDB_PYTHON", "LIGHTLAKE_DUCKDB") if os.environ.get(n)]
    found = ", ".join([*others, *(["duckdb on the PATH"] if shutil.which("duckdb") else [])]) or "neither is here"
    yield passing(f"the catalogue in this DuckDB, the other major, its own client ({found})", *tests("catalogue"))


def prove_a_cluster_in_place_of_threads(folder: Path) -> Iterator[Criterion]:
    os.environ[NOTES] = str(folder / "notes")
    (folder / "notes").mkdir()
    paths = [str(write_toy(folder, n)) for n in range(TOYS)]
    broken = folder / "broken.fits"
    broken.write_bytes(Path(paths[0]).read_bytes()[:9000])
    paths.append(str(broken))
    with local_cluster() as cluster:
        ways = {"sync": toy_rows, "threads": toy_rows, cluster.scheduler_address: watched_rows}
        lakes, seconds = {}, {}
        for n, (scheduler, rows_of) in enumerate(ways.items()):
            start = time.perf_counter()
            lakes[scheduler] = taken_in(folder / f"lake{n}", paths, rows_of, scheduler)
            seconds[scheduler] = time.perf_counter() - start
        killed = taken_in(folder / "killed", paths, deadly_rows, cluster.scheduler_address)
    one, *others = (hashes(lake) for lake in lakes.values())
    took = ", ".join(f"{s:.1f}" for s in seconds.values())
    yield Criterion(
        f"{TOYS} files and a broken one on sync, threads and two workers: the same lake, hash for hash",
        f"{len(one)} pieces and a reject, {sum(found == one for found in others)} of 2 others the same ({took} s)",
        all(found == one for found in others) and len(one) > TOYS,
    )
    acts = {pid: [n for _, n in lines] for pid, lines in noted(folder / "notes").items() if pid != os.getpid()}
    logs = [n for names in acts.values() for n in names if n.startswith("log/")]
    yield Criterion(
        "only the driver commits",
        f"{len(acts)} workers wrote {sum(map(len, acts.values()))} files, {len(logs)} of them in the log",
        bool(acts) and not logs,
    )
    deaths = len(list((folder / "notes").glob("died-*")))
    yield Criterion(
        "workers killed midway, one of them after half of a file was staged, change nothing",
        f"{deaths} killed, {len(set(hashes(killed)) ^ set(one))} pieces differ, verify finds {len(verify(killed))}",
        deaths == 2 and hashes(killed) == one and verify(killed) == [],
    )


def taken_in(root: Path, paths: list[str], rows_of: object, scheduler: str) -> Lake:
    """A lake of these files, in one commit."""
    lake, run = Lake.create(root), new_run("toy", {})
    commit(lake, take_in(lake, paths, [COUNTS, FRAMES], rows_of, run=run["id"], scheduler=scheduler), run)  # type: ignore[arg-type]
    return lake


def hashes(lake: Lake) -> dict[str, object]:
    """The hash of every piece by its name, and what was rejected."""
    rejected = {r["uri"]: r["reason"] for r in lake.snapshot.rejected}
    return {**{p.path: p.sha256 for p in lake.snapshot.pieces.values()}, **rejected}


def prove_that_a_cluster_never_hangs(folder: Path) -> Iterator[Criterion]:
    yield passing(
        "a flow on event lists on every scheduler; no worker, no scheduler, nobody there, a deadly task: told",
        DISTRIBUTED, "-k", "flow or given_up or told",
    )  # fmt: skip
