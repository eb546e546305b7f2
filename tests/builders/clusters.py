"""Dask clusters, and functions for their workers that tell what they do or die of it."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lake.intake import Rows
from lake.source import Source
from lake.storage import LocalStorage
from tests.builders.toy_ingest import toy_rows
from tests.conftest import REPO

# The folder in which processes note what they write, and in which a death is noted.
NOTES = "LIGHTLAKE_TEST_NOTES"


@contextmanager
def local_cluster() -> Iterator[Any]:
    """Two worker processes that are started again when they die."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None) as cluster:
        yield cluster


@contextmanager
def separate_cluster() -> Iterator[tuple[str, subprocess.Popen[str], list[subprocess.Popen[str]]]]:
    """A scheduler and two workers as processes of their own, that nobody starts again, and the scheduler's address."""

    def started(*words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", *words]
        return subprocess.Popen(command, cwd=REPO, stderr=subprocess.PIPE, text=True)

    scheduler = started("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
    processes = [scheduler]
    try:
        assert scheduler.stderr is not None
        address = next(m[1] for line in scheduler.stderr if (m := re.search(r"Scheduler at:\s+(tcp://\S+)", line)))
        words = ("distributed.cli.dask_worker", address, "--no-nanny", "--no-dashboard", "--nthreads", "1")
        processes += [started(*words, "--host", "127.0.0.1") for _ in range(2)]
        yield address, scheduler, processes[1:]
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def note(act: str, name: str) -> None:
    """Write down that this process did something."""
    with Path(os.environ[NOTES], str(os.getpid())).open("a") as file:
        file.write(f"{act} {name}\n")


def noted(folder: Path) -> dict[int, list[tuple[str, str]]]:
    """What each process wrote down."""
    lines = {int(p.name): p.read_text().splitlines() for p in folder.iterdir() if p.name.isdecimal()}
    return {pid: [(a, n) for a, _, n in (line.partition(" ") for line in text)] for pid, text in lines.items()}


def watch_writes() -> None:
    """Note every name that this process gives to a file of a lake, from here on."""
    if hasattr(LocalStorage._link, "is_watched"):
        return
    real = LocalStorage._link

    def link(self: LocalStorage, staged: Path, name: str, *words: str) -> None:
        note("link", name)
        real(self, staged, name, *words)

    link.is_watched = True  # type: ignore[attr-defined]
    LocalStorage._link = link  # type: ignore[method-assign]


def watched_rows(source: Source) -> Rows:
    """`toy_rows`, in a process whose writes are noted."""
    watch_writes()
    return toy_rows(source)


def deadly_rows(source: Source) -> Any:
    """`toy_rows`, but the first worker to come to some files is killed: before its first rows, or after them."""
    place = int(source.header["OBS_ID"][-3:])
    rows = iter(toy_rows(source))
    if place == 1:
        die_once(source.sha256)
    yield next(rows)
    if place == 2:
        die_once(source.sha256)
    yield from rows


def die_once(name: str) -> None:
    """Kill this process, unless an earlier one was killed for the same reason."""
    try:
        Path(os.environ[NOTES], f"died-{name}").touch(exist_ok=False)
    except FileExistsError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


def die(item: Any) -> None:
    """Kill this process."""
    os.kill(os.getpid(), signal.SIGKILL)
