"""Works stopped at every step, by a kill or by a power cut, and what is wrong with the lake afterwards."""

import random
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lake.catalog import CATALOG, catalog_number
from lake.errors import LakeError
from lake.log import load
from lake.storage import LocalStorage, storage_at
from lake.store import HEAD, Lake
from lake.verify import check_frames, check_log, check_piece, kept_pieces, verify
from tests.builders.disks import Journal, Killed, Tree, killed_at, power_cuts
from tests.builders.works import Work, prepared, state

# The lake lies in folders that it makes itself.
ROOT = Path("data", "lake")
NO_LAKE, NO_COMMIT = -2, -1
Act = Callable[[LocalStorage], None]
Versions = dict[int, str]
"""The hash of each commit by its number; empty for no commit yet, and for no lake."""


@dataclass
class Sweep:
    """What was tried, and what went wrong.

    Attributes
    ----------
    n_tried : moments of a kill, or power cuts.
    n_states : different disks that they left.
    """

    n_tried: int = 0
    n_states: int = 0
    problems: list[str] = field(default_factory=list)

    def __add__(self, other: "Sweep") -> "Sweep":
        problems = self.problems + other.problems
        return Sweep(self.n_tried + other.n_tried, self.n_states + other.n_states, problems)


def newest(root: Path) -> int:
    """Number of the newest commit; NO_COMMIT or NO_LAKE where there is none."""
    return load(storage_at(root)).number if (root / HEAD).exists() else NO_LAKE


def committed(root: Path) -> Versions:
    """Every version that a lake has had."""
    return {NO_LAKE: "", NO_COMMIT: ""} | {c["number"]: c["digest"] for c in load(storage_at(root)).commits}


def kill_everywhere(work: Work, folder: Path, *, is_thorough: bool = False) -> Sweep:
    """A kill before and after each step of a work: the lake is the old or the new one, and the work can be repeated.

    Between two steps nothing changes, or that is a problem; so moments that share a disk are looked at once.
    """
    clean, sweep = folder / "clean", Sweep()
    clean.mkdir(parents=True)
    prepared(work, clean / ROOT)
    number = newest(clean / ROOT)
    journal = Journal(clean)
    with journal.on():
        work.act(LocalStorage(clean / ROOT, journal))
    versions = {n: digest for n, digest in committed(clean / ROOT).items() if n >= number}
    wanted = state(clean / ROOT)
    for place, moment in enumerate(journal.moments):
        sweep.n_tried += 1
        if moment.is_changed and not moment.done:
            sweep.problems.append(f"something changed before {moment.act} of {moment.name}")
        if moment.is_changed or not place:
            sweep.n_states += 1
            root = journal.lay_out(moment.tree, folder / "killed") / ROOT
            when = f"{'after' if moment.done else 'before'} {moment.act} of {moment.name}"
            found = stopped(root, versions, is_thorough=is_thorough) or repeated(work, root, wanted)
            sweep.problems += [f"killed {when}: {what}" for what in found]
            shutil.rmtree(folder / "killed")
    return sweep


def stopped(root: Path, versions: Versions, *, is_thorough: bool = False) -> list[str]:
    """What is wrong with a lake that should be at one of these versions."""
    try:
        if not (root / HEAD).exists():
            return [] if NO_LAKE in versions else ["no lake"]
        lake = Lake(root)
        if versions.get(lake.number) != lake.snapshot.digest:
            return [f"another commit {lake.number}, expected one of {', '.join(map(str, versions))}"]
        return [str(finding) for finding in (verify(lake) if is_thorough else unlike_the_log(lake))]
    except (LakeError, OSError, ValueError, LookupError) as error:
        return [f"{type(error).__name__}: {error}"]


def unlike_the_log(lake: Lake) -> list[object]:
    """What of a lake differs from its log: entries, checkpoints, files, frames."""
    found: list[object] = [*check_log(lake.storage, lake.snapshot)]
    for piece in [] if found else kept_pieces(lake.storage, lake.snapshot):
        found += check_piece(lake.storage, piece)
    return found or [*check_frames(lake)]


def repeated(work: Work, root: Path, wanted: dict[str, Any]) -> list[str]:
    """How the lake differs from that of a clean run when the work is begun anew."""
    try:
        work.act(LocalStorage(root))
        found = state(root)
    except (LakeError, OSError) as error:
        return [f"begun anew, {type(error).__name__}: {error}"]
    odd = [what for what in wanted if found[what] != wanted[what]]
    return [f"begun anew, {what}: {found[what]}, expected {wanted[what]}" for what in odd]


