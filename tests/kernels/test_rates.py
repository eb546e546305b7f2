"""Rates of hits: intervals that cover, and rays that hide in others."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import ndtr
from scipy.stats import chi2

from lake.kernels.hits import labelled
from lake.kernels.rates import overlap_corrected, poisson_interval, rate


def rays(rng, n, shape):
    """Charge of straight tracks with cosine-law angles through silicon as deep as a pixel is wide [e]."""
    y, x = rng.uniform(-0.5, shape[0] - 0.5, n), rng.uniform(-0.5, shape[1] - 0.5, n)
    turn, slope = rng.uniform(0, 2 * np.pi, n), np.sqrt(1 / rng.uniform(1e-5, 1, n) - 1)
    steps = np.ceil(slope / 0.25).astype(int) + 1
    ray = np.repeat(np.arange(n), steps)
    along = ((np.arange(ray.size) - np.repeat(np.cumsum(steps) - steps, steps) + 0.5) / steps[ray] - 0.5) * slope[ray]
    y, x = y[ray] + along * np.sin(turn[ray]), x[ray] + along * np.cos(turn[ray])
    charge = (75 * 15 * np.hypot(slope, 1) / steps)[ray]
    row, column, frame = np.rint(y).astype(int), np.rint(x).astype(int), np.zeros(shape[0] * shape[1])
    for dy, dx in np.ndindex(5, 5):
        at = row + dy - 2, column + dx - 2
        light = charge
        for pixel, place in zip(at, (y, x), strict=True):
            light = light * (ndtr((pixel + 0.5 - place) / 0.35) - ndtr((pixel - 0.5 - place) / 0.35))
        on = (at[0] >= 0) & (at[0] < shape[0]) & (at[1] >= 0) & (at[1] < shape[1])
        frame += np.bincount(at[0][on] * shape[1] + at[1][on], light[on], frame.size)
    return frame.reshape(shape)


@pytest.mark.parametrize(("n", "shape", "n_hits"), [
    (8000, (2048, 2048), 7640), (8000, (2048, 4096), 7820), (23_000, (2048, 4096), 21_600),
])  # fmt: skip
def test_rays_of_a_long_dark_that_overlap_are_counted_again(n, shape, n_hits):
    labels = labelled(rays(np.random.default_rng(n), n, shape) > 25)
    found = overlap_corrected(labels.n_hits, labels.index.size, shape[0] * shape[1])
    assert_allclose(labels.n_hits, n_hits, rtol=0.01)
    assert_allclose(found, n, rtol=0.01)
    assert abs(n - found) < (n - labels.n_hits) / 4


def test_square_rays_are_counted_again_to_half_a_percent():
    true, side, size = 3000, 3, 1024
    found = []
    for seed in range(6):
        y, x = np.random.default_rng(seed).integers(0, size, (2, true))
        mask = np.zeros((size, size), bool)
        for dy, dx in np.ndindex(side, side):
            mask[(y + dy) % size, (x + dx) % size] = True
        found.append(float(overlap_corrected(labelled(mask).n_hits, mask.sum(), mask.size)))
    assert_allclose(np.mean(found), true, rtol=0.005)


def test_the_correction_grows_with_cover_and_ends_where_nothing_fits():
    n = overlap_corrected(1000, [1000, 5000, 20_000, 50_000, 900_000], 1_000_000)
    assert 1000 < n[0] < n[1] < n[2] < n[3]
    assert np.isnan(overlap_corrected([10, 5], [9000, 100], [10_000, 100])).all()
    assert_array_equal(overlap_corrected([0, np.nan], 0, 100), [0, np.nan])


def test_the_interval_is_that_of_chi_squared():
    low, high = poisson_interval([7639, 3, 0])
    assert_allclose([low[0], high[0]], [7468.6, 7812.3], rtol=0, atol=0.05)
    assert_allclose(low[:2], chi2.ppf(0.025, [15278, 6]) / 2, rtol=1e-12)
    assert_allclose(high, chi2.ppf(0.975, [15280, 8, 2]) / 2, rtol=1e-12)
    assert low[2] == 0
    assert_array_equal(poisson_interval(np.nan), (np.nan, np.nan))


def test_the_interval_covers_the_true_rate_of_200_exposures():
    true = 1.165
    counts = np.random.default_rng(7).poisson(true * 165 * 4.624, 200)
    low, high = (rate(bound, 165, 4.624) for bound in poisson_interval(counts))
    assert 0.92 <= ((low <= true) & (true <= high)).mean() <= 0.98
    surer = poisson_interval(counts, level=0.99)
    assert (surer[0] < poisson_interval(counts)[0]).all()
    assert (surer[1] > poisson_interval(counts)[1]).all()


def test_a_rate_is_per_second_and_square_centimetre_and_none_without_either():
    assert_allclose(rate([1166, 625], 165, 4.624), [1.52826, 0.81918], atol=5e-6)
    assert np.isnan(rate(5, [0, 10, np.nan], [3, 0, 3])).all()


@pytest.mark.parametrize("act", [
    lambda: poisson_interval(-1), lambda: poisson_interval(1, 1.0), lambda: rate(-1, 1, 1), lambda: rate(1, -1, 1),
    lambda: overlap_corrected(-1, 1, 1), lambda: overlap_corrected(1, 2, 1), lambda: overlap_corrected(0, 0, 0),
])  # fmt: skip
def test_impossible_counts_are_refused(act):
    with pytest.raises(ValueError, match="expected"):
        act()
