"""Kills at every step and power cuts between any two, tried here and counted."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.builders.sweeps import Sweep, cut_after_a_kill, cut_everywhere, kill_everywhere
from tests.builders.traced import can_trace, traced_commits
from tests.builders.works import HISTORY, WORKS, often_checkpointed
from tests.proofs import Criterion, passing
from tests.test_power_cut import FAULTS, RACES


def prove_every_crash_point(folder: Path) -> Iterator[Criterion]:
    swept = Sweep()
    with pytest.MonkeyPatch.context() as patch:
        often_checkpointed(patch)
        for name, work in WORKS.items():
            swept += kill_everywhere(work, folder / name, is_thorough=True)
    found = f"{swept.n_tried} moments, {swept.n_states} different disks, {told(swept)}"
    asked = f"killed before and after each step of {', '.join(WORKS)}: the old or the new commit, verified; begun anew"
    yield Criterion(f"{asked}, a clean run's lake", found, swept.n_tried > 500 and not swept.problems)
    words = ("tests/test_crash_points.py", "-m", "not slow", "-k", "sigkill")
    yield passing("the same of a process that gets SIGKILL", *words)


def prove_the_power_cut(folder: Path) -> Iterator[Criterion]:
    with pytest.MonkeyPatch.context() as patch:
        often_checkpointed(patch)
        alone = [cut_everywhere(HISTORY, folder / str(one), is_one_process=one) for one in (True, False)]
    yield replayed("a journal of commits, a compaction, a collection and checkpoints", alone)
    beside = [cut_after_a_kill(race, folder / "race") for race in RACES.values()]
    yield replayed("a writer beside one that is killed at each of its steps", beside)
    problems = {kind.__name__: scene(folder / kind.__name__, kind).problems for kind, scene, _ in FAULTS}
    caught = [kind.__name__ for kind, _, what in FAULTS if what in " ".join(problems[kind.__name__])]
    found = f"{len(caught)} of {len(FAULTS)}: {', '.join(caught)}"
    yield Criterion("planted faults caught", found, len(caught) == len(FAULTS))
    words = ("tests/test_power_cut.py", "-k", "not told and not killed_writer and not fault")
    yield passing("the model of the disk by itself", *words)


def replayed(what: str, sweeps: list[Sweep]) -> Criterion:
    """That every replay opens at a committed version, with all that was told to be done."""
    swept = sum(sweeps, Sweep())
    asked = f"{what}, power cut between any two events: opens at a commit, none lost that was told to be done"
    return Criterion(
        asked, f"{swept.n_tried} cuts, {swept.n_states} different disks, {told(swept)}", not swept.problems
    )


def prove_the_fsyncs(folder: Path) -> Iterator[Criterion]:
    asked = "fsyncs and links of a commit of rows, counted by strace as by the steps"
    if not can_trace():
        yield Criterion(asked, "no strace that may trace", True)
        return
    first, later = traced_commits(folder)
    same = all(c[f"told {what}"] == c[what] for c in (first, later) for what in ("fsync", "link"))
    found = f"{later['fsync']} and {later['link']}; of a process's first commit {first['fsync']} and {first['link']}"
    yield Criterion(asked, found, same and later["fsync"] == 4 and later["link"] == 2)
    yield passing(
        "a failed fsync says how it leaves the lake, and is not tried again on that file",
        "tests/test_crash_points.py", "-k", "failed_fsync",
    )  # fmt: skip


def told(swept: Sweep) -> str:
    """How many problems there are, and the first."""
    return f"{len(swept.problems)} problems" + "".join(f": {problem}" for problem in swept.problems[:1])
