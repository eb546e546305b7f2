"""Tracks of cosmic rays through silicon: their lengths and angles."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq

from lake.kernels.values import Floats, floats

# Depth of silicon in which charge is collected, by detector [um]: Miles et al. (2021), ApJ 918, 86.
THICKNESS_UM = {"STIS_CCD": 14.04, "ACS_WFC": 14.85, "ACS_HRC": 14.26, "WFC3_UVIS": 15.75, "WFPC2": 10.0}


def projected_length(y_min: ArrayLike, y_max: ArrayLike, x_min: ArrayLike, x_max: ArrayLike) -> Floats:
    """Length of a track on the detector: the diagonal of its box.

    Parameters
    ----------
    y_min, y_max, x_min, x_max : int or float, shape (...)
        First and last rows and columns, both of the hit [px]; NaN gives NaN.

    Returns
    -------
    float64, shape (...)
        Length [px]; √2 for a single pixel.

    Raises
    ------
    ValueError
        A last row or column is before the first.
    """
    height, width = _box(y_min, y_max, x_min, x_max)
    return np.hypot(height, width)


def path_length(length_px: ArrayLike, pixel_um: float, thickness_um: float) -> Floats:
    """Length of a straight track from one face of the silicon to the other.

    Parameters
    ----------
    length_px : float, shape (...)
        Projected length [px]; NaN gives NaN.
    pixel_um, thickness_um : float
        Size of a pixel and depth of the silicon [um].

    Returns
    -------
    float64, shape (...)
        Length [um], the thickness or more.

    Raises
    ------
    ValueError
        A length is below 0, or pixel or thickness is not above it.
    """
    return np.hypot(_on_detector(length_px, pixel_um, thickness_um), thickness_um)


def incidence_angle(length_px: ArrayLike, pixel_um: float, thickness_um: float) -> Floats:
    """Angle between a track and the normal of the detector.

    Parameters
    ----------
    length_px : float, shape (...)
        Projected length [px]; NaN gives NaN.
    pixel_um, thickness_um : float
        Size of a pixel and depth of the silicon [um].

    Returns
    -------
    float64, shape (...)
        Angle [deg], 0 to 90.

    Raises
    ------
    ValueError
        A length is below 0, or pixel or thickness is not above it.
    """
    return np.degrees(np.arctan2(_on_detector(length_px, pixel_um, thickness_um), thickness_um))


def in_plane_angle(
    y_min: ArrayLike, y_max: ArrayLike, x_min: ArrayLike, x_max: ArrayLike, ixy_px2: ArrayLike
) -> Floats:
    """Angle between +x and a track on the detector, by its box.

    Which diagonal of the box the track is, the sign of its mixed moment tells: below 0, y falls as x rises.

    Parameters
    ----------
    y_min, y_max, x_min, x_max : int or float, shape (...)
        First and last rows and columns, both of the hit [px].
    ixy_px2 : float, shape (...)
        Mixed second moment of its charge [px2].

    Returns
    -------
    float64, shape (...)
        Angle [deg], above 0 and below 90 where y rises, above 270 and below 360 where it falls; NaN where any is NaN.

    Raises
    ------
    ValueError
        A last row or column is before the first.
    """
    angle = np.degrees(np.arctan2(*_box(y_min, y_max, x_min, x_max)))
    mixed = floats(ixy_px2)
    return np.where(np.isnan(mixed), np.nan, np.where(mixed < 0, 360 - angle, angle))


def path_length_index(path_um: ArrayLike, range_um: tuple[float, float] = (60.0, 1000.0)) -> tuple[float, float]:
    """Index n of path lengths whose density falls as x^-(n + 2).

    In a flat detector such paths are of rays that come as cosⁿ of the angle from its normal. The index is the most
    likely one of the paths themselves, which no bins round; published ones are fitted to 40 bins.

    Parameters
    ----------
    path_um : float, shape (n,)
        Path lengths [um]; NaN is left out.
    range_um : tuple of float
        Lengths that are fitted, the first kept, the last not [um].

    Returns
    -------
    index, index_err : float
        Index and its standard error [1]; NaN where fewer than two different lengths are within the range.

    Raises
    ------
    ValueError
        The range is empty, or does not begin above 0.

    References
    ----------
    Miles et al. (2021), ApJ 918, 86, for law and range; Clauset, Shalizi & Newman (2009), SIAM Rev. 51, 661, for the
    likelihood, which is cut here at the upper end too.
    """
    shortest, longest = range_um
    if not 0 < shortest < longest:
        raise ValueError(f"range_um: found {range_um}, expected two lengths above 0 in order")
    path = floats(path_um)
    log = np.log(path[(path >= shortest) & (path < longest)] / shortest)
    end = np.log(longest / shortest)
    if log.size < 2 or np.ptp(log) == 0:
        return np.nan, np.nan

    def mean_log(slope: float) -> float:
        """Mean of the logarithm, whose density is exp(slope · log) up to the end."""
        if abs(slope * end) < 1e-6:
            return float(end / 2 + slope * end**2 / 12)
        return float(end / -np.expm1(-slope * end) - 1 / slope)

    steepest = 600 / end
    slope = brentq(lambda guess: mean_log(guess) - log.mean(), -steepest, steepest, xtol=1e-12)
    variance = (mean_log(slope + 1e-4) - mean_log(slope - 1e-4)) / 2e-4
    return -1 - slope, float(1 / np.sqrt(log.size * variance))


def _box(y_min: ArrayLike, y_max: ArrayLike, x_min: ArrayLike, x_max: ArrayLike) -> tuple[Floats, Floats]:
    """Rows and columns that a hit covers."""
    height, width = floats(y_max) - floats(y_min) + 1, floats(x_max) - floats(x_min) + 1
    if (height < 1).any() or (width < 1).any():
        raise ValueError("expected last rows and columns at or after the first")
    return height, width


def _on_detector(length_px: ArrayLike, pixel_um: float, thickness_um: float) -> Floats:
    """Projected length [um]."""
    length = floats(length_px)
    if (length < 0).any() or not (pixel_um > 0 and thickness_um > 0):
        raise ValueError("expected lengths of 0 or more, and pixel and thickness above 0")
    return length * pixel_um
