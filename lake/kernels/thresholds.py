"""The level above which a pixel of a dark frame is hit, from the frame's own sky and noise."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lake.kernels.values import Masked

N_SPREADS = 5.0
"""Spreads above the median: 5 unscaled median deviations are 3.4 standard deviations of Gaussian noise."""
CLIPPED_AT = 3.0
ROUNDS = 5
BLOCK = 1 << 15
LEAST_DEVIATION_E = 0.2
"""Below this median deviation most pixels are alike, and the standard deviation is used instead [e]."""
SIGMA_OF_DEVIATION = 1.4826
"""Standard deviation of Gaussian noise over its median absolute deviation."""


@dataclass(frozen=True)
class Threshold:
    """Where hits begin in a frame without flags.

    Attributes
    ----------
    median_e : sky, the median after clipping [e].
    spread_e : noise in the sense of the threshold [e].
    threshold_e : a pixel above it is hit [e]. NaN, as the others, where no pixel has a value: then none is.
    """

    median_e: float
    spread_e: float
    threshold_e: float


def threshold_of(electrons: ArrayLike, n_spreads: float = N_SPREADS) -> Threshold:
    """The threshold of a frame, as the published catalogue of Hubble's darks has it.

    Negative pixels count as 0. The median is that of the pixels left by five rounds of clipping at three standard
    deviations about the median; the spread is the median absolute deviation of all pixels, unscaled, or the clipped
    standard deviation where that is below 0.2 e. The deviation alone is that of pixels with their sign: about a sky of
    nothing, half of them would be 0 and the rest no measure of the noise.

    Parameters
    ----------
    electrons : int or float, shape (...)
        One sub-image [e]; masked, NaN and infinite pixels are left out.
    n_spreads : float
        Spreads between median and threshold [1].

    Returns
    -------
    Threshold
        All NaN for a frame without pixels.

    Raises
    ------
    ValueError
        Pixels are no numbers, or `n_spreads` is below 0 or NaN.

    References
    ----------
    Miles et al. (2021), ApJ 918, 86, and the code it was made with, for frames without data quality. That the deviation
    keeps the sign is ours; it is the same wherever the sky is above the deviation.
    """
    if not n_spreads >= 0:
        raise ValueError(f"n_spreads: found {n_spreads}, expected 0 or more")
    ordered = _ordered(electrons)
    if not ordered.size:
        return Threshold(np.nan, np.nan, np.nan)
    deviation = _deviation(ordered, _middle(ordered))
    kept = np.maximum(ordered, 0)
    for _ in range(ROUNDS):
        centre, reach = _middle(kept), CLIPPED_AT * _sigma(kept)
        # Of sorted pixels those within reach are a slice, and the rest needs no mask.
        inside = slice(bisect_left(kept, centre - reach, key=float), bisect_right(kept, centre + reach, key=float))
        if inside == slice(0, kept.size):
            break
        kept = kept[inside]
    median = _middle(kept)
    spread = deviation if deviation >= LEAST_DEVIATION_E else _sigma(kept)
    return Threshold(median, spread, abs(median) + n_spreads * spread)


def background_of(electrons: ArrayLike) -> tuple[float, float]:
    """Sky and noise of a frame, negative pixels and all.

    Parameters
    ----------
    electrons : int or float, shape (...)
        One sub-image [e]; masked, NaN and infinite pixels are left out.

    Returns
    -------
    median_e, sigma_e : float
        Median, and median absolute deviation in standard deviations of Gaussian noise [e]; NaN for a frame without
        pixels.

    Raises
    ------
    ValueError
        Pixels are no numbers.
    """
    ordered = _ordered(electrons)
    if not ordered.size:
        return np.nan, np.nan
    median = _middle(ordered)
    return median, SIGMA_OF_DEVIATION * _deviation(ordered, median)


def _ordered(electrons: ArrayLike) -> NDArray[Any]:
    """Finite pixels in order, float32 if they were, else float64."""
    given: Masked = np.ma.asarray(electrons)
    if given.dtype.kind not in "biuf":
        raise ValueError(f"electrons: found {given.dtype}, expected int or float")
    pixels = given.compressed() if np.ma.is_masked(given) else np.ma.getdata(given).ravel()
    ordered = np.sort(pixels.astype(np.float32 if pixels.dtype == np.float32 else np.float64, copy=False))
    # NaN are sorted behind infinity.
    return ordered[bisect_right(ordered, -np.inf) : bisect_left(ordered, True, key=lambda e: not e < np.inf)]


def _middle(ordered: NDArray[Any]) -> float:
    """Median of sorted values."""
    n = ordered.size
    return (float(ordered[(n - 1) // 2]) + float(ordered[n // 2])) / 2


def _sigma(ordered: NDArray[Any]) -> float:
    """Standard deviation, summed in float64, block by block: a frame's copy would not fit the processor's cache."""
    centre = np.float64(_middle(ordered))
    total = squares = 0.0
    for start in range(0, ordered.size, BLOCK):
        apart = ordered[start : start + BLOCK] - centre
        total += float(apart.sum())
        squares += float(np.square(apart).sum())
    return float(np.sqrt(squares / ordered.size - (total / ordered.size) ** 2))


def _deviation(ordered: NDArray[Any], centre: float) -> float:
    """Median distance of sorted values from a centre."""
    n = ordered.size

    def reach(count: int) -> float:
        """Distance within which `count` values are: the nearest are neighbours of each other, so a window is sought."""

        def is_nearer(at: int) -> bool:
            return centre - float(ordered[at]) <= float(ordered[at + count]) - centre

        at = bisect_left(range(n - count), True, key=is_nearer)
        return max(centre - float(ordered[at]), float(ordered[at + count - 1]) - centre)

    return (reach((n + 1) // 2) + reach(n // 2 + 1)) / 2
