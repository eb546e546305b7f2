"""The Earth that turns under a satellite: positions as longitude, latitude and altitude.

Times are Modified Julian Dates of UTC [d]. Positions are from the Earth's centre [km], x, y and z in the last axis.

Elements of Hubble's telemetry are in the mean equator and equinox of J2000, longitudes of the Earth are in those of the
date: between the two lies the precession, 0.0128 degrees of longitude a year, 30 km by 2016. What is left out, nutation
and the Earth's own irregular turning, is under 1 km.
"""

import erfa  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import ArrayLike

from lake.kernels.values import Floats, floats

MJD_ZERO = 2400000.5
"""Julian Date of MJD 0 [d]."""
SPHERE_KM = 6378.1
"""Radius over which published catalogues of Hubble's cosmic rays state altitudes."""
WGS84 = 1
"""Number that ERFA gives the ellipsoid."""


def mean_of_date(position_j2000: ArrayLike, mjd: ArrayLike) -> Floats:
    """Positions in the mean equator and equinox of their date: the precession since J2000.

    Parameters
    ----------
    position_j2000 : float, shape (..., 3)
        Positions in the mean equator and equinox of J2000 [km].
    mjd : float, shape (...)
        Times [d]; that UTC stands for TT is 1e-8 degrees.

    Returns
    -------
    float64, shape (..., 3)
        The same places [km]; NaN where position or time is.

    Raises
    ------
    ValueError
        Shapes don't fit, or values are no numbers.

    References
    ----------
    Lieske (1979), A&A 73, 282, eqs. 6 and 7, as ERFA's `pmat76`: the precession to which `sidereal_time` belongs.
    """
    position, time = _paired(position_j2000, mjd)
    with np.errstate(invalid="ignore"):
        turned: Floats = erfa.rxp(erfa.pmat76(MJD_ZERO, time), position)
    return turned


def sidereal_time(mjd: ArrayLike) -> Floats:
    """Greenwich mean sidereal time.

    Parameters
    ----------
    mjd : float, shape (...)
        Times [d]; that UTC stands for UT1 is up to 0.9 s of the Earth's turning.

    Returns
    -------
    float64, shape (...)
        Angle from 0, below 2 pi [rad]; NaN where the time is masked, NaN or infinite.

    Raises
    ------
    ValueError
        Times are no numbers.

    References
    ----------
    Aoki et al. (1982), A&A 105, 359, as ERFA's `gmst82`.
    """
    with np.errstate(invalid="ignore"):
        angle: Floats = erfa.gmst82(MJD_ZERO, finite_times(mjd))
    return angle


def geocentric(position_of_date: ArrayLike, mjd: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Longitude, and latitude and altitude as seen from the centre of the Earth.

    Parameters
    ----------
    position_of_date : float, shape (..., 3)
        Positions in the equator and mean equinox of date, as `mean_of_date` and `tle_position` give them [km].
    mjd : float, shape (...)
        Times [d].

    Returns
    -------
    longitude_deg, latitude_deg, altitude_km : float64, shape (...)
        East longitude from 0, below 360 [deg], geocentric latitude [deg], height over a sphere of 6378.1 km [km]; NaN
        where position or time is.

    Raises
    ------
    ValueError
        Shapes don't fit, or values are no numbers.
    """
    position, time = _paired(position_of_date, mjd)
    x, y, z = np.moveaxis(position, -1, 0)
    across = np.hypot(x, y)
    return _longitude(position, time), np.degrees(np.arctan2(z, across)), np.hypot(across, z) - SPHERE_KM


def geodetic(position_of_date: ArrayLike, mjd: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Longitude, and latitude and altitude over the ellipsoid of the Earth.

    Parameters
    ----------
    position_of_date : float, shape (..., 3)
        Positions in the equator and mean equinox of date, as `mean_of_date` and `tle_position` give them [km].
    mjd : float, shape (...)
        Times [d].

    Returns
    -------
    longitude_deg, latitude_deg, altitude_km : float64, shape (...)
        East longitude from 0, below 360 [deg], geodetic latitude [deg], height over the ellipsoid [km]; NaN where
        position or time is.

    Raises
    ------
    ValueError
        Shapes don't fit, or values are no numbers.

    References
    ----------
    NIMA TR8350.2 (2000) for WGS 84; Fukushima (2006), J. Geodesy 79, 689, as ERFA's `gc2gd`.
    """
    position, time = _paired(position_of_date, mjd)
    with np.errstate(invalid="ignore"):
        _, latitude, height_m = erfa.gc2gd(WGS84, position * 1e3)
    # ERFA puts what is nowhere at a pole
    latitude = np.where(np.isnan(height_m), np.nan, latitude)
    return _longitude(position, time), np.degrees(latitude), height_m / 1e3


def geocentric_of_j2000(position_j2000: ArrayLike, mjd: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Longitude, latitude and altitude without the precession, as catalogues of Hubble's cosmic rays have them.

    The axes are those of J2000 and the sidereal time is that of the date. In 2016 longitudes are 0.2 degrees too small,
    and latitudes up to 0.09 degrees off.

    Parameters
    ----------
    position_j2000 : float, shape (..., 3)
        Positions in the mean equator and equinox of J2000 [km].
    mjd : float, shape (...)
        Times [d].

    Returns
    -------
    longitude_deg, latitude_deg, altitude_km : float64, shape (...)
        As `geocentric` gives them [deg, deg, km]; NaN as there.

    Raises
    ------
    ValueError
        Shapes don't fit, or values are no numbers.

    References
    ----------
    Miles et al. (2021), ApJ 918, 86, and its program HSTcosmicrays.
    """
    return geocentric(position_j2000, mjd)


def finite_times(mjd: ArrayLike) -> Floats:
    """Times with one way to say missing.

    Parameters
    ----------
    mjd : float, shape (...)
        Times [d].

    Returns
    -------
    float64, shape (...)
        The same [d]; NaN where masked, NaN or infinite.

    Raises
    ------
    ValueError
        They are no real numbers.
    """
    time = floats(mjd)
    time[np.isinf(time)] = np.nan
    return time


def _paired(position: ArrayLike, mjd: ArrayLike) -> tuple[Floats, Floats]:
    """Positions and their times, NaN where one of the two is unknown."""
    place, time = floats(position), finite_times(mjd)
    if place.shape != (*time.shape, 3):
        raise ValueError(
            f"positions and times: found shapes {place.shape} and {time.shape}, expected (..., 3) and (...)"
        )
    place[~np.isfinite(place).all(-1) | np.isnan(time)] = np.nan
    return place, time


def _longitude(position: Floats, time: Floats) -> Floats:
    """East longitudes from 0, below 360 [deg]."""
    turned = np.degrees(np.arctan2(position[..., 1], position[..., 0]) - sidereal_time(time)) % 360
    # the remainder of a tiny negative angle rounds up to a full turn
    return np.where(turned == 360, 0.0, turned)
