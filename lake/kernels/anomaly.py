"""The South Atlantic Anomaly: which places are inside a contour of it.

A contour is a polygon of rows (latitude, east longitude) [deg], its corners joined by straight lines in those
coordinates, each the short way around the Earth.
"""

import numpy as np
from numpy.typing import ArrayLike

from lake.kernels.values import Flags, Floats, floats

CONTOURS = {
    "ACS_WFC": 27,
    "ACS_HRC": 27,
    "NICMOS_NIC1": 23,
    "NICMOS_NIC2": 23,
    "NICMOS_NIC3": 23,
    "STIS_CCD": 24,
    "WFC3_IR": 30,
    "WFC3_UVIS": 29,
    "WFPC2": 26,
}
"""Number of the contour within which each detector of Hubble is not used, as STScI's `costools` numbers them."""
DEFAULT_CONTOUR = 5
"""Number of the contour for what has none of its own, and for maps."""


def is_within(latitude_deg: ArrayLike, longitude_deg: ArrayLike, contour: ArrayLike) -> Flags:
    """Whether places are inside a contour.

    Parameters
    ----------
    latitude_deg, longitude_deg : float, shape (...)
        Places [deg], longitudes to the east in any turn; one that is masked, NaN or infinite is not inside.
    contour : float, shape (n, 2)
        Corners in order, latitude and east longitude [deg]. The last is joined to the first, which may be repeated.

    Returns
    -------
    bool, shape (...)
        A flag for each place. Of the places on the line itself, those to the south and west of the inside are in.

    Raises
    ------
    ValueError
        Latitudes and longitudes differ in shape, values are no numbers, or the contour has fewer than three corners,
        has one that is NaN or infinite, or goes around the Earth.

    References
    ----------
    Shimrat (1962), Comm. ACM 5, 434: a line from an inner point crosses the sides an odd number of times.
    """
    latitude, longitude = floats(latitude_deg), floats(longitude_deg)
    if latitude.shape != longitude.shape:
        raise ValueError(f"places: found shapes {latitude.shape} and {longitude.shape}, expected one shape")
    corner_latitude, corner_east, west = _unrolled(contour)
    longitude[np.isinf(longitude)] = np.nan
    east = (longitude - west) % 360
    inside = np.zeros(latitude.shape, bool)
    south, start = np.roll(corner_latitude, 1), np.roll(corner_east, 1)
    for lat_a, east_a, lat_b, east_b in zip(south, start, corner_latitude, corner_east, strict=True):
        if lat_a != lat_b:
            is_beside = (lat_a <= latitude) != (lat_b <= latitude)
            inside ^= is_beside & (east < east_a + (latitude - lat_a) / (lat_b - lat_a) * (east_b - east_a))
    return inside


def share_within(latitude_deg: ArrayLike, longitude_deg: ArrayLike, contour: ArrayLike) -> float:
    """Share of places that are inside a contour: of the time, where the places are evenly spaced in it.

    Parameters
    ----------
    latitude_deg, longitude_deg : float, shape (...)
        Places [deg]; one that is masked, NaN or infinite does not count.
    contour : float, shape (n, 2)
        Corners in order, latitude and east longitude [deg].

    Returns
    -------
    float
        From 0 to 1 [1]; NaN where no place counts.

    Raises
    ------
    ValueError
        As `is_within`.
    """
    inside = is_within(latitude_deg, longitude_deg, contour)
    n_known = np.count_nonzero(np.isfinite(floats(latitude_deg)) & np.isfinite(floats(longitude_deg)))
    return float(np.count_nonzero(inside) / n_known) if n_known else float("nan")


def _unrolled(contour: ArrayLike) -> tuple[Floats, Floats, float]:
    """Latitudes of a contour's corners, how far they are east of the westernmost one, and where that is [deg]."""
    corner = floats(contour)
    if corner.ndim != 2 or corner.shape[1] != 2 or len(corner) < 3 or not np.isfinite(corner).all():
        raise ValueError(f"contour: found shape {corner.shape}, expected (n, 2), three or more corners without NaN")
    latitude, longitude = corner.T
    step = (np.diff(longitude, append=longitude[0]) + 180) % 360 - 180
    east = np.cumsum(step) - step
    if abs(step.sum()) > 180 or np.ptp(east) >= 360:
        raise ValueError("contour: found one around the whole Earth, expected one that leaves a meridian free")
    return latitude, east - east.min(), float(longitude[0] + east.min())
