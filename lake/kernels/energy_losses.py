"""Energy that cosmic rays lose in silicon: from charge to energy, and the Landau distribution of what is lost."""

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.polynomial.legendre import leggauss
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import least_squares

from lake.kernels.values import Floats, floats

PAIR_ENERGY_EV = 3.71
"""Energy that frees an electron, as published rates have it; the measured value is 3.66 ± 0.03 [eV]."""
WIDTH_KEV_PER_UM = 0.307075 / 2 * 14 / 28.0855 * 2.329 * 0.1
"""Landau scale of a particle of charge 1 and light's speed: K/2 · Z/A · density, of silicon [keV/um]."""
LANDAU_MODE = -0.222782979
"""Where the Landau distribution of location 0 and scale 1 is greatest."""
LAST_FREQUENCY = 24.0
"""Beyond it the characteristic function of the Landau distribution is below 1e-16."""
TYPICAL_SPEED = 0.7
"""Speed over that of light at which a fit begins [1]."""
NODES = 16


@dataclass(frozen=True)
class EnergyLoss:
    """Landau distribution with Gaussian noise, fitted to energies.

    Attributes
    ----------
    mpv_kev, xi_kev, sigma_kev : as `landau_gauss` has them [keV].
    mpv_err_kev, xi_err_kev, sigma_err_kev : standard errors; NaN where the energies do not tell [keV].
    amplitude : number of events under the curve [1].
    n_events : number of events that were fitted [1].
    """

    mpv_kev: float
    xi_kev: float
    sigma_kev: float
    mpv_err_kev: float
    xi_err_kev: float
    sigma_err_kev: float
    amplitude: float
    n_events: int


def energy_kev(energy_e: ArrayLike, pair_energy_ev: float = PAIR_ENERGY_EV) -> Floats:
    """Energy that freed some electrons.

    Parameters
    ----------
    energy_e : int or float, shape (...)
        Charge of hits [e]; NaN gives NaN.
    pair_energy_ev : float
        Energy an electron [eV].

    Returns
    -------
    float64, shape (...)
        Energy [keV].

    Raises
    ------
    ValueError
        The pair energy is not above 0.
    """
    if not pair_energy_ev > 0:
        raise ValueError(f"pair_energy_ev: found {pair_energy_ev}, expected more than 0")
    return floats(energy_e) * (pair_energy_ev / 1000)


def landau_width(path_um: ArrayLike, beta: ArrayLike = 1.0) -> Floats:
    """Scale of the Landau distribution of energies that a particle of charge 1 loses in silicon.

    Parameters
    ----------
    path_um : float, shape (...)
        Path lengths [um].
    beta : float, shape (...)
        Speeds of the particles over that of light [1].

    Returns
    -------
    float64, shape (...)
        Scale [keV]; NaN where either is NaN.

    Raises
    ------
    ValueError
        A path is below 0, or a speed is not above it.

    References
    ----------
    Particle Data Group, Review of Particle Physics, "Passage of particles through matter", ξ below eq. 34.12.
    """
    path, speed = floats(path_um), floats(beta)
    if (path < 0).any() or (speed <= 0).any():
        raise ValueError("expected paths of 0 or more, and speeds above 0")
    return WIDTH_KEV_PER_UM * path / speed**2


def speed_of(path_um: ArrayLike, xi_kev: ArrayLike) -> Floats:
    """Speed of particles by the scale of the energies they lose: `landau_width` the other way round.

    Parameters
    ----------
    path_um : float, shape (...)
        Path lengths [um].
    xi_kev : float, shape (...)
        Scales of the Landau distribution [keV].

    Returns
    -------
    float64, shape (...)
        Speeds over that of light [1]; above 1 where the scale is too small for any, NaN where either is NaN.

    Raises
    ------
    ValueError
        A path is below 0, or a scale is not above it.
    """
    path, xi = floats(path_um), floats(xi_kev)
    if (path < 0).any() or (xi <= 0).any():
        raise ValueError("expected paths of 0 or more, and scales above 0")
    return np.sqrt(WIDTH_KEV_PER_UM * path / xi)


