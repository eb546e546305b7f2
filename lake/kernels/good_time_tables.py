"""Tables of good times in a file, and which chip each is for."""

import re
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lake.kernels.good_times import ANY_DETECTOR, GoodTimes, intersection, union
from lake.kernels.keywords import Keywords
from lake.kernels.values import Floats, whole
from lake.source import Part, Source

# `STDGTI04` is the table of chip 4.
GOOD_TIME_TABLE = re.compile(r"(?:STD)?GTI(\d{0,2})", re.IGNORECASE)


def good_times_of(
    source: Source,
    words: Keywords,
    columns: dict[str, NDArray[Any]],
    spans: tuple[float, float],
    zero: float,
    warnings: list[str],
) -> GoodTimes:
    """Intervals of the first table of each chip; without chips in the list, those good on all.

    Parameters
    ----------
    source : the file.
    words : keywords of its events.
    columns : of its events, shape (n_events,); `detector` where they have chips.
    spans : first and last time by the header, zero point not added [s].
    zero : the zero point of the events [s].
    warnings : what was missing or ambiguous is added to it.

    Returns
    -------
    GoodTimes
        Shape (n_intervals,), zero point added [s]; NaN is in none. Without any table, from the first time to the last.

    Raises
    ------
    SourceError
        Edges are no numbers, or in no known unit.
    """
    tables = _tables(source, words, zero, warnings)
    if not tables:
        warnings.append("no good times: from TSTART to TSTOP all is taken as good")
        tables[ANY_DETECTOR] = union([spans[0] + zero], [spans[1] + zero])
    if "detector" not in columns and ANY_DETECTOR not in tables:
        tables = {ANY_DETECTOR: reduce(intersection, tables.values())}
        warnings.append("photons have no chip: good are the times good on every chip")
    unjudged = _unjudged(columns.get("detector"), tables)
    warnings.extend(f"chip {number} has no good times: none of its photons is good" for number in unjudged)
    return GoodTimes(
        np.concatenate([np.full(len(start), number, np.int64) for number, (start, _) in tables.items()]),
        np.concatenate([start for start, _ in tables.values()]),
        np.concatenate([stop for _, stop in tables.values()]),
    )


def _tables(source: Source, words: Keywords, zero: float, warnings: list[str]) -> dict[int, tuple[Floats, Floats]]:
    """The first table of each chip."""
    tables: dict[int, tuple[Floats, Floats]] = {}
    for part in source.content.parts:
        own = Keywords(source, part, alone=True)
        detector = _table_detector(part, own)
        if detector is None:
            continue
        start, stop = _intervals(part, own, words, zero)
        if detector in tables:
            total = (stop - start).sum()
            warnings.append(f"{part.name} {part.version}: {total:g} s not used, the first table is the standard one")
        else:
            tables[detector] = start, stop
    return tables


def _table_detector(part: Part, own: Keywords) -> int | None:
    """The chip a good-time table is for, -1 for all; None for other tables."""
    match = GOOD_TIME_TABLE.fullmatch(part.name.strip())
    if not match or part.column("START") is None or part.column("STOP") is None:
        return None
    chip = own.number("CCD_ID")
    return int(chip) if chip is not None else int(match[1] or ANY_DETECTOR)


def _intervals(part: Part, own: Keywords, words: Keywords, zero: float) -> tuple[Floats, Floats]:
    """Intervals of a table, its own zero point [TIMEUNIT] added, else that of the events [s]."""
    unit = own.text("TIMEUNIT") or words.text("TIMEUNIT")
    add = own.time_zero() * own.seconds_in(unit) if own.text("TIMEZERO") else zero
    return union(own.seconds(part, "START", unit) + add, own.seconds(part, "STOP", unit) + add)


def _unjudged(detector: NDArray[Any] | None, tables: dict[int, Any]) -> list[int]:
    if detector is None or ANY_DETECTOR in tables:
        return []
    seen: list[int] = np.unique(whole(detector).compressed()).tolist()
    return [number for number in seen if number not in tables]
