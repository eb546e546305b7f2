"""Commit latency of the log as it grows, beside one durable file and beside the equal append of other stores."""

import io
import os
import statistics
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pyarrow.parquet as pq

from lake.bench import Line, in_turn, seconds, times_in_turn
from lake.bench._samples import COUNTS, commit, counts, grown
from lake.bench._stores import installed, peer
from lake.store import Lake

FRESH, YOUNG = 7, 100
APPENDS = 9
QUICK = {"milestones": (100, 10_000), "rounds": 11}


def lines(folder: Path, milestones: Sequence[int] = (100, 1000, 10_000), rounds: int = 41) -> Iterator[Line]:
    """Latency of the first commit and of those about some numbers, then that of the peers' appends."""
    yield _first(folder)
    young = Growing(folder / "young")
    for number in milestones:
        old = Growing(folder / f"old-{number}")
        old.until(number - rounds // 2)
        young.until(YOUNG - rounds // 2)
        acts = (old.commit, old.bare, old.least, young.commit)
        times = times_in_turn(acts, rounds)
        ours, bare, least, first = map(statistics.median, times)
        what = f"commit {number:,}"
        yield Line(f"{what} / create, fsync, rename of one file", ours, bare, ours / bare, "<= 2")
        yield Line(f"{what} / PyArrow's file and a page, both durable", ours, least, ours / least)
        if number > YOUNG:
            yield Line(f"{what} / commit {YOUNG}", ours, first, ours / first, "<= 1.3")
        yield Line(f"{what}, the slowest of {rounds} / their median", max(times[0]), ours, max(times[0]) / ours)
    yield from _peers(folder)


class Growing:
    """A lake that grows commit by commit, and bare files of the size of its pieces."""

    def __init__(self, folder: Path) -> None:
        self.lake = Lake.create(folder / "lake")
        self.files = folder / "files"
        self.files.mkdir(parents=True)
        self._numbers = count()
        self.commit()
        self.size = self.lake.n_bytes

    def commit(self) -> None:
        commit(self.lake, "w", self.lake.number + 1)

    def until(self, number: int) -> None:
        """Grow in no time, where it is not this far already."""
        grown(self.lake, number)

    def bare(self) -> None:
        bare_file(self.files, str(next(self._numbers)), self.size)

    def least(self) -> None:
        """What any table with a log does: a Parquet file of the rows, then a page that names it."""
        name = str(next(self._numbers))
        buffer = io.BytesIO()
        pq.write_table(COUNTS.fit(counts(name)).rows, buffer, compression="zstd", compression_level=1)
        settled_file(self.files, f"{name}.parquet", buffer.tell())
        settled_file(self.files, f"{name}.json", 1000)


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


def _first(folder: Path) -> Line:
    """The first commit of lakes that have none, once everything is imported."""
    ours, bare = [], []
    for turn in range(FRESH + 1):
        lake = Lake.create(folder / f"fresh-{turn}")
        start = seconds(lambda lake=lake: commit(lake, "w", 0))  # type: ignore[misc]
        ours.append(start)
        bare.append(seconds(lambda turn=turn, size=lake.n_bytes: bare_file(folder, str(turn), size)))  # type: ignore[misc]
    one, other = statistics.median(ours[1:]), statistics.median(bare[1:])
    return Line("commit 1 / create, fsync, rename of one file", one, other, one / other, "<= 2")


def _peers(folder: Path) -> Iterator[Line]:
    """The 2nd to 10th append of each store and those about the 100th, all in turn."""
    growing = Growing(folder / "beside")
    with ExitStack() as stack:
        others = {store: stack.enter_context(peer(store, folder / "peers")) for store in installed()}
        for start in (1, YOUNG - APPENDS // 2):
            while growing.lake.number < start - 1:
                growing.commit()
                for other in others.values():
                    other.append()
            ours, *theirs = in_turn([growing.commit, *(o.append for o in others.values())], APPENDS)
            for store, taken in zip(others, theirs, strict=True):
                about = start + APPENDS // 2
                yield Line(f"commit about {about} / append of {store}", ours, taken, ours / taken)
