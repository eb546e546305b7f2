"""Benches: each hot path of the lake beside its peer or its limit, as a ratio, measured in turn in one run.

A module here is a bench, found by listing: its function `lines(folder)` yields what it measured, a `Line` each. Sizes
are its keywords, of which `QUICK` has smaller ones. Those of a pipeline's own paths are in `flows/bench/`. Nothing is
asserted: a time depends on the machine and on what else it does.
"""

import statistics
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

from lake.log import Json
from lake.pipelines import bench_of, pipelines
from lake.scratch import Scratch
from lake.store import size_text


@dataclass(frozen=True)
class Line:
    """One measurement.

    Attributes
    ----------
    what : the path and its size; after a slash, beside what.
    ours, peer : the lake's value and that of the peer, or of the limit; None where there is none.
    ratio : how they compare, as `wanted` has it; None where there is nothing to compare.
    wanted : a bound such as `>= 0.8` or `<= 2`; empty where none is set.
    unit : of both values: `s`, `B`, or empty for a number of things.
    """

    what: str
    ours: float
    peer: float | None = None
    ratio: float | None = None
    wanted: str = ""
    unit: str = "s"

    @property
    def held(self) -> bool | None:
        """Whether the bound is kept; None where nothing is wanted."""
        if not self.wanted or self.ratio is None:
            return None
        sign, bound = self.wanted.split()
        return self.ratio >= float(bound) if sign == ">=" else self.ratio <= float(bound)

    def to_json(self) -> Json:
        """The line as a document."""
        words = {name: getattr(self, name) for name in ("what", "ours", "peer", "unit", "ratio", "wanted")}
        return {**words, "held": self.held}

    def cells(self) -> tuple[str, ...]:
        """The line as the texts of a table: what, ours, peer, ratio, wanted, held."""
        held = {None: "", True: "yes", False: "no"}[self.held]
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        return self.what, self._text(self.ours), self._text(self.peer), ratio, self.wanted, held

    def _text(self, value: float | None) -> str:
        if value is None:
            return ""
        if self.unit == "B":
            return size_text(value)
        if self.unit == "s":
            return f"{value * 1e3:.3g} ms" if value < 1 else f"{value:.3g} s"
        return f"{value:,.6g}"


def benches() -> Mapping[str, Callable[[], ModuleType]]:
    """What imports each bench there is, by name: the engine's, then those of pipelines."""
    own = [m.name for m in iter_modules(__path__) if not m.name.startswith("_")]
    theirs = [name for name, pipeline in pipelines().items() if pipeline.has_bench]
    return {n: partial(import_module, f"{__name__}.{n}") for n in own} | {n: partial(bench_of, n) for n in theirs}


def measure(root: str | Path, name: str, *, quick: bool = False) -> Generator[Line, None, None]:
    """What one bench measures on the disk of a root, in a scratch folder that is gone afterwards."""
    bench = benches()[name]()
    place = Scratch(root, "bench")
    folder = Path(place.root).absolute()
    try:
        folder.mkdir(parents=True)
        yield from bench.lines(folder, **(bench.QUICK if quick else {}))
    finally:
        place.remove()


def seconds(act: Callable[[], Any]) -> float:
    """How long one call takes [s]."""
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def times_in_turn(acts: Sequence[Callable[[], Any]], rounds: int, warm: int = 1) -> list[list[float]]:
    """Times of each act, all of them done in turn so that noise falls on each alike [s].

    Each round begins with another act, for what one leaves to the disk is paid by the next.
    """
    times: list[list[float]] = [[] for _ in acts]
    for turn in range(warm + rounds):
        for place in range(len(acts)):
            which = (turn + place) % len(acts)
            taken = seconds(acts[which])
            if turn >= warm:
                times[which].append(taken)
    return times


def in_turn(acts: Sequence[Callable[[], Any]], rounds: int, warm: int = 1) -> list[float]:
    """Median time of each act, all done in turn [s]."""
    return [statistics.median(times) for times in times_in_turn(acts, rounds, warm)]
