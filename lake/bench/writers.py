"""Four local processes that write at once: how many of their commits are kept, and how long they take."""

import time
from collections.abc import Iterator
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path

from lake.bench import Line, _peers
from lake.bench._samples import COUNTS, commit
from lake.bench._stores import Peer, count_of, installed, peer
from lake.store import Lake

WRITERS, START_S = 4, 120.0
QUICK = {"commits": 5}


def lines(folder: Path, commits: int = 20) -> Iterator[Line]:
    """Commits kept, of the lake and of each peer."""
    every = WRITERS * commits
    kept, taken = _ours(folder, commits)
    what = f"{WRITERS} writers × {commits} commits"
    yield Line(f"{what}, kept / acknowledged", kept, every, kept / every, ">= 1", unit="")
    for store in installed():
        theirs, acknowledged, peer_s = _theirs(store, folder / store, commits)
        yield Line(f"{what}, their time / {store}", taken, peer_s, taken / peer_s)
        yield Line(f"{what} by {store}, kept / acknowledged", theirs, acknowledged, theirs / acknowledged, unit="")


def _write(root: str, writer: int, commits: int, ready: Barrier) -> None:
    """The commits of one process, once all are ready."""
    lake = Lake(root)
    ready.wait(START_S)
    for turn in range(commits):
        commit(lake, f"w{writer}", turn)


def _ours(folder: Path, commits: int) -> tuple[int, float]:
    """Commits of the lake that are kept, and the time they took [s]."""
    root = str(Lake.create(folder / "lake").root)
    context = get_context("spawn")
    ready = context.Barrier(WRITERS + 1)
    processes = [context.Process(target=_write, args=(root, n, commits, ready)) for n in range(WRITERS)]
    for process in processes:
        process.start()
    ready.wait(START_S)
    start = time.perf_counter()
    for process in processes:
        process.join()
    taken = time.perf_counter() - start
    if ends := [p.exitcode for p in processes if p.exitcode]:
        raise RuntimeError(f"a writer of {root}: ended by itself, exit {ends[0]}")
    rows = Lake(root).sql(f"select count(*) as n from {COUNTS.name}").arrow()["n"][0].as_py()
    return rows // _peers.N_ROWS, taken


def _theirs(store: str, folder: Path, commits: int) -> tuple[int, int, float]:
    """Appends that a peer kept, those it said were done, and the time they took [s]."""
    with peer(store, folder):
        pass
    others = [Peer(store, folder, f"w{writer}") for writer in range(WRITERS)]
    start = time.perf_counter()
    for _ in range(commits):
        for other in others:
            other.ask()
    done = sum(other.answer().startswith(_peers.DONE) for other in others for _ in range(commits))
    taken = time.perf_counter() - start
    for other in others:
        other.close()
    return count_of(store, folder) // _peers.N_ROWS, done, taken
