"""Good time intervals, half-open: `start_s <= t < stop_s`.

A set of intervals is a pair of arrays, starts and stops [s], in any order. Intervals that are empty, or whose start or
stop is masked, NaN or infinite, are no part of any set.
"""

from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lake.kernels.values import Flags, Floats, floats, whole

ANY_DETECTOR = -1
"""Detector number of a good-time table that holds for all detectors."""


@dataclass(frozen=True)
class GoodTimes:
    """Good time intervals, each of one detector or, with -1, of all.

    Attributes
    ----------
    detector_id : int64, shape (n,)
        Numbers of detectors [1].
    start_s, stop_s : float64, shape (n,)
        Half-open intervals [s].

    Raises
    ------
    ValueError
        The three have not one shape (n,).
    """

    detector_id: NDArray[np.int64]
    start_s: Floats
    stop_s: Floats

    def __post_init__(self) -> None:
        shapes = [edge.shape for edge in (self.detector_id, self.start_s, self.stop_s)]
        if len(shapes[0]) != 1 or len(set(shapes)) != 1:
            raise ValueError(f"good times: found shapes {', '.join(map(str, shapes))}, expected one shape (n,)")

    def of(self, detector: int) -> tuple[Floats, Floats]:
        """Intervals of one detector's own table.

        Parameters
        ----------
        detector : int
            Its number [1], or ANY_DETECTOR.

        Returns
        -------
        start_s, stop_s : float64, shape (m,)
            As they stand, NaN among them [s]; both empty where the detector has no table.
        """
        own = self.detector_id == detector
        return self.start_s[own], self.stop_s[own]


def union(start_s: ArrayLike, stop_s: ArrayLike) -> tuple[Floats, Floats]:
    """The same times in the fewest intervals.

    Parameters
    ----------
    start_s, stop_s : float, shape (n,)
        Intervals that may touch and overlap [s]; those with a NaN are left out.

    Returns
    -------
    start_s, stop_s : float64, shape (m,), m <= n
        Intervals in order of time [s], with a gap before each but the first.

    Raises
    ------
    ValueError
        Starts and stops have not one shape (n,), or are no numbers.
    """
    start, stop = floats(start_s), floats(stop_s)
    if start.ndim != 1 or start.shape != stop.shape:
        raise ValueError(f"starts and stops: found shapes {start.shape} and {stop.shape}, expected one shape (n,)")
    real = np.isfinite(start) & np.isfinite(stop) & (stop > start)
    order = np.argsort(start[real], kind="stable")
    start, stop = start[real][order], np.maximum.accumulate(stop[real][order])
    new = np.ones(start.size, bool)
    new[1:] = start[1:] > stop[:-1]
    return start[new], stop[np.append(new[1:], True)[: start.size]]


def intersection(first: tuple[ArrayLike, ArrayLike], second: tuple[ArrayLike, ArrayLike]) -> tuple[Floats, Floats]:
    """Times that are in both of two sets of intervals.

    Parameters
    ----------
    first, second : two float, shape (n,)
        Starts and stops [s]; intervals with a NaN are left out.

    Returns
    -------
    start_s, stop_s : float64, shape (m,)
        Intervals as `union` gives them [s].

    Raises
    ------
    ValueError
        Starts and stops of a set have not one shape (n,), or are no numbers.
    """
    one, two = union(*first), union(*second)
    edges = np.unique(np.concatenate([*one, *two]))
    inside = is_within(edges[:-1], *one) & is_within(edges[:-1], *two)
    return union(edges[:-1][inside], edges[1:][inside])


def is_within(time_s: ArrayLike, start_s: ArrayLike, stop_s: ArrayLike) -> Flags:
    """Whether times are in any of some intervals.

    Parameters
    ----------
    time_s : float, shape (...)
        Times [s]; a masked one or NaN is in none.
    start_s, stop_s : float, shape (n,)
        Intervals, start kept and stop not [s].

    Returns
    -------
    bool, shape (...)
        A flag for each time.

    Raises
    ------
    ValueError
        Starts and stops have not one shape (n,), or values are no numbers.
    """
    start, stop = union(start_s, stop_s)
    time = floats(time_s)
    if not start.size:
        return np.zeros(time.shape, bool)
    place = np.searchsorted(start, time, side="right") - 1
    return (place >= 0) & (time < stop[np.maximum(place, 0)])


def is_good_time(time_s: ArrayLike, detector: ArrayLike | None, good_times: GoodTimes) -> Flags:
    """Whether each photon is in the good times of its own detector.

    Parameters
    ----------
    time_s : float, shape (n,)
        Arrival times [s]; NaN is never good.
    detector : int or float, shape (n,)
        Number of each photon's detector [1], masked or NaN where unknown; None where the list has no such column.
    good_times : GoodTimes
        A detector without a table of its own, or an unknown one, is judged by that of all detectors (-1); with
        neither, none of its photons is good.

    Returns
    -------
    bool, shape (n,)
        A flag for each photon.

    Raises
    ------
    ValueError
        Times and detectors differ in shape, or are no numbers.
    """
    time = floats(time_s)
    good = is_within(time, *good_times.of(ANY_DETECTOR))
    if detector is None:
        return good
    number = whole(detector).filled(ANY_DETECTOR)
    if number.shape != time.shape:
        raise ValueError(f"times and detectors: found shapes {time.shape} and {number.shape}, expected one shape (n,)")
    for own in np.unique(good_times.detector_id[good_times.detector_id != ANY_DETECTOR]):
        there = number == own
        good[there] = is_within(time[there], *good_times.of(own))
    return good


def common_good_times(good_times: GoodTimes, detector: ArrayLike) -> tuple[Floats, Floats]:
    """Times that are good on every detector that photons fell on, by which a rate over detectors is divided.

    Each photon stands for the table that `is_good_time` judges it by. A table without any good time has no good photon
    to divide, and does not count. A list without photons was exposed all the same: there every table counts.

    Parameters
    ----------
    good_times : GoodTimes
    detector : int or float, shape (n,)
        Number of each photon's detector [1], masked or NaN where unknown.

    Returns
    -------
    start_s, stop_s : float64, shape (m,)
        Intervals as `union` gives them [s]; none where no table counts.

    Raises
    ------
    ValueError
        Detectors are no numbers.
    """
    tables = set(good_times.detector_id.tolist())
    seen = set(np.unique(whole(detector).filled(ANY_DETECTOR)).tolist())
    judging = {number if number in tables else ANY_DETECTOR for number in seen} if seen else tables
    sets = [union(*good_times.of(number)) for number in sorted(judging)]
    sets = [pair for pair in sets if pair[0].size]
    return reduce(intersection, sets) if sets else (np.empty(0), np.empty(0))
