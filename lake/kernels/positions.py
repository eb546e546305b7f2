"""Where Hubble was during an exposure: by its own telemetry, else by the radar's elements of about that day."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lake.clocks import mjd_to_utc
from lake.kernels.anomaly import CONTOURS, is_within
from lake.kernels.anomaly_contours import MODELS
from lake.kernels.earth import geocentric, geodetic, mean_of_date
from lake.kernels.orbits import DAY_S, EPOCH_ZERO_MJD, Elements, position_j2000, sample_times
from lake.kernels.tles import MOST_DAYS, nearest, tle_position
from lake.kernels.values import Floats

TELEMETRY, RADAR = "telemetry", "two_line_elements"


def position_columns(
    instrument: str,
    start_mjd: float,
    stop_mjd: float,
    elements: Elements | None,
    tles: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Places along an exposure, a minute or less apart, both ends included.

    Parameters
    ----------
    instrument : str
        Detector, whose contour of the South Atlantic Anomaly counts.
    start_mjd, stop_mjd : float
        Start and end, UTC [d].
    elements : Elements
        Orbit of its telemetry; None where there is none.
    tles : mapping
        `epoch_mjd` [d], `line_1` and `line_2` of sets of elements, shape (n_sets,); None where there are none.

    Returns
    -------
    dict of arrays, shape (n,)
        Columns of the table of positions; no column where nothing tells the orbit. A time at which the orbit is not
        known is left out, so that nothing is NaN.

    References
    ----------
    Miles et al. (2021), ApJ 918, 86, section 3. That the elements of telemetry are those of J2000, and so have to be
    turned to the date, is an addition.
    """
    mjd, epoch, place = _places(start_mjd, stop_mjd, elements, tles)
    if not mjd.size:
        return {}
    longitude, latitude, altitude = geocentric(place, mjd)
    _, geodetic_latitude, geodetic_altitude = geodetic(place, mjd)
    inside = {model: is_within(latitude, longitude, np.array(corners)) for model, corners in MODELS.items()}
    return {
        "time": mjd_to_utc(mjd),
        "mjd": mjd,
        "longitude_deg": longitude,
        "latitude_deg": latitude,
        "altitude_km": altitude,
        "geodetic_latitude_deg": geodetic_latitude,
        "geodetic_altitude_km": geodetic_altitude,
        "orbit_source": [RADAR if elements is None else TELEMETRY] * len(mjd),
        "elements_mjd": epoch,
        "anomaly_models": [[model for model, flags in inside.items() if flags[k]] for k in range(len(mjd))],
        "is_in_anomaly": inside[CONTOURS[instrument]],
    }


def orbits_used(
    start_mjd: float, stop_mjd: float, elements: Elements | None, tles: Mapping[str, Any] | None
) -> frozenset[tuple[str, float]]:
    """By what orbits the places along an exposure are told.

    Parameters
    ----------
    start_mjd, stop_mjd, elements, tles
        As `position_columns` takes them; an epoch of NaN is that of no set [d].

    Returns
    -------
    frozenset of (str, float)
        `orbit_source` and `elements_mjd` [d] of all rows; empty where nothing tells the orbit.
    """
    source = RADAR if elements is None else TELEMETRY
    return frozenset((source, float(one)) for one in _epochs(start_mjd, stop_mjd, elements, tles)[1])


def _epochs(
    start_mjd: float, stop_mjd: float, elements: Elements | None, tles: Mapping[str, Any] | None
) -> tuple[Floats, Floats]:
    """Times along an exposure at which an orbit is known, and the epochs of its elements [d]."""
    # An exposure of no length has one time, not the same one twice.
    mjd = np.unique(sample_times(start_mjd, stop_mjd))
    if elements is not None:
        return mjd, np.full(mjd.shape, EPOCH_ZERO_MJD + elements.epoch_s / DAY_S)
    if tles is None:
        return mjd[:0], mjd[:0]
    chosen = nearest(tles["epoch_mjd"], mjd)
    return mjd[chosen >= 0], np.asarray(tles["epoch_mjd"])[chosen[chosen >= 0]]


def _places(
    start_mjd: float, stop_mjd: float, elements: Elements | None, tles: Mapping[str, Any] | None
) -> tuple[Floats, Floats, Floats]:
    """Times along an exposure, epochs of elements and positions in the equator of date [d, d, km], where known."""
    mjd, epoch = _epochs(start_mjd, stop_mjd, elements, tles)
    if elements is not None:
        place = mean_of_date(position_j2000(elements, mjd), mjd)
    elif tles is not None and mjd.size:
        place = tle_position(tles["line_1"], tles["line_2"], mjd)
    else:
        return mjd[:0], mjd[:0], np.empty((0, 3))
    known = np.isfinite(place).all(axis=1)
    return mjd[known], epoch[known], place[known]


def positions_joined(parts: Sequence[tuple[str, Mapping[str, Any]]]) -> dict[str, Any]:
    """Places along several exposures as columns of one table.

    Parameters
    ----------
    parts : sequence of (str, mapping)
        Of each exposure its obs_id and its columns as `position_columns` gives them.

    Returns
    -------
    dict of arrays, shape (n,)
        Those columns one exposure after the other.
    """
    found: dict[str, Any] = {}
    for name in parts[0][1]:
        if name in ("orbit_source", "anomaly_models"):
            found[name] = [value for _, columns in parts for value in columns[name]]
        else:
            found[name] = np.concatenate([columns[name] for _, columns in parts])
    found["obs_id"] = [obs_id for obs_id, columns in parts for _ in range(len(columns["mjd"]))]
    return found


def near_sets(tles: Mapping[str, Any], mjd: float) -> dict[str, Any] | None:
    """The sets of elements within a few days of a time.

    Parameters
    ----------
    tles : mapping of arrays, shape (n_sets,)
        `epoch_mjd` [d], `line_1` and `line_2`; an epoch of NaN is far from all.
    mjd : float
        Time, UTC [d].

    Returns
    -------
    dict of arrays, shape (n_near,)
        The same columns; None where there is none so near.
    """
    near = np.abs(tles["epoch_mjd"] - mjd) <= MOST_DAYS + 1
    return {name: values[near] for name, values in tles.items()} if near.any() else None
