"""Thresholds of frames without flags, against the plain clipping of another library."""

import numpy as np
import pytest
from astropy.stats import mad_std, sigma_clipped_stats
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from lake.kernels.thresholds import background_of, threshold_of


def dark(seed, shape=(200, 210), sky_e=10.0, noise_e=4.0):
    """Sky and noise, and one pixel in fifty that a ray hit."""
    rng = np.random.default_rng(seed)
    rays = (rng.random(shape) < 0.02) * rng.exponential(800, shape)
    return rng.normal(sky_e, noise_e, shape) + rays


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.sampled_from([0.01, 0.3, 4.0, 80.0]), st.sampled_from([-3.0, 0.0, 10.0, 5e4]))
def test_the_threshold_is_that_of_plain_clipping(seed, noise_e, sky_e):
    frame = np.round(dark(seed, (31, 40 + seed % 2), sky_e, noise_e), seed % 4)
    clipped = np.maximum(frame, 0)
    _, median, sigma = sigma_clipped_stats(clipped, sigma=3, maxiters=5, cenfunc="median", stdfunc="std")
    deviation = np.median(np.abs(frame - np.median(frame)))
    found = threshold_of(frame)
    if np.median(frame) >= deviation:
        assert deviation == np.median(np.abs(clipped - np.median(clipped)))
    assert found.median_e == median
    assert_allclose(found.spread_e, sigma if deviation < 0.2 else deviation, rtol=1e-9, atol=1e-12)
    assert found.threshold_e == abs(found.median_e) + 5 * found.spread_e


def test_single_precision_gives_the_threshold_of_the_same_pixels():
    frame = dark(1).astype(np.float32)
    assert_allclose(threshold_of(frame).threshold_e, threshold_of(frame.astype(float)).threshold_e, rtol=1e-12)


@given(st.integers(0, 10_000), st.integers(1, 60))
def test_the_background_is_median_and_scaled_deviation(seed, n):
    pixels = np.round(np.random.default_rng(seed).normal(3, 9, n), seed % 3)
    median, sigma = background_of(pixels)
    assert median == np.median(pixels)
    assert_allclose(sigma, mad_std(pixels), rtol=1e-5, atol=1e-12)


def test_the_background_is_below_zero_where_the_sky_is_and_clipping_lifts_it():
    frame = dark(2, sky_e=-1.0)
    assert_allclose(background_of(frame), (-1, 4), atol=0.2)
    assert threshold_of(frame).median_e >= 0


@pytest.mark.parametrize("sky_e", [-1.0, 0.0, 1.0, 10.0])
def test_noise_about_a_sky_of_nothing_is_no_more_often_a_hit_than_about_a_bright_one(sky_e):
    frame = np.random.default_rng(6).normal(sky_e, 4.0, (500, 500))
    assert (frame > threshold_of(frame).threshold_e).mean() < 8e-4


def test_order_and_missing_pixels_do_not_matter():
    frame = dark(3)
    holes = np.append(frame.ravel(), [np.nan, np.inf, -np.inf])
    masked = np.ma.masked_array(np.append(frame.ravel(), [1e9] * 99), np.arange(frame.size + 99) >= frame.size)
    for other in (np.random.default_rng(4).permutation(frame.ravel()), holes, masked):
        assert threshold_of(other) == threshold_of(frame)
        assert background_of(other) == background_of(frame)


@given(st.floats(0, 9), st.floats(0, 9))
def test_more_spreads_never_lower_the_threshold(one, other):
    frame = dark(5, (20, 20))
    low, high = sorted((one, other))
    assert threshold_of(frame, low).threshold_e <= threshold_of(frame, high).threshold_e


def test_a_frame_without_pixels_has_no_hit():
    empty = np.full((3, 3), np.nan)
    assert np.isnan(threshold_of(empty).threshold_e)
    assert not (empty > threshold_of(empty).threshold_e).any()
    assert np.isnan(background_of(empty)).all()


@pytest.mark.parametrize("act", [
    lambda: threshold_of(np.ones(3), -1.0), lambda: threshold_of(np.ones(3), np.nan), lambda: threshold_of(["1"]),
    lambda: background_of([1j]),
])  # fmt: skip
def test_what_is_no_frame_or_number_of_spreads_is_refused(act):
    with pytest.raises(ValueError, match=r"found .*expected"):
        act()
