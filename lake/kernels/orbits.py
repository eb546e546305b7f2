"""Orbits about the Earth, from the elements that a telescope's telemetry states; and times to ask for them.

Times are Modified Julian Dates of UTC [d].
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import atan2, ceil, hypot, isfinite, tau
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from lake.kernels.earth import finite_times
from lake.kernels.keywords import finite
from lake.kernels.values import Floats

DAY_S = 86400.0
EPOCH_ZERO_MJD = 46066.0
"""1985-01-01, from which the epochs of Hubble's elements are counted [d]."""
KEYWORDS = (
    "EPCHTIME", "MEANANOM", "FDMEANAN", "SDMEANAN", "ARGPERIG", "RCARGPER", "RASCASCN", "RCASCNRV",
    "ECCENTRY", "COSINCLI", "SINEINCL", "SEMILREC",
)  # fmt: skip
"""Keywords of a telemetry file's primary header that state an orbit; others repeat them in other words."""


@dataclass(frozen=True)
class Elements:
    """Mean elements of an orbit in the mean equator and equinox of J2000, and how fast they change.

    Attributes
    ----------
    epoch_s : when they hold, since 1985-01-01 without leap seconds [s].
    mean_anomaly_rad, mean_motion_rad_s, mean_motion_rate_rad_s2 : mean anomaly and its two rates [rad, rad/s, rad/s2].
    perigee_rad, perigee_rate_rad_s : argument of perigee [rad, rad/s].
    node_rad, node_rate_rad_s : right ascension of the ascending node [rad, rad/s].
    eccentricity : 0 or more, below 1 [1].
    inclination_rad : of the orbit to the equator [rad].
    semi_latus_rectum_m : above 0 [m].

    Raises
    ------
    ValueError
        Eccentricity or semi-latus rectum are those of no ellipse.
    """

    epoch_s: float
    mean_anomaly_rad: float
    mean_motion_rad_s: float
    mean_motion_rate_rad_s2: float
    perigee_rad: float
    perigee_rate_rad_s: float
    node_rad: float
    node_rate_rad_s: float
    eccentricity: float
    inclination_rad: float
    semi_latus_rectum_m: float

    def __post_init__(self) -> None:
        if not 0 <= self.eccentricity < 1 or not self.semi_latus_rectum_m > 0:
            found = f"eccentricity {self.eccentricity} and semi-latus rectum {self.semi_latus_rectum_m} m"
            raise ValueError(f"orbit: found {found}, expected 0 <= eccentricity < 1 and a semi-latus rectum above 0")


def elements_of(header: Mapping[str, Any]) -> Elements:
    """The orbit that a telemetry file of Hubble states.

    Parameters
    ----------
    header : mapping
        Primary header of an SPT or SHM file, with all of KEYWORDS. There angles and rates are in revolutions, but for
        the mean anomaly in radians.

    Returns
    -------
    Elements

    Raises
    ------
    ValueError
        A keyword is missing or no finite number, or the orbit is no ellipse.
    """
    stated = {key: number for key in KEYWORDS if (number := finite(header.get(key))) is not None}
    if wrong := [f"{key} = {header.get(key)!r}" for key in KEYWORDS if key not in stated]:
        raise ValueError(f"orbit: found {', '.join(wrong)}, expected finite numbers")
    cosine, sine = stated["COSINCLI"], stated["SINEINCL"]
    if abs(hypot(cosine, sine) - 1) > 1e-6:
        raise ValueError(f"orbit: found COSINCLI = {cosine}, SINEINCL = {sine}, expected squares that sum to 1")
    return Elements(
        epoch_s=stated["EPCHTIME"],
        mean_anomaly_rad=stated["MEANANOM"],
        mean_motion_rad_s=tau * stated["FDMEANAN"],
        mean_motion_rate_rad_s2=tau * stated["SDMEANAN"],
        perigee_rad=tau * stated["ARGPERIG"],
        perigee_rate_rad_s=tau * stated["RCARGPER"],
        node_rad=tau * stated["RASCASCN"],
        node_rate_rad_s=tau * stated["RCASCNRV"],
        eccentricity=stated["ECCENTRY"],
        inclination_rad=atan2(sine, cosine),
        semi_latus_rectum_m=stated["SEMILREC"],
    )


