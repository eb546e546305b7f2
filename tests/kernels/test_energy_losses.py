"""Energies that rays lose in silicon: published scales, a convolution, and fits of drawn energies."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import quad
from scipy.stats import landau, norm

from lake.kernels.energy_losses import LANDAU_MODE, energy_kev, energy_loss_of, landau_gauss, landau_width, speed_of

# SciPy's scale is that of stable distributions: Landau's is π/2 of it.
LANDAU = landau(loc=np.log(np.pi / 2), scale=np.pi / 2)
STIS, HRC = (61.10, 12.12, 4.08), (60.88, 7.98, 10.39)


def drawn(mpv_kev, xi_kev, sigma_kev, n, seed):
    """Energies of that distribution."""
    rng = np.random.default_rng(seed)
    return mpv_kev + xi_kev * (LANDAU.rvs(n, random_state=rng) - LANDAU_MODE) + sigma_kev * rng.standard_normal(n)


def test_an_electron_is_3_71_electronvolts():
    assert_allclose(energy_kev([0, 1000, 2621.1422]), [0, 3.71, 9.724437562])
    assert np.isnan(energy_kev(np.nan))


def test_the_scale_of_silicon_is_that_of_its_density_and_charge():
    assert_allclose(landau_width(1.0), 0.017825, rtol=1e-5)
    assert_allclose(landau_width(290, 0.5), 4 * landau_width(290), rtol=1e-14)
    assert_allclose(speed_of(290, 12.12), np.sqrt(0.017825 * 290 / 12.12), rtol=2e-5)
    assert_allclose(speed_of(290, landau_width(290, [0.3, 0.99])), [0.3, 0.99], rtol=1e-14)


def test_without_noise_the_density_is_landaus():
    value = np.linspace(-4, 120, 400)
    assert_allclose(landau_gauss(value, LANDAU_MODE, 1, 0), LANDAU.pdf(value), rtol=1e-7, atol=1e-13)
    peak = landau_gauss(61.1 + np.array([-0.01, 0, 0.01]), 61.1, 12.12, 0)
    assert peak[1] > max(peak[0], peak[2])


@pytest.mark.parametrize("shape", [STIS, HRC])
@pytest.mark.parametrize("energy", [20.0, 61.0, 110.0, 400.0])
def test_with_noise_it_is_the_convolution(shape, energy):
    mpv, xi, sigma = shape

    def product(shift):
        return LANDAU.pdf((energy - shift - mpv) / xi + LANDAU_MODE) / xi * norm.pdf(shift, 0, sigma)

    known = quad(product, -8 * sigma, 8 * sigma, epsabs=1e-12, limit=60)[0]
    assert_allclose(landau_gauss(energy, *shape), known, rtol=1e-8)


def test_all_energies_together_have_probability_one_and_noise_lifts_the_peak():
    energy = np.arange(-100, 2000, 0.5)
    density = landau_gauss(energy, *STIS)
    beyond = LANDAU.sf((2000 - 61.1) / 12.12 + LANDAU_MODE)
    assert_allclose(density.sum() / 2 + beyond, 1, atol=2e-5)
    assert energy[density.argmax()] > 61.1
    assert np.isnan(landau_gauss([np.nan, 60], *STIS)).tolist() == [True, False]


@pytest.mark.parametrize("shape", [STIS, HRC])
def test_a_fit_finds_what_energies_were_drawn_from(shape):
    energy = np.append(drawn(*shape, 40_000, 5), [10.0] * 50)
    path = np.append(np.full(40_000, 290.0), [279.9, 300.0] * 25)
    found = energy_loss_of(energy, path)
    for name, true in zip(("mpv", "xi", "sigma"), shape, strict=True):
        error = getattr(found, f"{name}_err_kev")
        assert abs(getattr(found, f"{name}_kev") - true) < 4 * error < 2
    assert found.n_events == (energy[:40_000] < 300).sum() - (energy[:40_000] < 0).sum()
    assert_allclose(found.amplitude, 40_000, rtol=0.02)


def test_too_few_events_have_no_fit():
    found = energy_loss_of([60.0, np.nan, 60.0], [290.0, 290.0, np.nan])
    assert found.n_events == 1
    assert np.isnan([found.mpv_kev, found.xi_err_kev, found.amplitude]).all()


@pytest.mark.parametrize("act", [
    lambda: energy_kev(1, 0), lambda: landau_width(-1), lambda: landau_width(1, 0), lambda: speed_of(1, 0),
    lambda: landau_gauss(1, 1, 0, 1), lambda: landau_gauss(1, 1, 1, -1), lambda: energy_loss_of([1], [1, 2]),
    lambda: energy_loss_of([1], [1], path_range_um=(300, 280)),
])  # fmt: skip
def test_impossible_energies_are_refused(act):
    with pytest.raises(ValueError, match="expected"):
        act()