class Cutter:
    """Power cuts on a disk with a journal; each state that they leave is looked at once."""

    def __init__(self, folder: Path, journal: Journal, versions: Versions) -> None:
        self.folder = folder
        self.journal = journal
        self.versions = versions
        self._there: Tree = {}
        self._seen: dict[frozenset[tuple[str, str]], tuple[int, list[str]]] = {}
        self._catalogues: dict[str, int] = {}

    def cut(self, *, seed: int = 0, first: int = 0, n_random: int = 4) -> Sweep:
        """Cuts between all events from one on."""
        sweep, chance = Sweep(), random.Random(seed)
        staging = f"{(ROOT / 'staging').as_posix()}/"
        events, first = self.journal.events, max(first, self.journal.n_first)
        for tree, promised in power_cuts(events, chance=chance, n_random=n_random, aside=staging, first=first):
            sweep.n_tried += 1
            key = frozenset(tree.items())
            if key not in self._seen:
                self._seen[key] = self._look(tree)
                sweep.n_states += 1
                sweep.problems += self._seen[key][1]
            number, problems = self._seen[key]
            if number < promised and not problems:
                sweep.problems.append(f"at commit {number}, though {promised} was told to be done")
        return sweep

    def _look(self, tree: Tree) -> tuple[int, list[str]]:
        """The newest commit of what a cut left, and what is wrong with it."""
        root = self.journal.lay_out(tree, self.folder, self._there) / ROOT
        self._there = tree
        if not (root / HEAD).exists():
            return NO_LAKE, self._make(root)
        if problems := stopped(root, self.versions):
            return NO_LAKE, problems
        number, shown = newest(root), self._shown(tree.get((ROOT / CATALOG).as_posix(), ""), root / CATALOG)
        return number, [f"the catalogue shows commit {shown} of {number}"] if shown > number else []

    def _shown(self, key: str, path: Path) -> int:
        """The commit of a catalogue; one with the same bytes is opened once."""
        if key and key not in self._catalogues:
            self._catalogues[key] = catalog_number(path)
        return self._catalogues.get(key, NO_COMMIT)

    def _make(self, root: Path) -> list[str]:
        """What keeps a lake from being made where a cut left none."""
        try:
            Lake.create(root)
        except LakeError as error:
            return [f"cannot be made again: {error}"]
        finally:
            shutil.rmtree(self.folder)
            self._there = {}
        return []


def cut_everywhere(
    acts: Sequence[Act], folder: Path, *, is_one_process: bool = True, kind: type[LocalStorage] = LocalStorage
) -> Sweep:
    """Power cuts between any two changes of works done in turn, by one process or by one each."""
    top = folder / "disk"
    top.mkdir(parents=True)
    journal = Journal(top)
    storage = kind(top / ROOT, journal)
    with journal.on():
        for act in acts:
            act(storage if is_one_process else kind(top / ROOT, journal))
            journal.promise(newest(top / ROOT))
    return Cutter(folder / "cut", journal, committed(top / ROOT)).cut()


def cut_after_a_kill(
    acts: tuple[Sequence[Act], Act, Act], folder: Path, *, kind: type[LocalStorage] = LocalStorage, every: int = 1
) -> Sweep:
    """Power cuts while one writer works that found another stopped for good, at each of its steps in turn.

    Parameters
    ----------
    acts : what is done before, by the writer that is stopped, and by the other one.
    every : of how many steps one is tried.
    """
    before, first, second = acts
    sweep, place, is_stopped = Sweep(), 0, True
    while is_stopped:
        top = folder / "disk"
        top.mkdir(parents=True)
        for act in before:
            act(LocalStorage(top / ROOT))
        part = _second_alone(top, folder / "cut", (first, second), kind, place)
        shutil.rmtree(folder)
        is_stopped = part is not None
        sweep, place = sweep + (part or Sweep()), place + every
    return sweep


def _second_alone(
    top: Path, scratch: Path, acts: tuple[Act, Act], kind: type[LocalStorage], place: int
) -> Sweep | None:
    """Power cuts while the second act goes on, the first one stopped; None where the first one ends before that."""
    journal = Journal(top)
    began: list[int] = []

    def other() -> None:
        began.append(len(journal.events))
        acts[1](kind(top / ROOT, journal))
        journal.promise(newest(top / ROOT))

    with journal.on(), suppress(Killed):
        acts[0](kind(top / ROOT, killed_at(journal, place, other)))
    if not began:
        return None
    return Cutter(scratch, journal, committed(top / ROOT)).cut(first=began[0], seed=place)
