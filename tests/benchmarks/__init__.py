"""Benchmarks: each hot path beside its peer or its limit, as a ratio, measured in turn in one run.

A module here is a benchmark: its function `lines(folder)` yields what it measured, a `Line` each. Nothing is asserted.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Line:
    """One measurement.

    Attributes
    ----------
    what : the path, and at which size.
    ours, peer : as text, with their unit.
    ratio : how they compare, as `wanted` has it; None where there is nothing to compare.
    wanted : a bound such as `>= 0.8` or `<= 2`; empty where none is set.
    """

    what: str
    ours: str
    peer: str = ""
    ratio: float | None = None
    wanted: str = ""

    @property
    def held(self) -> str:
        """`yes` or `no`; empty where nothing is wanted."""
        if not self.wanted or self.ratio is None:
            return ""
        sign, bound = self.wanted.split()
        return "yes" if (self.ratio >= float(bound) if sign == ">=" else self.ratio <= float(bound)) else "no"


def seconds(act: Callable[[], Any]) -> float:
    """How long one call takes [s]."""
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def in_turn(acts: Sequence[Callable[[], Any]], rounds: int, warm: int = 1) -> list[float]:
    """Median time of each act, all of them done in turn so that noise falls on each alike [s].

    Each round begins with another act, for what one leaves to the disk is paid by the next.
    """
    times: list[list[float]] = [[] for _ in acts]
    for turn in range(warm + rounds):
        for place in range(len(acts)):
            which = (turn + place) % len(acts)
            taken = seconds(acts[which])
            if turn >= warm:
                times[which].append(taken)
    return [statistics.median(found) for found in times]


def ms(taken: float) -> str:
    """A time as text."""
    return f"{taken * 1e3:.3g} ms"
