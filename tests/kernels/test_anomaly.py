"""What is inside the South Atlantic Anomaly."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.path import Path as Outline
from numpy.testing import assert_array_equal

from lake.kernels.anomaly import CONTOURS, DEFAULT_CONTOUR, is_within, share_within

MAP_CONTOUR = [
    (-50, 294), (-30, 39), (-25, 34), (-21, 24), (-16, 9), (-10.2, 354), (-2, 335), (1, 312), (-3, 294), (-8, 277),
    (-20, 267), (-30, 269),
]  # fmt: skip
SQUARE = [(-10, 350), (-10, 10), (10, 10), (10, 350)]


@pytest.fixture(scope="module")
def contours(data):
    """The contours of STScI, by number."""
    found = json.loads(data("hst/saa_models.json").read_text())["models"]
    return {int(number): np.array(corners) for number, corners in found.items()}


def around(n=20_000, seed=11):
    """Places where Hubble flies, and a little beyond."""
    chance = np.random.default_rng(seed)
    return chance.uniform(-52, 42, n), chance.uniform(0, 360, n)


def outlined(latitude, longitude, contour):
    """Membership by Matplotlib, of the contour and of its copies a turn to the west and east."""
    east = np.degrees(np.unwrap(np.radians(contour[:, 1])))
    outline = Outline(np.stack([east, contour[:, 0]], -1))
    return np.any([outline.contains_points(np.stack([longitude + turn, latitude], -1)) for turn in (-360, 0, 360)], 0)


@pytest.mark.parametrize(("latitude", "longitude", "inside"), [
    (-25, 320, True), (20, 120, False), (-25, 10, True), (28, 300, False), (-25, -40, True), (-25, 370, True),
    (-20, 0, True), (-20, 359.999, True), (-20, 40, False), (-20, 180, False),
])  # fmt: skip
def test_brazil_is_in_the_anomaly_and_the_pacific_is_not(latitude, longitude, inside):
    assert bool(is_within(latitude, longitude, MAP_CONTOUR)) is inside


@pytest.mark.parametrize("number", range(33))
def test_a_place_is_inside_each_contour_as_matplotlib_has_it(number, contours):
    latitude, longitude = around()
    found = is_within(latitude, longitude, contours[number])
    assert_array_equal(found, outlined(latitude, longitude, contours[number]))
    assert 0 < found.sum() < len(found) / 2


def test_the_contour_for_maps_is_the_default_and_those_of_detectors_exist(contours):
    assert contours[DEFAULT_CONTOUR].tolist() == [list(map(float, corner)) for corner in MAP_CONTOUR]
    assert set(CONTOURS.values()) == {23, 24, 26, 27, 29, 30} <= set(contours)
    assert {CONTOURS[f"NICMOS_NIC{camera}"] for camera in (1, 2, 3)} == {23}
    assert (CONTOURS["ACS_WFC"], CONTOURS["ACS_HRC"], CONTOURS["STIS_CCD"], CONTOURS["WFPC2"]) == (27, 27, 24, 26)
    assert (CONTOURS["WFC3_UVIS"], CONTOURS["WFC3_IR"]) == (29, 30)


@given(turn=st.floats(-1080, 1080))
def test_turning_the_earth_takes_the_anomaly_along(turn):
    latitude, longitude = around(500)
    corner = np.array(MAP_CONTOUR, float)
    turned = np.stack([corner[:, 0], corner[:, 1] + turn], -1)
    found = is_within(latitude, longitude, corner)
    assert_array_equal(found, is_within(latitude, longitude + turn, turned))
    turned[:, 1] %= 360
    assert_array_equal(found, is_within(latitude, (longitude + turn) % 360, turned))


@given(start=st.integers(0, 11), is_backward=st.booleans(), is_closed=st.booleans())
def test_a_contour_may_start_anywhere_go_either_way_and_be_closed_or_not(start, is_backward, is_closed):
    corner = np.roll(np.array(MAP_CONTOUR, float), start, 0)[:: -1 if is_backward else 1]
    corner = np.vstack([corner, corner[:1]]) if is_closed else corner
    latitude, longitude = around(500)
    assert_array_equal(is_within(latitude, longitude, corner), is_within(latitude, longitude, MAP_CONTOUR))


def test_a_contour_across_greenwich_is_one_piece():
    east = np.arange(-180, 180, 7.5)
    for longitude in (east, east % 360):
        assert east[is_within(np.zeros(48), longitude, SQUARE)].tolist() == [-7.5, 0, 7.5]


def test_the_south_and_west_sides_are_inside_and_the_others_are_not():
    assert is_within([-10, 10, 0, 0], [0, 0, 350, 10], SQUARE).tolist() == [True, False, True, False]


def test_a_place_that_is_unknown_is_not_inside_and_does_not_count():
    latitude = np.ma.masked_array([0.0, np.nan, 0, 0, 0, 60], [False, False, False, False, True, False])
    longitude = np.array([0.0, 0, np.nan, np.inf, 0, 0])
    assert is_within(latitude, longitude, SQUARE).tolist() == [True, False, False, False, False, False]
    assert share_within(latitude, longitude, SQUARE) == 0.5
    assert longitude[3] == np.inf


def test_the_share_of_even_steps_is_that_of_the_time():
    assert share_within(np.zeros(3600), np.arange(3600) / 10, SQUARE) == pytest.approx(20 / 360, abs=1e-3)
    assert np.isnan(share_within([np.nan], [0.0], SQUARE))
    assert np.isnan(share_within([], [], SQUARE))


def test_places_of_any_shape_come_back_in_it():
    for shape in [(), (0,), (2, 3)]:
        assert np.shape(is_within(np.zeros(shape), np.zeros(shape), SQUARE)) == shape


@pytest.mark.parametrize(("latitude", "longitude", "contour", "said"), [
    ([0, 1], [0], SQUARE, r"shapes \(2,\) and \(1,\)"), (["0"], [0], SQUARE, "expected bool, int or float"),
    (0, 0, SQUARE[:2], r"shape \(2, 2\)"), (0, 0, [[0, 1, 2]] * 3, r"shape \(3, 3\)"),
    (0, 0, [1, 2, 3], r"shape \(3,\)"),
    (0, 0, [*SQUARE, (np.nan, 0)], "three or more corners without NaN"),
    (0, 0, [(-60, 0), (-60, 120), (-60, 240)], "around the whole Earth"),
    (0, 0, [(-9, 0), (-9, 120), (-9, 240), (-9, 365), (9, 365), (9, 240), (9, 120), (9, 0)], "around the whole Earth"),
])  # fmt: skip
def test_what_is_no_contour_is_refused(latitude, longitude, contour, said):
    with pytest.raises(ValueError, match=said):
        is_within(latitude, longitude, contour)
