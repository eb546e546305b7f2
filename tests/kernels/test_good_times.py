"""Good time intervals, and which photons are in them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake.kernels.good_times import GoodTimes, common_good_times, intersection, is_good_time, is_within, union

edges = st.integers(0, 60).map(lambda n: n / 4)
intervals = st.lists(st.tuples(edges, edges), max_size=8).map(lambda pairs: np.array(pairs, float).reshape(-1, 2).T)
grid = np.arange(-4, 260) / 16


def naive(pairs, time):
    """Membership by trying every interval."""
    return np.array([any(start <= t < stop for start, stop in pairs.T) for t in time], bool)


@given(pairs=intervals)
def test_membership_is_that_of_trying_every_interval(pairs):
    assert (is_within(grid, *pairs) == naive(pairs, grid)).all()


@given(pairs=intervals)
def test_a_union_covers_the_same_times_in_intervals_that_neither_touch_nor_overlap(pairs):
    start, stop = union(*pairs)
    assert (is_within(grid, start, stop) == naive(pairs, grid)).all()
    assert (start < stop).all()
    assert (start[1:] > stop[:-1]).all()


@given(one=intervals, two=intervals)
def test_an_intersection_holds_what_both_hold(one, two):
    assert (is_within(grid, *intersection(one, two)) == naive(one, grid) & naive(two, grid)).all()


def test_an_interval_keeps_its_start_and_not_its_stop():
    assert is_within([0.0, 1.0, np.nan], [0.0], [1.0]).tolist() == [True, False, False]


def test_a_chip_goes_by_its_own_table_else_by_that_of_all_else_by_none():
    times = GoodTimes(np.array([3, -1]), np.array([0.0, 10.0]), np.array([1.0, 11.0]))
    time, chip = np.array([0.5, 10.5, 0.5, 10.5]), np.array([3, 3, 5, 5])
    assert is_good_time(time, chip, times).tolist() == [True, False, False, True]
    only = GoodTimes(np.array([3]), np.array([0.0]), np.array([1.0]))
    assert is_good_time(time, chip, only).tolist() == [True, False, False, False]


def test_a_detector_of_no_number_goes_by_the_table_of_all():
    times = GoodTimes(np.array([3, -1]), np.array([0.0, 10.0]), np.array([1.0, 11.0]))
    assert is_good_time([0.5, 10.5], [3.0, np.nan], times).tolist() == [True, True]
    assert is_good_time([10.5], np.ma.masked_array([3], [True]), times).tolist() == [True]


def table(*rows):
    """Good times of rows of detector, start and stop."""
    detector, start, stop = np.array(rows, float).reshape(-1, 3).T
    return GoodTimes(detector.astype(np.int64), start, stop)


TWO, ONE_OF_ALL = table((1, 0, 10), (2, 5, 15)), table((1, 0, 10), (-1, 5, 15))


@pytest.mark.parametrize(("times", "detector", "spans"), [
    (TWO, [1, 2], [(5, 10)]), (TWO, [1], [(0, 10)]), (ONE_OF_ALL, [1, 7], [(5, 10)]), (ONE_OF_ALL, [7], [(5, 15)]),
    (ONE_OF_ALL, [1, np.nan], [(5, 10)]), (ONE_OF_ALL, [np.nan], [(5, 15)]), (table(), [1], []), (table(), [], []),
])  # fmt: skip
def test_a_rate_is_over_times_that_are_good_wherever_photons_fell(times, detector, spans):
    assert list(zip(*common_good_times(times, detector), strict=True)) == spans


@pytest.mark.parametrize(("times", "detector", "spans"), [
    (TWO, [4], []), (TWO, [1, 4], [(0, 10)]), (TWO, [np.nan], []), (TWO, [2, np.nan], [(5, 15)]),
    (table((1, 0, 10), (3, 4, 4)), [1, 3], [(0, 10)]), (table((1, 0, 10), (3, np.nan, 4)), [1, 3], [(0, 10)]),
])  # fmt: skip
def test_a_detector_without_good_time_has_no_photon_to_divide_and_takes_no_exposure(times, detector, spans):
    assert list(zip(*common_good_times(times, detector), strict=True)) == spans
    never = np.array([n in (4, 3) or n != n for n in detector])
    assert not is_good_time(np.full(len(detector), 4.5), detector, times)[never].any()


def test_a_list_without_photons_was_exposed_where_all_its_tables_are_good():
    assert list(zip(*common_good_times(TWO, []), strict=True)) == [(5, 10)]
    assert list(zip(*common_good_times(table((1, 0, 10), (3, 4, 4)), []), strict=True)) == [(0, 10)]


WRONG = [
    (lambda: union([0.0, 1.0], [1.0]), r"shapes \(2,\) and \(1,\), expected one shape \(n,\)"),
    (lambda: union(0.0, 1.0), r"shapes \(\) and \(\)"),
    (lambda: union([[0.0]], [[1.0]]), r"shapes \(1, 1\)"),
    (lambda: is_within([0.5], [0.0, 1.0], [1.0]), r"shapes \(2,\) and \(1,\)"),
    (lambda: intersection(([0.0], [1.0]), ([0.0], [1.0, 2.0])), r"shapes \(1,\) and \(2,\)"),
    (lambda: is_good_time([0.5], [1, 2], TWO), r"shapes \(1,\) and \(2,\)"),
    (lambda: GoodTimes(np.array([1]), np.zeros(2), np.ones(2)), r"\(1,\), \(2,\), \(2,\), expected one shape"),
    (lambda: is_within(np.array(["2000"], "M8[us]"), [0.0], [1.0]), "datetime64.*expected bool, int or float"),
]


@pytest.mark.parametrize(("act", "said"), WRONG)
def test_good_times_that_do_not_fit_are_refused_by_what_was_found(act, said):
    with pytest.raises(ValueError, match=said):
        act()
