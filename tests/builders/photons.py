"""Event lists as a reader would give them, and the three tables of one."""

from typing import Any

import numpy as np

from lake.kernels.event_lists import observation
from lake.kernels.photons import good_time_columns, observation_columns, photon_columns
from lake.schema import Taken
from lake.source import Content, Part, Source
from schemas.lightlane import GOOD_TIMES, OBSERVATIONS, PHOTONS

CLOCK = {"MJDREF": 50814.0, "TIMESYS": "TT", "TIMEUNIT": "s"}


def good_times(*intervals: tuple[float, float], name: str = "GTI", version: int = 1, **header: Any) -> Part:
    """A table of good times."""
    edges = np.array(intervals, np.float64).reshape(-1, 2)
    return Part(name, version, header, {"START": edges[:, 0], "STOP": edges[:, 1]})


def event_source(
    columns: dict[str, Any],
    *tables: Part,
    name: str = "EVENTS",
    sha256: str = "0" * 64,
    units: Any = None,
    **header: Any,
) -> Source:
    """A file with one table of events and some of good times."""
    arrays = {key: np.ma.asarray(v) if np.ma.isMaskedArray(v) else np.asarray(v) for key, v in columns.items()}
    events = Part(name, 1, {**CLOCK, "TELESCOP": "CHANDRA", "INSTRUME": "ACIS", **header}, arrays, units or {})
    return Source("list.fits", sha256, 0, "fits", Content({}, (events, *tables)))


def rows(source: Source) -> tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]:
    """The observation, the good times and the photons of a file, nothing rejected."""
    events = observation(source)
    taken: list[Taken] = [
        OBSERVATIONS.fit(observation_columns(events)),
        GOOD_TIMES.fit(good_time_columns(events)),
        PHOTONS.fit(photon_columns(events)),
    ]
    assert [t.rejected for t in taken] == [(), (), ()]
    found = [t.rows.to_pylist() for t in taken]
    return found[0][0], found[1], found[2]


def photon_arrays(source: Source) -> dict[str, Any]:
    """Columns of the photon table as arrays; nulls are NaN in numbers."""
    table = PHOTONS.fit(photon_columns(observation(source))).rows
    return {name: table[name].to_numpy() for name in table.column_names}
