"""Lengths and angles of tracks that were laid, and the index of lengths that were drawn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from lake.kernels.hits import labelled, measured
from lake.kernels.tracks import (
    THICKNESS_UM,
    in_plane_angle,
    incidence_angle,
    path_length,
    path_length_index,
    projected_length,
)

EDGES = ("y_min", "y_max", "x_min", "x_max")


@given(st.floats(0, 4000), st.floats(10, 40), st.floats(10, 20))
def test_path_length_and_angle_are_sides_of_one_triangle(length_px, pixel_um, thickness_um):
    path, angle = (act(length_px, pixel_um, thickness_um) for act in (path_length, incidence_angle))
    assert path >= thickness_um
    assert_allclose(path * np.cos(np.radians(angle)), thickness_um, rtol=1e-9)
    assert_allclose(path * np.sin(np.radians(angle)), length_px * pixel_um, rtol=1e-9, atol=1e-9)


def test_a_ray_along_the_normal_is_as_long_as_the_silicon_is_deep():
    assert_allclose(path_length(0, 21, THICKNESS_UM["STIS_CCD"]), 14.04)
    assert_allclose(incidence_angle([0, 1], 15, 15), [0, 45])
    assert_allclose(incidence_angle(10, 21, 14.04), 90 - np.degrees(np.arctan(14.04 / 210)))


@given(st.integers(0, 50), st.integers(0, 50), st.booleans())
def test_the_angle_in_the_plane_tells_rising_tracks_from_falling(height, width, is_rising):
    angle = in_plane_angle(0, height, 0, width, 1.0 if is_rising else -1.0)
    steep = np.degrees(np.arctan((height + 1) / (width + 1)))
    assert_allclose(angle, steep if is_rising else 360 - steep, rtol=1e-12)


@pytest.mark.parametrize("angle_deg", [20, 45, 70, 290, 315, 340])
def test_a_line_on_the_frame_has_its_length_and_angle(angle_deg):
    along = np.linspace(-60, 60, 1000)
    frame = np.zeros((200, 200))
    y, x = 100 + along * np.sin(np.radians(angle_deg)), 100 + along * np.cos(np.radians(angle_deg))
    frame[np.rint(y).astype(int), np.rint(x).astype(int)] = 500
    hit = measured(labelled(frame > 0), frame)
    assert_allclose(projected_length(*(hit[edge] for edge in EDGES)), [120], atol=2)
    assert_allclose(in_plane_angle(*(hit[edge] for edge in EDGES), hit["ixy_px2"]), [angle_deg], atol=1)
    assert_allclose(hit["theta_deg"] % 180, [angle_deg % 180], atol=1)


def test_one_pixel_is_a_box_of_one_and_what_is_missing_stays_so():
    assert_allclose(projected_length(3, 3, 5, 5), np.sqrt(2))
    assert_allclose(projected_length(0, 2, 0, 3), 5)
    assert np.isnan(projected_length(0, np.nan, 0, 1))
    assert_array_equal(np.isnan(in_plane_angle(0, 1, 0, 1, [np.nan, 1.0])), [True, False])
    assert np.isnan(path_length(np.nan, 15, 15))


@pytest.mark.parametrize("index", [2.33, 1.0, -1.0, 4.0])
def test_the_index_of_drawn_lengths_is_found(index):
    share, end, slope = np.random.default_rng(3).random(50_000), np.log(1000 / 60), -1 - index
    log = np.log1p(share * np.expm1(slope * end)) / slope if slope else share * end
    found, error = path_length_index(60 * np.exp(log))
    assert abs(found - index) < 4 * error < 0.1


def test_rays_of_a_cosine_law_have_index_one_whatever_is_left_out():
    cosine = np.sqrt(np.random.default_rng(4).random(2_000_000))
    path = 15 / cosine
    found, error = path_length_index(path)
    assert abs(found - 1) < 4 * error < 0.05
    odd = np.append(path, [np.nan, 59.9, 1000, np.inf])
    assert path_length_index(odd) == (found, error)


def test_too_few_lengths_have_no_index():
    for lengths in ([], [70.0], [70.0, 70.0], [np.nan] * 9):
        assert np.isnan(path_length_index(lengths)).all()


@pytest.mark.parametrize("act", [
    lambda: projected_length(1, 0, 0, 0), lambda: in_plane_angle(0, 0, 5, 2, 1), lambda: path_length(-1, 15, 15),
    lambda: path_length(1, 0, 15), lambda: incidence_angle(1, 15, np.nan), lambda: path_length_index([1], (0, 9)),
])  # fmt: skip
def test_impossible_geometry_is_refused(act):
    with pytest.raises(ValueError, match="expected"):
        act()
