"""Opening a lake of many commits, and refreshing it and its catalogue."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from lake.bench import Line, in_turn
from lake.bench._samples import grown
from lake.store import Lake

# Commits after the newest checkpoint, which opening reads one by one.
AFTER = 50
ACTS = ("open", "refresh", "refresh catalog.duckdb")
QUICK = {"sizes": (10, 10_000), "rounds": 2}


def lines(folder: Path, sizes: Sequence[int] = (10, 1000, 10_000), rounds: int = 7) -> Iterator[Line]:
    """At a few commits, and at many of which fifty came after a checkpoint."""
    few, *many = sizes
    first = in_turn(_acts(folder / str(few), few), rounds)
    for what, taken in zip(ACTS, first, strict=True):
        yield Line(f"{what}: {few:,} commits", taken)
    for n in many:
        times = in_turn(_acts(folder / str(n), n + AFTER), rounds)
        for what, one, other in zip(ACTS, first, times, strict=True):
            yield Line(f"{what}: {n:,} + {AFTER} commits / {few:,}", other, one, other / one)


def _acts(root: Path, n: int) -> list[Callable[[], Any]]:
    """What is timed, of a lake of so many commits."""
    lake = Lake.create(root)
    grown(lake, n - 1)
    return [lambda: Lake(root), lake.refresh, lake.refresh_catalog]
