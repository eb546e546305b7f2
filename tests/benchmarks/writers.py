"""Four local processes that write at once: how many of their commits are kept."""

import sys
import time
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path

from lake.store import Lake
from tests.benchmarks import Line, peers
from tests.benchmarks._stores import Peer, commit, count_of, installed, peer

WRITERS, COMMITS = 4, 20


def _write(root: str, writer: int) -> None:
    """The commits of one process."""
    lake = Lake(root)
    for turn in range(COMMITS):
        commit(lake, f"w{writer}", turn)


def _ours(folder: Path) -> tuple[int, float]:
    """Commits of the lake that are kept, and the time they took [s]."""
    root = str(Lake.create(folder / "lake").root)
    context = get_context("spawn")
    processes = [context.Process(target=_write, args=(root, writer)) for writer in range(WRITERS)]
    start = time.perf_counter()
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        if process.exitcode:
            print(f"a writer ended with {process.exitcode}", file=sys.stderr)
    rows = Lake(root).sql("select count(*) as n from toy.counts").arrow()["n"][0].as_py()
    return rows // peers.N_ROWS, time.perf_counter() - start


def _theirs(store: str, folder: Path) -> tuple[int, int, float]:
    """Appends that a peer kept, those it reported as failed, and the time they took [s]."""
    with peer(store, folder):
        pass
    others = [Peer(store, folder, f"w{writer}") for writer in range(WRITERS)]
    start = time.perf_counter()
    for _ in range(COMMITS):
        for other in others:
            other.ask()
    failed = sum(other.answer().startswith(peers.FAILED) for other in others for _ in range(COMMITS))
    taken = time.perf_counter() - start
    for other in others:
        other.close()
    return count_of(store, folder) // peers.N_ROWS, failed, taken


def lines(folder: Path) -> Iterator[Line]:
    """Commits kept, of the lake and of each peer."""
    every = WRITERS * COMMITS
    kept, taken = _ours(folder)
    yield Line(f"{WRITERS} writers × {COMMITS} commits kept", f"{kept} in {taken:.1f} s", "", kept / every, ">= 1")
    for store in installed():
        got, failed, took = _theirs(store, folder / store)
        words = f"{got} in {took:.1f} s" + (f", {failed} refused" if failed else "")
        yield Line(f"{WRITERS} writers × {COMMITS} appends kept by {store}", "", words, got / every)
