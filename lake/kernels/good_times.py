"""Good time intervals, half-open: `start_s <= t < stop_s`.

A set of intervals is a pair of arrays, starts and stops [s], in any order. Empty intervals and those with a NaN are no
part of any set.
"""

from dataclasses import dataclass
from typing import Any

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
    start_s, stop_s : float64, shape (n,)
        Half-open intervals [s].
    """

    detector_id: NDArray[np.int64]
    start_s: Floats
    stop_s: Floats

    def of(self, detector: int) -> tuple[Floats, Floats]:
        """Starts and stops [s] of one detector's own table; both empty where it has none."""
        own = self.detector_id == detector
        return self.start_s[own], self.stop_s[own]


def union(start_s: ArrayLike, stop_s: ArrayLike) -> tuple[Floats, Floats]:
    """The same times in the fewest intervals.

    Parameters
    ----------
    start_s, stop_s : float, shape (n,)
        Intervals that may touch and overlap [s].

    Returns
    -------
    start_s, stop_s : float64, shape (m,), m <= n
        Intervals in order of time [s], with a gap before each but the first.
    """
    start, stop = floats(start_s).reshape(-1), floats(stop_s).reshape(-1)
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
        Starts and stops [s].

    Returns
    -------
    start_s, stop_s : float64, shape (m,)
        Intervals as `union` gives them [s].
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
    """
    start, stop = union(start_s, stop_s)
    time = floats(time_s)
    if not start.size:
        return np.zeros(time.shape, bool)
    place = np.searchsorted(start, time, side="right") - 1
    return (place >= 0) & (time < stop[np.maximum(place, 0)])


def is_good_time(time_s: ArrayLike, detector: NDArray[Any] | None, good_times: GoodTimes) -> Flags:
    """Whether each photon is in the good times of its own detector.

    Parameters
    ----------
    time_s : float, shape (n,)
        Arrival times [s]; NaN is never good.
    detector : int, shape (n,)
        Number of each photon's detector, masked where unknown; None where the list has no such column.
    good_times : GoodTimes
        A detector without a table of its own, or an unknown one, is judged by that of all detectors (-1); with
        neither, none of its photons is good.

    Returns
    -------
    bool, shape (n,)
    """
    time = floats(time_s)
    good = is_within(time, *good_times.of(ANY_DETECTOR))
    if detector is None:
        return good
    number = whole(detector, ANY_DETECTOR)
    for own in np.unique(good_times.detector_id[good_times.detector_id != ANY_DETECTOR]):
        there = number == own
        good[there] = is_within(time[there], *good_times.of(own))
    return good


def common_good_times(good_times: GoodTimes, detector: NDArray[Any] | None = None) -> tuple[Floats, Floats]:
    """Times that are good on every detector that has a table and, where they are given, photons.

    Parameters
    ----------
    good_times : GoodTimes
    detector : int, shape (n,)
        Number of each photon's detector; None, or all masked, to go by every table.

    Returns
    -------
    start_s, stop_s : float64, shape (m,)
        Intervals as `union` gives them [s]; none where there is no table.
    """
    tables = set(np.unique(good_times.detector_id).tolist())
    if detector is not None and len(seen := np.unique(np.ma.compressed(np.ma.asarray(detector)))):
        # a detector without its own table goes by that of all
        judged = {number if number in tables else ANY_DETECTOR for number in seen.tolist()}
        tables = (judged & tables) or tables
    pairs = [good_times.of(number) for number in sorted(tables)]
    if not pairs:
        return np.empty(0), np.empty(0)
    common = union(*pairs[0])
    for pair in pairs[1:]:
        common = intersection(common, pair)
    return common