def position_j2000(elements: Elements, mjd: ArrayLike) -> Floats:
    """Where a satellite is, by its elements.

    Parameters
    ----------
    elements : Elements
    mjd : float, shape (...)
        Times [d], best within a week of the epoch.

    Returns
    -------
    float64, shape (..., 3)
        Position in the mean equator and equinox of J2000 [km]; NaN where the time is masked, NaN or infinite.

    Raises
    ------
    ValueError
        Times are no numbers.

    References
    ----------
    Brouwer & Clemence (1961), Methods of Celestial Mechanics, ch. II: the equation of the centre to the third power of
    the eccentricity, in the form of Hubble's telemetry.
    """
    since_s = (finite_times(mjd) - EPOCH_ZERO_MJD) * DAY_S - elements.epoch_s
    mean = elements.mean_anomaly_rad + since_s * (
        elements.mean_motion_rad_s + elements.mean_motion_rate_rad_s2 * since_s / 2
    )
    e, sine, cosine = elements.eccentricity, np.sin(mean), np.cos(mean)
    true = mean + sine * (2 * e + 5 / 2 * e**2 * cosine + 3 * e**3 * cosine**2 - 4 / 3 * e**3 * sine**2)
    radius_km = elements.semi_latus_rectum_m / 1e3 / (1 + e * np.cos(true))
    along = elements.perigee_rad + elements.perigee_rate_rad_s * since_s + true
    node = elements.node_rad + elements.node_rate_rad_s * since_s
    ahead, aside = np.cos(along), np.sin(along) * np.cos(elements.inclination_rad)
    up = np.sin(along) * np.sin(elements.inclination_rad)
    place = [np.cos(node) * ahead - np.sin(node) * aside, np.sin(node) * ahead + np.cos(node) * aside, up]
    position: Floats = radius_km[..., None] * np.stack(place, -1)
    return position


def sample_times(start_mjd: float, stop_mjd: float, step_s: float = 60.0) -> Floats:
    """Evenly spaced times of an exposure, both of its ends among them.

    Parameters
    ----------
    start_mjd, stop_mjd : float
        Its ends [d].
    step_s : float
        The widest spacing [s]; in a minute Hubble flies 4 degrees.

    Returns
    -------
    float64, shape (n,), n >= 2
        Times [d].

    Raises
    ------
    ValueError
        An end is NaN or infinite, it stops before it starts, or the step is not above 0.
    """
    if not step_s > 0:
        raise ValueError(f"times: found a step of {step_s} s, expected one above 0")
    return np.linspace(start_mjd, stop_mjd, max(1, ceil(_duration(start_mjd, stop_mjd) * DAY_S / step_s)) + 1)


def half_minute_times(start_mjd: float, stop_mjd: float) -> Floats:
    """Two times for each whole minute of an exposure and 5 for less than one, as published catalogues have them.

    Parameters
    ----------
    start_mjd, stop_mjd : float
        Its ends, both among the times [d].

    Returns
    -------
    float64, shape (n,), n >= 2
        Times, a little over half a minute apart [d].

    Raises
    ------
    ValueError
        An end is NaN or infinite, or it stops before it starts.

    References
    ----------
    Miles et al. (2021), ApJ 918, 86, and its program HSTcosmicrays.
    """
    return np.linspace(start_mjd, stop_mjd, 2 * int(_duration(start_mjd, stop_mjd) * 1440) or 5)


def _duration(start_mjd: float, stop_mjd: float) -> float:
    """How long an exposure takes [d]."""
    if not (isfinite(start_mjd) and isfinite(stop_mjd) and stop_mjd >= start_mjd):
        raise ValueError(f"times: found {start_mjd} to {stop_mjd}, expected two dates in order")
    return stop_mjd - start_mjd
