"""Simulated rays are as nature has them: from all sides, with the right charge, spread as charge spreads."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.integrate import quad
from scipy.ndimage import label
from scipy.stats import kstest, moyal, norm

from lake.synth import silicon as module
from lake.synth.cameras import CAMERAS
from lake.synth.silicon import Silicon, Tracks, deposited, image_of, tracks_drawn

STIS = CAMERAS["STIS_CCD"].silicon
SHAPE = (64, 80)


def drawn(n, shape=SHAPE, silicon=STIS, seed=1):
    return tracks_drawn(n, shape, silicon, np.random.default_rng(seed))


def track(y, x, length, azimuth, charge=1000.0):
    values = (y, x, 0.0, azimuth, length, 0.0, charge)
    return Tracks(*(np.array([value], np.float64) for value in values))


@pytest.mark.parametrize("seed", range(5))
def test_directions_follow_the_cosine_law(seed):
    rays = drawn(20_000, seed=seed)
    # the flux within an angle of the normal is the square of its sine
    assert kstest(np.sin(np.radians(rays.incidence_deg)) ** 2, "uniform").pvalue > 1e-3
    assert kstest(rays.azimuth_deg / 360, "uniform").pvalue > 1e-3


def test_rays_come_in_everywhere_alike():
    rays = drawn(20_000)
    assert kstest((rays.y_px + 0.5) / SHAPE[0], "uniform").pvalue > 1e-3
    assert kstest((rays.x_px + 0.5) / SHAPE[1], "uniform").pvalue > 1e-3


def test_no_path_is_shorter_than_the_silicon_is_thick():
    rays = drawn(20_000)
    assert rays.path_um.min() >= STIS.thickness_um
    assert_allclose(rays.path_um, np.hypot(rays.length_px * STIS.pixel_um, STIS.thickness_um), rtol=1e-9)
    assert_allclose(rays.path_um, STIS.thickness_um / np.cos(np.radians(rays.incidence_deg)), rtol=1e-6)


def test_the_long_paths_thin_out_with_the_square_of_their_length():
    longer = drawn(200_000).path_um[:, None] > STIS.thickness_um * np.array([2.0, 4.0, 8.0])
    assert_allclose(longer.mean(axis=0), [1 / 4, 1 / 16, 1 / 64], rtol=0.05)


def test_charge_for_its_path_is_moyals():
    rays = drawn(20_000)
    excess = (rays.charge_e / rays.path_um / 75 - 1) / STIS.spread
    assert kstest(excess, moyal().cdf).pvalue > 1e-3


@given(seed=st.integers(0, 2**32), sigma=st.floats(0.2, 1.5))
@settings(deadline=None, max_examples=20)
def test_charge_that_diffuses_is_not_lost(seed, sigma):
    silicon = Silicon(14.0, 21.0, diffusion_px=sigma)
    rays = tracks_drawn(50, (20, 20), silicon, np.random.default_rng(seed))
    far = Tracks(rays.y_px + 500, rays.x_px + 500, *(getattr(rays, f) for f in list(vars(rays))[2:]))
    inside = far.length_px < 450
    found = deposited(far, (1020, 1020), silicon)
    charge = np.bincount(found.track, found.charge_e, len(rays))
    assert_allclose(charge[inside], rays.charge_e[inside], rtol=1e-6)


def test_a_ray_along_the_normal_is_a_gaussian_over_pixels():
    found = image_of(deposited(track(10.3, 20.8, 0.0, 0.0), SHAPE, STIS), SHAPE)
    y, x = (np.diff(norm.cdf((np.arange(n + 1) - 0.5 - c) / 0.35)) for n, c in zip(SHAPE, (10.3, 20.8), strict=True))
    assert_allclose(found, 1000 * np.outer(y, x), rtol=0, atol=1e-4)


@pytest.mark.parametrize(("length", "azimuth"), [(0.4, 10.0), (3.0, 75.0), (7.7, 200.0), (12.0, 300.0)])
def test_a_slanting_ray_is_the_integral_of_gaussians_along_it(length, azimuth):
    found = image_of(deposited(track(30.2, 40.4, length, azimuth), SHAPE, STIS), SHAPE)
    dy, dx = length * np.sin(np.radians(azimuth)), length * np.cos(np.radians(azimuth))

    def density(way, y, x):
        shares = [np.diff(norm.cdf((np.array([p - 0.5, p + 0.5]) - c) / 0.35))[0]
                  for p, c in ((y, 30.2 + way * dy), (x, 40.4 + way * dx))]  # fmt: skip
        return 1000 * shares[0] * shares[1]

    ways = ((0, 0), (1, 0), (dy, dx), (dy / 2, dx / 2))
    for y, x in {(round(30.2 + v), round(40.4 + u)) for v, u in ways}:
        assert_allclose(found[y, x], quad(density, 0, 1, (y, x), epsrel=1e-6)[0], rtol=0.005, atol=0.05)


@given(seed=st.integers(0, 2**32))
@settings(deadline=None, max_examples=20)
def test_a_mirrored_ray_leaves_the_mirror_image(seed):
    rays = drawn(20, (40, 40), seed=seed)
    mirrored = Tracks(rays.x_px, rays.y_px, rays.incidence_deg, 90 - rays.azimuth_deg, rays.length_px, rays.path_um,
                      rays.charge_e)  # fmt: skip
    one, other = (image_of(deposited(t, (40, 40), STIS), (40, 40)) for t in (rays, mirrored))
    assert_allclose(other.T, one, rtol=0, atol=1e-6)


def test_a_ray_that_leaves_through_the_edge_takes_the_rest_of_its_charge_along():
    # 5 of 20 pixels are inside; of the clouds near the edge, 50 e a pixel, so much lies outside
    found = deposited(track(30.0, SHAPE[1] - 5.5, 20.0, 0.0), SHAPE, STIS)
    assert_allclose(found.charge_e.sum(), 250 - 50 * 0.35 / np.sqrt(2 * np.pi), rtol=1e-3)
    rays = drawn(2000, (8, 8))
    inside = np.bincount(*(lambda d: (d.track, d.charge_e))(deposited(rays, (8, 8), STIS)), len(rays))
    assert (inside <= rays.charge_e * (1 + 1e-9)).all()


def test_rays_laid_down_together_are_those_laid_down_alone(monkeypatch):
    rays = drawn(300)
    whole = deposited(rays, SHAPE, STIS)
    monkeypatch.setattr(module, "TOGETHER", 7)
    parts = deposited(rays, SHAPE, STIS)
    for one, other in zip(vars(whole).values(), vars(parts).values(), strict=True):
        assert_array_equal(one, other)
    pixel = (whole.track * SHAPE[0] + whole.y) * SHAPE[1] + whole.x
    assert (np.diff(pixel) > 0).all()


def test_no_ray_leaves_no_charge():
    assert len(drawn(0)) == 0
    assert deposited(drawn(0), SHAPE, STIS).charge_e.size == 0


@pytest.mark.parametrize("name", ["thickness_um", "pixel_um", "charge_e_per_um", "diffusion_px"])
def test_silicon_without_extent_is_refused(name):
    with pytest.raises(ValueError, match=name):
        Silicon(**{"thickness_um": 14.0, "pixel_um": 15.0, name: 0.0})


@pytest.mark.parametrize(("columns", "expected"), [(2048, 7640), (4096, 7820)])
def test_crowded_rays_merge_as_often_as_they_must(columns, expected):
    shape = (2048, columns)
    image = image_of(deposited(drawn(8000, shape, Silicon(15.0, 15.0)), shape, STIS), shape)
    # four times a noise of 4 e
    _, n_labels = label(image > 16, np.ones((3, 3)))
    assert abs(n_labels - expected) < 30


@pytest.mark.parametrize(
    ("detector", "mean_charge", "mean_pixels"),
    [("STIS_CCD", 2621, 7), ("ACS_HRC", None, 7), ("ACS_WFC", None, 9), ("WFC3_UVIS", None, 9)],
)
def test_rays_are_as_large_as_those_of_real_darks(detector, mean_charge, mean_pixels):
    """Means that the authors of the catalogue of Miles et al. (2021), ApJ 918, 86, found in their darks."""
    what = CAMERAS[detector].silicon
    rays = drawn(30_000, (1024, 1024), what)
    found = deposited(rays, (1024, 1024), what)
    if mean_charge:
        assert_allclose(found.charge_e.sum() / len(rays), mean_charge, rtol=0.02)
    # between four times a noise of 4 e, where flags begin, and 5/9 of that, how far they spread
    flagged = np.bincount(found.track[found.charge_e > 12], minlength=len(rays))
    assert_allclose(flagged.mean(), mean_pixels, rtol=0.08)
    bright = np.bincount(found.track[found.charge_e > 25], minlength=len(rays))
    assert 6.2 < bright.mean() < 7.6
    assert np.mean(bright >= 3) > 0.998
