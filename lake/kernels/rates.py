"""Rates of hits: counts over time and area, how sure they are, and how many hits hide in others."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammainccinv, gammaincinv

from lake.kernels.values import Floats, floats

STEPS = 30
"""Newton's steps; each doubles the digits, and the first come close."""


def poisson_interval(n: ArrayLike, level: float = 0.95) -> tuple[Floats, Floats]:
    """Central confidence interval of the mean behind a Poisson count.

    Parameters
    ----------
    n : int or float, shape (...)
        Counts [1]; NaN gives NaN.
    level : float
        Probability that the interval covers the mean, at least [1].

    Returns
    -------
    low, high : float64, shape (...)
        Bounds of the mean [1]; the low one is 0 where nothing was counted.

    Raises
    ------
    ValueError
        A count is below 0, or the level is not between 0 and 1.

    References
    ----------
    Garwood (1936), Biometrika 28, 437. Its quantiles of chi-squared are written as those of the gamma distribution.
    """
    count = floats(n)
    if (count < 0).any() or not 0 < level < 1:
        raise ValueError(f"expected counts of 0 or more and a level between 0 and 1, found level {level}")
    tail = (1 - level) / 2
    low = np.where(count == 0, 0.0, gammaincinv(np.where(count == 0, 1.0, count), tail))
    return low, np.asarray(gammainccinv(count + 1, tail))


def rate(n: ArrayLike, integration_s: ArrayLike, area_cm2: ArrayLike) -> Floats:
    """Hits per second and square centimetre.

    Parameters
    ----------
    n : int or float, shape (...)
        Hits, or a bound of their mean [1].
    integration_s : float, shape (...)
        Time in which the detector collected charge: exposure, flash and the effective part of the readout [s].
    area_cm2 : float, shape (...)
        Area that did [cm2].

    Returns
    -------
    float64, shape (...)
        Rate [1/s/cm2]; NaN where time or area is 0, or a value is NaN.

    Raises
    ------
    ValueError
        A count, time or area is below 0.
    """
    count, time, area = np.broadcast_arrays(floats(n), floats(integration_s), floats(area_cm2))
    if (count < 0).any() or (time < 0).any() or (area < 0).any():
        raise ValueError("expected counts, times and areas of 0 or more")
    exposed = time * area
    return count / np.where(exposed == 0, np.nan, exposed)


def overlap_corrected(n: ArrayLike, n_pixels_masked: ArrayLike, n_pixels: ArrayLike) -> Floats:
    """Number of rays behind a number of hits, some of which are two rays that touch.

    Rays fall at random. What they cover tells their mean size, overlaps allowed for. Two compact rays of `a` pixels
    touch, by a side or a corner, at (2 √a + 1)² offsets, and each pair that does leaves a hit less: of N rays
    N exp(-N (2 √a + 1)² / 2 n_pixels) hits are seen. Real rays are longer than compact ones and touch more: in
    simulated darks of 46 rays a second for 1000 s on 37.7 cm2 six in a hundred are hidden, an eighth of which stays so.

    Parameters
    ----------
    n : int, shape (...)
        Hits [1].
    n_pixels_masked, n_pixels : int, shape (...)
        Pixels of the hits, and of the frame [px].

    Returns
    -------
    float64, shape (...)
        Rays [1], n or more; NaN where so much is covered that no number of rays would leave so many hits, or a value
        is NaN.

    Raises
    ------
    ValueError
        A number is below 0, the frame has no pixels, or hits have more pixels than it.

    References
    ----------
    Armitage (1949), Biometrika 36, 257, for the number of clumps of few grains. The exponential, the square grains that
    touch by their corners, and their size from what they cover are additions.
    """
    hits, masked, pixels = np.broadcast_arrays(floats(n), floats(n_pixels_masked), floats(n_pixels))
    if (hits < 0).any() or (masked < 0).any() or (pixels <= 0).any() or (masked > pixels).any():
        raise ValueError("expected hits and masked pixels of 0 or more, and a frame that holds them")
    rays = hits.copy()
    with np.errstate(divide="ignore", invalid="ignore"):
        edge = 2 * np.sqrt(-pixels * np.log1p(-masked / pixels))
        for _ in range(STEPS):
            # Its logarithm is concave in N, so that steps from below never pass the solution.
            reach = edge + np.sqrt(rays)
            slope = 1 / rays - reach / (2 * pixels * np.sqrt(rays))
            rays = rays - np.where(slope > 0, np.log(rays / hits) - reach**2 / (2 * pixels), np.nan) / slope
    return np.where(hits == 0, 0.0, rays)
