"""Damaged files, of every format and of every real file there is."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.builders.samples import samples
from tests.conftest import DATA
from tests.proofs import Criterion, passing
from tests.readers.trials import MOST_MEMORY, MOST_SECONDS, Trial, tried

PER_FORMAT = 500
PER_REAL_FILE = 2


def prove_that_damage_of_every_format_is_told(folder: Path) -> Iterator[Criterion]:
    files = samples(folder)
    found = tried(list(files.values()), PER_FORMAT)
    for name, path in files.items():
        own = [trial for trial in found if trial.file == path.name]
        asked = f"{name}: {PER_FORMAT} damages, good or SourceError, < {MOST_SECONDS:g} s, < {MOST_MEMORY >> 20} MB"
        yield Criterion(asked, summed(own), len(own) == PER_FORMAT + 1 and not wrong(own))


def prove_that_damage_of_every_real_file_is_told(folder: Path) -> Iterator[Criterion]:
    files = [path for path in sorted(DATA.rglob("*")) if path.is_file()]
    if not files:
        yield Criterion(
            "every real file, whole and damaged", f"no real files in {DATA.name}: see LIGHTLAKE_DATA", False
        )
        return
    found = tried(files, PER_REAL_FILE)
    whole = bool(files) and len(found) == len(files) * (PER_REAL_FILE + 1) and not wrong(found)
    yield Criterion(f"{len(files)} real files, whole and damaged {PER_REAL_FILE} times each", summed(found), whole)


def prove_that_the_trials_have_teeth(folder: Path) -> Iterator[Criterion]:
    yield passing(
        "a reader that throws, dies, hangs, grows or lies is told of",
        "tests/readers/test_fuzz.py", "-k", "does_wrong or same_number",
    )  # fmt: skip


def wrong(trials: Sequence[Trial]) -> list[Trial]:
    return [trial for trial in trials if trial.outcome == "wrong"]


def summed(trials: Sequence[Trial]) -> str:
    """Outcomes, the slowest read and the largest, and the first that is wrong."""
    counts = Counter(trial.outcome for trial in trials)
    outcomes = ", ".join(f"{counts[outcome]} {outcome}" for outcome in ("good", "kept", "refused", "wrong"))
    slowest, largest = max(t.seconds for t in trials), max(t.megabytes for t in trials)
    first = "".join(f"; {trial}" for trial in wrong(trials)[:1])
    return f"{outcomes}; slowest {slowest:.3f} s, largest {largest:.0f} MB{first}"
