"""Good time intervals, and which photons are in them."""

import numpy as np
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


def test_common_good_times_are_those_of_the_chips_that_have_photons():
    times = GoodTimes(np.array([0, 1, 2]), np.array([0.0, 2.0, 8.0]), np.array([6.0, 9.0, 9.0]))
    assert [edge.tolist() for edge in common_good_times(times, np.array([0, 1, 1]))] == [[2.0], [6.0]]
    assert common_good_times(times)[0].size == 0
