"""Photons of an X-ray event list: rows of the photon, observation and good-time tables."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lake.kernels.energies import CHANNELS, channel_energy, grating_wavelength, wavelength
from lake.kernels.good_times import ANY_DETECTOR, GoodTimes, common_good_times, is_good_time
from lake.kernels.values import Flags, Floats, floats, of_instrument, whole
from lake.source import Coded

# Highest grade or pattern of a photon, rather than of a particle, or the set of them. Sources, in order: Chandra
# Proposers' Observatory Guide ch. 6 (the ASCA set); XMM-Newton SAS Users Guide, event selection; NuSTAR Data Analysis
# Software Guide, nuscreen; Swift XRT Software Guide, photon counting.
GRADES: dict[tuple[str, str], frozenset[int]] = {
    ("CHANDRA", "ACIS"): frozenset({0, 2, 3, 4, 6}),
    ("XMM", "EPN"): frozenset(range(5)),
    ("XMM", "EMOS"): frozenset(range(13)),
    ("NUSTAR", "FPM"): frozenset(range(27)),
    ("SWIFT", "XRT"): frozenset(range(13)),
}
NO_GRADE = -1
"""What an unknown grade is taken as: no rule has it."""
# Bits that must not be set. Chandra's level-2 lists have STATUS 0, XMM asks FLAG 0 of spectra (`#XMMEA_EP` is laxer);
# NICER's screening rejects undershoots, overshoots and forced triggers, EVENT_FLAGS bits 0 to 2.
BAD_STATUS: dict[tuple[str, str], int] = {("CHANDRA", ""): -1, ("XMM", ""): -1, ("NICER", "XTI"): 0b111}


@dataclass(frozen=True)
class EventList:
    """An observation as its event list states it.

    Attributes
    ----------
    obs_id : unique to the file's bytes.
    facts : columns of the observation that the header states, by their name in its table.
    telescope, instrument : as the file spells them.
    time_s : stored times, float64, shape (n_events,); NaN where there is none [s].
    time_zero_s : what is to be added to them, in seconds of the mission's clock [s].
    epoch_s : a whole second near the first time, from which nanoseconds are counted [s].
    columns : those present of detector, x, y, pi, pha, energy_ev, m_lambda_angstrom, lambda_angstrom, order, grade,
        status; shape (n_events,), masked where the file has no value.
    pi_range : channels that mean something.
    first_bit : the bit of `status` without which a row is a time marker and no photon; 0 if there is none.
    good_times : by which photons are judged, zero point added.
    warnings : what was missing, ambiguous or left out.

    Raises
    ------
    ValueError
        Columns differ in shape from the times, or these are not one row of numbers.
    """

    obs_id: str
    telescope: str
    instrument: str
    time_s: Floats
    good_times: GoodTimes
    time_zero_s: float = 0.0
    epoch_s: int = 0
    columns: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    pi_range: tuple[float, float] = (-np.inf, np.inf)
    first_bit: int = 0
    facts: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        shapes = {"times": self.time_s.shape, **{name: column.shape for name, column in self.columns.items()}}
        if self.time_s.ndim != 1 or len(set(shapes.values())) > 1:
            found = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
            raise ValueError(f"{self.obs_id}: found {found}, expected one shape (n_events,)")


def is_good_grade(grade: ArrayLike, telescope: str, instrument: str) -> Flags:
    """Whether events have the shape of photons, by the rule of the instrument in GRADES.

    Parameters
    ----------
    grade : int or float, shape (...)
        Grade or pattern [1], masked or NaN where unknown: such an event is not good.
    telescope, instrument : str
        As TELESCOP and INSTRUME say, in any case.

    Returns
    -------
    bool, shape (...)
        A flag for each event; all true for an instrument without a rule.

    Raises
    ------
    ValueError
        Grades are no numbers.

    References
    ----------
    Those of GRADES.
    """
    number = whole(grade).filled(NO_GRADE)
    kept = of_instrument(GRADES, telescope, instrument)
    return np.ones(number.shape, bool) if kept is None else np.isin(number, list(kept))


def is_good_status(status: ArrayLike, telescope: str, instrument: str, first_bit: int = 0) -> Flags:
    """Whether no bit tells against an event, by the rule of the instrument in BAD_STATUS.

    Parameters
    ----------
    status : int or float, shape (...)
        Bits of each event [1]; a masked one, or NaN, is not good.
    telescope, instrument : str
        As TELESCOP and INSTRUME say, in any case.
    first_bit : int
        Bits that must be set [1], which tell a photon from a time marker; 0 for none.

    Returns
    -------
    bool, shape (...)
        A flag for each event.

    Raises
    ------
    ValueError
        Status is no number.

    References
    ----------
    Those of BAD_STATUS.
    """
    number = whole(status)
    bits = np.ma.getdata(number)
    good: Flags = bits & (of_instrument(BAD_STATUS, telescope, instrument) or 0) == 0
    good &= (bits & first_bit == first_bit) & ~np.ma.getmaskarray(number)
    return good


def photon_columns(events: EventList) -> dict[str, Any]:
    """Columns of the photon table, one row an event, in the order of the file.

    Parameters
    ----------
    events : EventList
        Columns of shape (n_events,), masked or NaN where the file states no value; a NaN time is in no good time.

    Returns
    -------
    dict of arrays, shape (n_events,)
        By column name, in the units that the names end in [s, ns, px, eV, nm]; None for a column the list hasn't, one
        value where all events have the same. Energy and wavelength are NaN, other columns masked, where there is none.

    Raises
    ------
    ValueError
        Columns are no numbers.
    """
    given = events.columns
    who = (events.telescope, events.instrument)
    arrival = events.time_s + events.time_zero_s
    energy = _energy(events)
    length, source = _wavelengths(events, energy)
    n = len(arrival)
    return {
        "obs_id": events.obs_id,
        "event_id": np.arange(n, dtype=np.int64),
        "arrival_s": arrival,
        "arrival_ns": _nanoseconds(events),
        "detector_id": given.get("detector"),
        "x_px": given.get("x"),
        "y_px": given.get("y"),
        "pi": given.get("pi"),
        "pha": given.get("pha"),
        "energy_ev": energy,
        "wavelength_nm": length,
        "wavelength_source": source,
        "grade": given.get("grade"),
        "status": given.get("status"),
        "is_good_time": is_good_time(arrival, given.get("detector"), events.good_times),
        "is_good_grade": is_good_grade(given["grade"], *who) if "grade" in given else np.ones(n, bool),
        "is_good_status": (
            is_good_status(given["status"], *who, events.first_bit) if "status" in given else np.ones(n, bool)
        ),
    }


def observation_columns(events: EventList) -> dict[str, Any]:
    """Columns of the observation table, one row.

    Parameters
    ----------
    events : EventList
        Columns of shape (n_events,), masked or NaN where the file states no value.

    Returns
    -------
    dict of values, shape ()
        By column name, in the units that the names end in [s, d, deg]; None where the file doesn't say. `good_time_s`
        is the length of `common_good_times`.

    Raises
    ------
    ValueError
        Detectors are no numbers.
    """
    n = len(events.time_s)
    start, stop = common_good_times(events.good_times, events.columns.get("detector", np.full(n, ANY_DETECTOR)))
    has_energy = "energy_ev" in events.columns or (
        "pi" in events.columns and of_instrument(CHANNELS, events.telescope, events.instrument) is not None
    )
    return {
        **events.facts,
        "obs_id": events.obs_id,
        "telescope": events.telescope,
        "instrument": events.instrument,
        "epoch_s": events.epoch_s,
        "n_photons": n,
        "good_time_s": float((stop - start).sum()),
        "has_energy": has_energy,
        "has_position": {"x", "y"} <= set(events.columns),
        "wavelength_note": _wavelength_note(events, has_energy),
        "warnings": "; ".join(events.warnings) or None,
    }


def good_time_columns(events: EventList) -> dict[str, Any]:
    """Columns of the table of good times, one row an interval.

    Parameters
    ----------
    events : EventList
        Its good times, shape (n_intervals,) [s].

    Returns
    -------
    dict of arrays, shape (n_intervals,)
        By column name, as `good_times` has them, NaN among them [s].
    """
    times = events.good_times
    return {
        "obs_id": events.obs_id,
        "detector_id": times.detector_id,
        "start_s": times.start_s,
        "stop_s": times.stop_s,
    }


def _energy(events: EventList) -> Floats:
    """Energies as stored, else from channels."""
    if "energy_ev" in events.columns:
        return floats(events.columns["energy_ev"])
    if "pi" not in events.columns:
        return np.full(len(events.time_s), np.nan)
    energy = channel_energy(events.columns["pi"], events.telescope, events.instrument)
    channel = np.ma.getdata(events.columns["pi"])
    energy[(channel < events.pi_range[0]) | (channel > events.pi_range[1])] = np.nan
    return energy


def _wavelengths(events: EventList, energy: Floats) -> tuple[Floats, Coded]:
    """Wavelengths [nm], dispersed where there is a grating, and where each is from."""
    given = events.columns
    length = wavelength(energy)
    kinds = ("none", "energy" if "energy_ev" in given else "pi", "grating")
    source = (~np.isnan(length)).astype(np.int8)
    if "order" in given and {"m_lambda_angstrom", "lambda_angstrom"} & set(given):
        product = given.get("m_lambda_angstrom")
        if product is None:
            product = floats(given["lambda_angstrom"]) * floats(given["order"])
        by_grating = grating_wavelength(product, given["order"])
        found = by_grating > 0
        length[found], source[found] = by_grating[found], kinds.index("grating")
    return length, Coded(kinds, source)


def _wavelength_note(events: EventList, has_energy: bool) -> str | None:
    """Why photons have no wavelength, if none has."""
    if has_energy or "order" in events.columns:
        return None
    if events.instrument.upper().startswith("HRC"):
        return "HRC pulse heights are no energies, and no grating dispersed the photons"
    if not {"pi", "pha"} & set(events.columns):
        return "the list has neither energies nor channels"
    return f"channels of {events.telescope} {events.instrument} are no energies without a calibration table"


def _nanoseconds(events: EventList) -> NDArray[Any]:
    """Nanoseconds since the epoch, exact to the stored time's own digits; masked where there is no time."""
    # Whole seconds are summed apart from fractions, whose last digits they would take.
    second, zero_second = np.floor(events.time_s), np.floor(events.time_zero_s)
    part = events.time_s - second
    part += events.time_zero_s - zero_second
    second -= events.epoch_s - zero_second
    held = np.abs(second) < 2.0**62 / 1e9
    if not held.all():
        second[~held], part[~held] = 0.0, 0.0
    part *= 1e9
    since = second.astype(np.int64)
    since *= 1_000_000_000
    since += np.rint(part, out=part).astype(np.int64)
    return np.ma.masked_array(since, ~held)
