"""Kills, races, flipped bytes and refusing disks: what is lost, doubled or silently wrong."""

import statistics
from collections.abc import Iterator
from pathlib import Path

from lake.store import Lake
from lake.torture import torture
from tests.builders.plain_zarr import PlainZarrWriter
from tests.builders.s3 import bucket_on_loopback
from tests.proofs import Criterion, passing
from tests.test_races import check_serial, raced


def prove_that_kills_lose_nothing(folder: Path) -> Iterator[Criterion]:
    proof = torture(folder, kills=30, seed=2)
    found = proof.to_json()
    told = ", ".join(f"{found[name]} {name.replace('_', ' ')}" for name in ("lost", "doubled", "wrong_frames"))
    asked = "3 writers, 30 kills -9: nothing acknowledged lost or doubled, no frame silently wrong"
    yield Criterion(asked, f"{proof.acknowledged} commits, {proof.fsyncs} fsyncs, {told}", proof.holds)
    plain = torture(folder, kills=15, seed=2, kind=PlainZarrWriter)
    told = f"{plain.found.wrong_frames} frames of zeros in 15 kills"
    yield Criterion("the same kills of a plain Zarr append are caught", told, not plain.holds)


def prove_that_writers_at_once_lose_nothing(folder: Path) -> Iterator[Criterion]:
    root = Lake.create(folder / "lake").root
    yield from _race(root, "8 writers x 50 commits and 10 sources all want: all kept, in an order", 8, 50)
    with bucket_on_loopback() as bucket:
        root = Lake.create(f"{bucket}/race").root
        yield from _race(root, "4 writers x 20 commits on an S3 server on loopback", 4, 20)
    yield passing("two of one source, and a reader pinned through 100 commits, compaction, gc", "tests/test_races.py")


def _race(root: str, asked: str, writers: int, commits: int) -> Iterator[Criterion]:
    told = raced(root, writers, commits)
    check_serial(root, told, commits)
    times = sorted(seconds for words in told for seconds in words["times"])
    median, last = statistics.median(times), times[int(0.99 * len(times))]
    yield Criterion(asked, f"{Lake(root).number + 1} commits, each once", True)
    words = f"{median * 1e3:.0f} ms and {last * 1e3:.0f} ms, {last / median:.1f} x"
    yield Criterion(
        "median and 99th percentile of a commit among them, libraries loaded, at most 20 x", words, last <= 20 * median
    )


def prove_that_damage_is_told(folder: Path) -> Iterator[Criterion]:
    yield passing("500 flips of the log, 200 cuts, 200 flips of rows and frames", "tests/test_corruption.py")
    yield passing("full, read-only and refusing disks, clocks, long lists, odd names", "tests/test_disk.py")
