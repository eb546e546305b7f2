"""Real kills: `python -m tests.builders.killings WORK FOLDER EVERY` prints what it tried and what went wrong.

Each work is done by a forked child that gets SIGKILL at one of its steps, every so many of them; another one looks at
the lake and begins the work anew.
"""

import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from lake.storage import LocalStorage
from tests.builders.sweeps import NO_COMMIT, NO_LAKE, committed, newest, repeated, stopped
from tests.builders.works import WORKS, Work, often_checkpointed, prepared, state


def forked(act: Callable[[], None]) -> int:
    """The exit code of a child that does something; below zero, the signal that ended it."""
    child = os.fork()
    if not child:
        try:
            act()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def tell(line: str) -> None:
    """Say something to whoever started this."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def killed(work: Work, root: Path, at: int) -> None:
    """Do a work up to one of its steps."""
    left = [at]

    def step(act: str, name: str, done: bool) -> None:
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    work.act(LocalStorage(root, step))


def look(work: Work, before: Path, after: Path, root: Path) -> None:
    """Print what is wrong with a lake after a kill."""
    versions = committed(before) if (before / "lake.json").exists() else {NO_LAKE: "", NO_COMMIT: ""}
    versions = {n: digest for n, digest in versions.items() if n == newest(before)}
    if (number := newest(root)) == newest(after):
        versions[number] = committed(root)[number]
    for problem in stopped(root, versions) or repeated(work, root, state(after)):
        tell(f"problem: {problem}")


def main(name: str, folder: Path, every: int) -> None:
    """Kill a work at every so many steps."""
    work, before, after, root = WORKS[name], folder / "before", folder / "after", folder / "killed"
    assert forked(lambda: prepared(work, before)) == 0
    before.mkdir(exist_ok=True)
    shutil.copytree(before, after)
    assert forked(lambda: killed(work, after, sys.maxsize)) == 0
    code, at = -signal.SIGKILL, 0
    while code == -signal.SIGKILL:
        shutil.copytree(before, root)
        code = forked(lambda: killed(work, root, at))  # noqa: B023 - called at once
        if forked(lambda: look(work, before, after, root)):
            tell(f"problem: looking after step {at}")
        shutil.rmtree(root)
        at += every
    tell(f"kills: {at // every - 1}, last exit code: {code}")


if __name__ == "__main__":
    often_checkpointed(pytest.MonkeyPatch())
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
