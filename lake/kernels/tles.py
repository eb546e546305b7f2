"""Two-line elements of satellites, and where the SGP4 theory puts them."""

from collections.abc import Iterator
from datetime import date

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lake.kernels.earth import MJD_ZERO, finite_times
from lake.kernels.values import Floats, floats
from lake.source import Problem

LENGTH = 69
"""Characters of a line; the last is the checksum."""
MJD_ZERO_DAY = date(1858, 11, 17).toordinal()
MOST_DAYS = 3.0
"""How far from its epoch a set is used, unless told otherwise [d].

Of Hubble's sets of 2009 to 2016, two that are 3 days apart put it 1 km apart in the median, and 8 km in one case of a
hundred; 7 days apart it is 4 km and 31 km.
"""
Numbered = tuple[int, str]


def parse_tles(text: str) -> tuple[dict[str, NDArray[np.float64 | np.str_]], tuple[Problem, ...]]:
    """Sets of two-line elements, in the order of a text.

    Lines that don't begin with 1 or 2 and a blank are names of satellites, and not looked at.

    Parameters
    ----------
    text : as a catalogue publishes it.

    Returns
    -------
    columns : dict of arrays, shape (n,)
        `epoch_mjd` [d], `line_1` and `line_2` of the good sets.
    problems : tuple of Problem
        Each set that is left out, by the number of the line that is wrong.

    References
    ----------
    Hoots & Roehrich (1980), Spacetrack Report 3, for the columns.
    """
    good: list[list[str]] = []
    problems: list[Problem] = []
    for lines in _sets(text):
        if problem := next(_problems(lines), None):
            problems.append(problem)
        else:
            good.append([line for _, line in lines])
    line_1, line_2 = np.array(good, f"U{LENGTH}").reshape(-1, 2).T
    return {"epoch_mjd": _epochs(line_1), "line_1": line_1, "line_2": line_2}, tuple(problems)


def nearest(epoch_mjd: ArrayLike, mjd: ArrayLike, most_days: float = MOST_DAYS) -> NDArray[np.int64]:
    """Which set of elements is nearest in time.

    Parameters
    ----------
    epoch_mjd : float, shape (n,)
        Epochs of the sets, in any order [d]; one that is masked, NaN or infinite is not chosen.
    mjd : float, shape (...)
        Times [d].
    most_days : float
        The farthest that a set may be [d].

    Returns
    -------
    int64, shape (...)
        Index of a set [1], the earlier of two as near, the first of those of one epoch; -1 where none is near enough,
        or the time is masked, NaN or infinite.

    Raises
    ------
    ValueError
        Epochs have no shape (n,), values are no numbers, or `most_days` is below 0.
    """
    epoch, time = finite_times(epoch_mjd), finite_times(mjd)
    if epoch.ndim != 1 or not most_days >= 0:
        raise ValueError(f"epochs: found shape {epoch.shape}, within {most_days} d; expected (n,), within 0 d or more")
    known = np.flatnonzero(np.isfinite(epoch))
    if not known.size:
        return np.full(time.shape, -1)
    dates, first = np.unique(epoch[known], return_index=True)
    place = np.searchsorted((dates[1:] + dates[:-1]) / 2, time)
    is_near = np.abs(dates[place] - time) <= most_days
    return np.where(is_near, known[first[place]], -1)


def tle_position(line_1: ArrayLike, line_2: ArrayLike, mjd: ArrayLike, most_days: float = MOST_DAYS) -> Floats:
    """Where a satellite is, by SGP4 from the set of elements that is nearest in time.

    Parameters
    ----------
    line_1, line_2 : str, shape (n,)
        Lines of sets as `parse_tles` gives them, in any order.
    mjd : float, shape (...)
        Times [d].
    most_days : float
        The farthest that a set may be [d].

    Returns
    -------
    float64, shape (..., 3)
        Position in the true equator and mean equinox of date [km]; NaN where the time is masked, NaN or infinite, where
        no set is near enough, and where the theory fails.

    Raises
    ------
    ValueError
        The lines have not one shape (n,), are no elements, or times are no numbers.

    References
    ----------
    Vallado et al. (2006), AIAA 2006-6753, in the constants of WGS 72, as the package `sgp4` has it.
    """
    from sgp4.api import Satrec  # type: ignore[import-untyped]

    first, second = np.asarray(line_1, np.str_), np.asarray(line_2, np.str_)
    if first.ndim != 1 or first.shape != second.shape:
        raise ValueError(f"lines: found shapes {first.shape} and {second.shape}, expected one shape (n,)")
    time = finite_times(mjd)
    chosen = nearest(_epochs(first), time, most_days)
    position = np.full((*time.shape, 3), np.nan)
    for one in np.unique(chosen[chosen >= 0]):
        there = chosen == one
        satellite = Satrec.twoline2rv(str(first[one]), str(second[one]))
        fault, place, _ = satellite.sgp4_array(np.full(there.sum(), MJD_ZERO), time[there])
        position[there] = np.where(fault[:, None] == 0, place, np.nan)
    return position


def _sets(text: str) -> Iterator[list[Numbered]]:
    """Lines that belong together, with their numbers: two, or one whose partner is missing."""
    held: list[Numbered] = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("1 "):
            if held:
                yield held
            held = [(number, line.rstrip())]
        elif line.startswith("2 "):
            yield [*held, (number, line.rstrip())]
            held = []
    if held:
        yield held


def _problems(lines: list[Numbered]) -> Iterator[Problem]:
    """What is wrong with a set."""
    for number, line in lines:
        place = f"line {number}"
        if len(line) != LENGTH or not line.isascii():
            yield Problem(place, f"found {len(line)} characters, expected {LENGTH} of ASCII")
        elif line[-1] != (total := _checksum(line)):
            yield Problem(place, f"found checksum {line[-1]}, expected {total}")
    number, line = lines[0]
    if len(lines) == 1:
        yield Problem(f"line {number}", f"found line {line[0]} of a set, expected the other beside it")
    elif line[2:7] != lines[1][1][2:7]:
        yield Problem(f"line {number}", f"found satellite {line[2:7]}, expected {lines[1][1][2:7]} as in the next")
    else:
        try:
            _epoch(line)
        except ValueError as error:
            yield Problem(f"line {number}", str(error))


def _checksum(line: str) -> str:
    """The last digit of the sum of a line's digits, where a minus counts 1."""
    return str(sum(int(c) if c.isdigit() else c == "-" for c in line[:-1]) % 10)


def _epochs(line_1: NDArray[np.str_]) -> Floats:
    """When sets hold [d]."""
    return floats([_epoch(line) for line in line_1.tolist()])


def _epoch(line_1: str) -> float:
    """When a set holds [d]; years from 57 on are of the last century, which Sputnik began."""
    found = line_1[18:32]
    try:
        year, day = int(found[:2]), float(found[2:])
        new_year = date(1900 + year if year >= 57 else 2000 + year, 1, 1).toordinal() - MJD_ZERO_DAY
    except ValueError:
        day = new_year = 0
    if not 1 <= day < 367:
        raise ValueError(f"found epoch {found!r}, expected a year of two digits and its day from 1")
    return new_year + day - 1
