"""Commit latency of the log as it grows, beside one durable file and beside the equal append of other stores."""

import io
import os
import statistics
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pyarrow.parquet as pq

from lake.store import Lake
from tests.benchmarks import Line, in_turn, ms, peers, seconds
from tests.benchmarks._stores import commit, installed, peer
from tests.builders.lakes import COUNTS, counts

FRESH, ROUNDS = 7, 41
MILESTONES = (100, 1000, 3000)


def bare_file(folder: Path, name: str, size: int) -> None:
    """One create, write, fsync and rename."""
    staged = folder / f"{name}.staged"
    with staged.open("wb") as file:
        file.write(bytes(size))
        file.flush()
        os.fsync(file.fileno())
    staged.rename(folder / name)


def settled_file(folder: Path, name: str, size: int) -> None:
    """The same, and the folder fsynced, without which a power cut may take the name away."""
    bare_file(folder, name, size)
    descriptor = os.open(folder, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


class Growing:
    """A lake that grows commit by commit, and bare files of the size of its pieces."""

    def __init__(self, folder: Path) -> None:
        self.lake = Lake.create(folder / "lake")
        self.files = folder / "files"
        self.files.mkdir(parents=True)
        commit(self.lake, "w", 0)
        self.size = self.lake.n_bytes

    def commit(self) -> None:
        commit(self.lake, "w", self.lake.number + 1)

    def until(self, number: int) -> None:
        while self.lake.number < number:
            self.commit()

    def bare(self) -> None:
        bare_file(self.files, f"{len(os.listdir(self.files))}", self.size)  # noqa: PTH208 - it is timed

    def least(self) -> None:
        """What any table with a log does: a Parquet file of the rows, then a page that names it."""
        name = f"{len(os.listdir(self.files))}"  # noqa: PTH208 - it is timed
        buffer = io.BytesIO()
        pq.write_table(COUNTS.fit(counts(name, peers.N_ROWS)).rows, buffer, compression="zstd", compression_level=1)
        settled_file(self.files, f"{name}.parquet", buffer.tell())
        settled_file(self.files, f"{name}.json", 1000)


def lines(folder: Path) -> Iterator[Line]:
    """Latency at the first commit and after many, then that of the peers."""
    yield _first(folder)
    growing = Growing(folder / "growing")
    yield from _peers(folder, growing)
    for number in MILESTONES:
        young = Growing(folder / f"young-{number}")
        young.until(MILESTONES[0] - ROUNDS // 2)
        growing.until(number - ROUNDS // 2)
        acts = (growing.commit, growing.bare, growing.least, young.commit)
        ours, bare, least, first = in_turn(acts, ROUNDS)
        what = f"commit {number:,}"
        yield Line(f"{what} / create+fsync+rename", ms(ours), ms(bare), ours / bare, "<= 2")
        yield Line(f"{what} / PyArrow's file and a page, both durable", ms(ours), ms(least), ours / least)
        yield Line(f"{what} / commit {MILESTONES[0]}", ms(ours), ms(first), ours / first, "<= 1.3")


def _first(folder: Path) -> Line:
    """The first commit of lakes that have none, once everything is imported."""
    ours, bare = [], []
    for turn in range(FRESH + 1):
        lake = Lake.create(folder / f"fresh-{turn}")
        ours.append(seconds(lambda lake=lake: commit(lake, "w", 0)))  # type: ignore[misc]
        bare.append(seconds(lambda turn=turn, size=lake.n_bytes: bare_file(folder, f"{turn}", size)))  # type: ignore[misc]
    one, other = statistics.median(ours[1:]), statistics.median(bare[1:])
    return Line("commit 1 / create+fsync+rename", ms(one), ms(other), one / other, "<= 2")


def _peers(folder: Path, growing: Growing) -> Iterator[Line]:
    """The 2nd to 10th and the 100th append of each store, all in turn."""
    with ExitStack() as stack:
        others = {store: stack.enter_context(peer(store, folder / "peers")) for store in installed()}
        for start, rounds in ((1, 9), (95, 9)):
            for other in others.values() if start > 1 else ():
                for _ in range(start - 11):
                    other.append()
            growing.until(start)
            found: dict[str, list[float]] = {store: [] for store in ("ours", *others)}
            for turn in range(rounds + 1):
                taken = {"ours": seconds(growing.commit), **{store: o.append() for store, o in others.items()}}
                for store, value in taken.items() if turn else ():
                    found[store].append(value)
            ours = statistics.median(found.pop("ours"))
            for store, times in found.items():
                other_ms = statistics.median(times)
                yield Line(f"commit about {start + 4} / append of {store}", ms(ours), ms(other_ms), ours / other_ms)