def landau_gauss(energy_kev: ArrayLike, mpv_kev: float, xi_kev: float, sigma_kev: float) -> Floats:
    """Probability density of energies lost, measured with Gaussian noise.

    The Fourier integral of both characteristic functions, so that no grid of the convolution is chosen.

    Parameters
    ----------
    energy_kev : float, shape (...)
        Energies [keV]; NaN gives NaN.
    mpv_kev, xi_kev, sigma_kev : float
        Most probable value and scale of the Landau distribution, before the noise moves its peak up, and standard
        deviation of the noise [keV].

    Returns
    -------
    float64, shape (...)
        Density [1/keV].

    Raises
    ------
    ValueError
        The scale is not above 0, or the noise below it.

    References
    ----------
    Landau (1944), J. Phys. USSR 8, 201; the integral as Kölbig & Schorr (1984), Comput. Phys. Commun. 31, 97, eq. 1 has
    it along the imaginary axis.
    """
    if not (xi_kev > 0 and sigma_kev >= 0):
        raise ValueError(f"expected xi_kev above 0 and sigma_kev of 0 or more, found {xi_kev} and {sigma_kev}")
    value = (floats(energy_kev) - mpv_kev) / xi_kev + LANDAU_MODE
    furthest = np.abs(value[np.isfinite(value)]).max(initial=0.0)
    density = np.zeros(value.shape)
    # The cube of the variable takes the kink of t ln t from where t is 0; a panel has at most three turns.
    edges = np.linspace(0, 1, 13 + int(5 * furthest))
    node, weight = leggauss(NODES)
    for low, high in itertools.pairwise(edges):
        root = (low + high) / 2 + (high - low) / 2 * node
        t = LAST_FREQUENCY * root**3
        fall = np.exp(-np.pi / 2 * t - (sigma_kev / xi_kev * t) ** 2 / 2)
        size = 3 * LAST_FREQUENCY * root**2 * fall * weight * (high - low) / 2
        density += np.cos(np.multiply.outer(value, t) + t * np.log(t)) @ size
    return np.maximum(density, 0) / (np.pi * xi_kev)


def energy_loss_of(
    energy_kev: ArrayLike,
    path_um: ArrayLike,
    *,
    path_range_um: tuple[float, float] = (280.0, 300.0),
    energy_range_kev: tuple[float, float] = (0.0, 300.0),
    n_bins: int = 60,
) -> EnergyLoss:
    """The distribution of energies lost on paths of one length, fitted to their histogram.

    Least squares with the root of the counts, 1 at least, as errors, and a soft loss that outliers bend less.

    Parameters
    ----------
    energy_kev : float, shape (n,)
        Energies of hits [keV].
    path_um : float, shape (n,)
        Path lengths [um]; a hit with a NaN in either is left out.
    path_range_um, energy_range_kev : tuple of float
        Paths that are one length, and energies of the histogram; the first kept, the last not [um, keV].
    n_bins : int
        Bins of the histogram [1].

    Returns
    -------
    EnergyLoss
        All NaN where fewer events than parameters are within the ranges.

    Raises
    ------
    ValueError
        Energies and paths differ in shape, or a range is empty.

    References
    ----------
    Miles et al. (2021), ApJ 918, 86, for ranges, bins and loss.
    """
    energy, path = floats(energy_kev), floats(path_um)
    if energy.shape != path.shape or not (np.diff([path_range_um, energy_range_kev]) > 0).all() or n_bins < 4:
        raise ValueError(f"expected one shape, ranges and 4 bins, found shapes {energy.shape} and {path.shape}")
    taken = (path >= path_range_um[0]) & (path < path_range_um[1])
    taken &= (energy >= energy_range_kev[0]) & (energy < energy_range_kev[1])
    count, edges = np.histogram(energy[taken], n_bins, energy_range_kev)
    if taken.sum() <= 4:
        return EnergyLoss(np.nan, np.nan, np.nan, np.nan, np.nan, np.nan, np.nan, int(taken.sum()))
    fit, error = _fitted(count, edges, float(landau_width(np.mean(path_range_um), TYPICAL_SPEED)))
    mpv, xi, sigma, amplitude = fit
    mpv_err, xi_err, sigma_err, _ = error
    return EnergyLoss(mpv, xi, sigma, mpv_err, xi_err, sigma_err, amplitude, int(taken.sum()))


def _fitted(count: NDArray[np.int64], edges: Floats, scale_kev: float) -> tuple[list[float], list[float]]:
    """Most probable value, scale, noise and amplitude of a histogram, and their standard errors."""
    middle, width, error = (edges[1:] + edges[:-1]) / 2, edges[1] - edges[0], np.sqrt(np.maximum(count, 1))

    def misfit(guess: Floats) -> Floats:
        mpv, xi, sigma, amplitude = guess.tolist()
        expected = amplitude * width * landau_gauss(middle, mpv, xi, sigma)
        return np.asarray((expected - count) / error)

    start = np.array([middle[count.argmax()], scale_kev, scale_kev / 2, count.sum()])
    # Scales far below a bin are not told apart, and cost the integral time.
    least = np.array([edges[0], width / 20, 0.0, 0.0])
    fit = least_squares(misfit, np.maximum(start, least + 1e-6), bounds=(least, np.inf), loss="soft_l1", x_scale=start)
    spread = np.sqrt(np.diag(np.linalg.pinv(fit.jac.T @ fit.jac)))
    return fit.x.tolist(), np.where(spread > 0, spread, np.nan).tolist()
