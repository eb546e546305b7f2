"""What the columns of an X-ray event list mean: energy, wavelength, good time, good events."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
V = TypeVar("V")

HC_EV_NM = 1239.841984
ANY_DETECTOR = -1
"""Detector number of a good-time table that holds for all detectors."""


class Channels(NamedTuple):
    """PI channels that mean an energy: the middle of channel `pi` is `offset_ev + width_ev * pi` [eV]."""

    width_ev: float
    offset_ev: float = 0.0
    first: int = 0
    last: int = np.iinfo(np.int32).max


# By telescope and beginning of the instrument's name. Chandra HRC is absent on purpose: its PI is a pulse height.
CHANNELS: dict[tuple[str, str], Channels] = {
    # channel 1024 holds everything above 14.9 keV
    ("CHANDRA", "ACIS"): Channels(14.6, -7.3, 1, 1023),
    ("NICER", "XTI"): Channels(10.0),
    ("NUSTAR", "FPM"): Channels(40.0, 1620.0),
    ("XMM", "EPN"): Channels(1.0),
    ("XMM", "EMOS"): Channels(1.0),
    ("SWIFT", "XRT"): Channels(10.0),
    ("IXPE", ""): Channels(40.0),
    ("XRISM", "RESOLVE"): Channels(0.5),
    ("EROSITA", ""): Channels(1.0),
    ("SRG", "EROSITA"): Channels(1.0),
}
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
# Bits that must not be set. Chandra's level-2 lists have STATUS 0, XMM asks FLAG 0 of spectra (`#XMMEA_EP` is laxer);
# NICER's screening rejects undershoots, overshoots and forced triggers, EVENT_FLAGS bits 0 to 2.
BAD_STATUS: dict[tuple[str, str], int] = {("CHANDRA", ""): -1, ("XMM", ""): -1, ("NICER", "XTI"): 0b111}
# Period [Å] of the gratings, and diameter [mm] of the Rowland circle they are on (Proposers' Guide, chs 8 and 9).
GRATINGS = {"HEG": (2000.81, 8632.65), "MEG": (4001.95, 8632.65), "LEG": (9912.16, 8637.0)}
BACKGROUND_ORDER = 99


@dataclass(frozen=True)
class GoodTimes:
    """Good time intervals, half-open: `start_s <= t < stop_s`, each of one detector or, with -1, of all."""

    detector_id: NDArray[np.int64]
    start_s: Floats
    stop_s: Floats

    def of(self, detector: int) -> tuple[Floats, Floats]:
        """Starts and stops of one detector's own table."""
        own = self.detector_id == detector
        return self.start_s[own], self.stop_s[own]


@dataclass(frozen=True)
class EventList:
    """An observation as its event list states it.

    Attributes
    ----------
    obs_id : unique to the file's bytes.
    facts : columns of the observation that the header states, by their name in its table.
    telescope, instrument : as the file spells them.
    time_s, time_zero_s : stored times and what is to be added to them, in seconds of the mission's clock [s].
    epoch_s : a whole second near the first time, from which nanoseconds are counted [s].
    columns : those present of detector, x, y, pi, pha, energy_ev, m_lambda_angstrom, lambda_angstrom, order, grade,
        status.
    pi_range : channels that mean something.
    first_bit : the bit of `status` without which a row is a time marker and no photon; 0 if there is none.
    good_times : by which photons are judged, zero point added.
    warnings : what was missing, ambiguous or left out.
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


def channel_energy(pi: ArrayLike, telescope: str, instrument: str) -> Floats:
    """Energy in the middle of PI channels.

    Parameters
    ----------
    pi : int, shape (...)
        Pulse-invariant channels; masked ones have no energy.
    telescope, instrument : str
        As TELESCOP and INSTRUME say, in any case.

    Returns
    -------
    float64, shape (...)
        Energy [eV]; NaN below the first channel, in overflow, and for instruments whose channels mean none.
    """
    channels = _entry(CHANNELS, telescope, instrument)
    number = _floats(pi)
    if channels is None:
        return np.full(number.shape, np.nan)
    number[~((number >= channels.first) & (number <= channels.last))] = np.nan
    number *= channels.width_ev
    number += channels.offset_ev
    return number


def wavelength(energy_ev: ArrayLike) -> Floats:
    """Wavelength [nm] of photons of an energy [eV]; NaN where that is not above 0."""
    energy = _floats(energy_ev)
    energy[~(energy > 0)] = np.nan
    length: Floats = HC_EV_NM / energy
    return length


def grating_wavelength(m_lambda_angstrom: ArrayLike, order: ArrayLike) -> Floats:
    """Wavelength of dispersed photons.

    Parameters
    ----------
    m_lambda_angstrom : float, shape (...)
        Order times wavelength, either sign (TG_MLAM) [Å].
    order : int, shape (...)
        Diffraction order (TG_M): 0 is undispersed, 99 background.

    Returns
    -------
    float64, shape (...)
        Wavelength [nm]; NaN for orders 0 and 99.
    """
    product, number = np.broadcast_arrays(_floats(m_lambda_angstrom), _floats(order))
    number = np.where((number == 0) | (number == BACKGROUND_ORDER), np.nan, number)
    length: Floats = 0.1 * np.abs(product / number)
    return length


def dispersed(distance_mm: ArrayLike, grating: str) -> Floats:
    """Order times wavelength [Å] at a distance [mm] along the dispersion from the zeroth order: p sin(d / X).

    Raises
    ------
    ValueError
        The grating is none of HEG, MEG, LEG.
    """
    if grating.upper() not in GRATINGS:
        raise ValueError(f"grating {grating!r} is not known; there are {', '.join(GRATINGS)}")
    period, diameter = GRATINGS[grating.upper()]
    return period * np.sin(_floats(distance_mm) / diameter)


def merged(start_s: ArrayLike, stop_s: ArrayLike) -> tuple[Floats, Floats]:
    """Intervals in order, those that touch or overlap as one; empty and undefined ones are left out."""
    start, stop = _floats(start_s).reshape(-1), _floats(stop_s).reshape(-1)
    real = np.isfinite(start) & np.isfinite(stop) & (stop > start)
    order = np.argsort(start[real], kind="stable")
    start, stop = start[real][order], np.maximum.accumulate(stop[real][order])
    new = np.ones(start.size, bool)
    new[1:] = start[1:] > stop[:-1]
    return start[new], stop[np.append(new[1:], True)[: start.size]]


def intersected(first: tuple[ArrayLike, ArrayLike], second: tuple[ArrayLike, ArrayLike]) -> tuple[Floats, Floats]:
    """Intervals that are in both of two sets."""
    one, two = merged(*first), merged(*second)
    edges = np.unique(np.concatenate([*one, *two]))
    inside = is_within(edges[:-1], *one) & is_within(edges[:-1], *two)
    return merged(edges[:-1][inside], edges[1:][inside])


def is_within(time_s: ArrayLike, start_s: ArrayLike, stop_s: ArrayLike) -> Flags:
    """Whether times are in any of some intervals, start kept and stop not; NaN is in none."""
    start, stop = merged(start_s, stop_s)
    time = _floats(time_s)
    if not start.size:
        return np.zeros(time.shape, bool)
    place = np.searchsorted(start, time, side="right") - 1
    return (place >= 0) & (time < stop[np.maximum(place, 0)])


def is_good_time(time_s: ArrayLike, detector: NDArray[Any] | None, good_times: GoodTimes) -> Flags:
    """Whether each photon is in the good times of its own detector.

    A detector without a table of its own is judged by that of all detectors (-1); with neither, none of its photons is
    good. So it is with a photon whose detector is unknown.
    """
    time = _floats(time_s)
    good = is_within(time, *good_times.of(ANY_DETECTOR))
    if detector is None:
        return good
    number = _whole(detector, ANY_DETECTOR)
    for own in np.unique(good_times.detector_id[good_times.detector_id != ANY_DETECTOR]):
        there = number == own
        good[there] = is_within(time[there], *good_times.of(own))
    return good


def is_good_grade(grade: NDArray[Any], telescope: str, instrument: str) -> Flags:
    """Whether events have the shape of photons; an unknown grade has not, and without a rule every one has."""
    kept = _entry(GRADES, telescope, instrument)
    if kept is None:
        return np.ones(grade.shape, bool)
    return np.isin(_whole(grade, -1), list(kept))


def is_good_status(status: NDArray[Any], telescope: str, instrument: str, first_bit: int = 0) -> Flags:
    """Whether no bit tells against an event, and the one that tells it from a time marker is set."""
    bits = _whole(status, -1)
    good: Flags = bits & (_entry(BAD_STATUS, telescope, instrument) or 0) == 0
    good &= (bits & first_bit == first_bit) & ~np.ma.getmaskarray(status)
    return good


def photon_columns(events: EventList) -> dict[str, Any]:
    """Columns of the photon table, one row an event, in the order of the file."""
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
    """Columns of the observation table, one row."""
    start, stop = common_good_times(events.good_times, events.columns.get("detector"))
    has_energy = "energy_ev" in events.columns or (
        "pi" in events.columns and _entry(CHANNELS, events.telescope, events.instrument) is not None
    )
    return {
        **events.facts,
        "obs_id": events.obs_id,
        "telescope": events.telescope,
        "instrument": events.instrument,
        "epoch_s": events.epoch_s,
        "n_photons": len(events.time_s),
        "good_time_s": float((stop - start).sum()),
        "has_energy": has_energy,
        "has_position": {"x", "y"} <= set(events.columns),
        "wavelength_note": _wavelength_note(events, has_energy),
        "warnings": "; ".join(events.warnings) or None,
    }


def good_time_columns(events: EventList) -> dict[str, Any]:
    """Columns of the table of good times, one row an interval."""
    times = events.good_times
    return {
        "obs_id": events.obs_id,
        "detector_id": times.detector_id,
        "start_s": times.start_s,
        "stop_s": times.stop_s,
    }


def common_good_times(good_times: GoodTimes, detector: NDArray[Any] | None = None) -> tuple[Floats, Floats]:
    """Times that are good on every detector that has a table and, where they are given, photons."""
    tables = set(np.unique(good_times.detector_id).tolist())
    if detector is not None and len(seen := np.unique(np.ma.compressed(np.ma.asarray(detector)))):
        # a detector without its own table goes by that of all
        judged = {number if number in tables else ANY_DETECTOR for number in seen.tolist()}
        tables = (judged & tables) or tables
    pairs = [good_times.of(number) for number in sorted(tables)]
    if not pairs:
        return np.empty(0), np.empty(0)
    common = merged(*pairs[0])
    for pair in pairs[1:]:
        common = intersected(common, pair)
    return common


def _energy(events: EventList) -> Floats:
    """Energies as stored, else from channels."""
    if "energy_ev" in events.columns:
        return _floats(events.columns["energy_ev"])
    if "pi" not in events.columns:
        return np.full(len(events.time_s), np.nan)
    energy = channel_energy(events.columns["pi"], events.telescope, events.instrument)
    channel = np.ma.getdata(events.columns["pi"])
    energy[(channel < events.pi_range[0]) | (channel > events.pi_range[1])] = np.nan
    return energy


def _wavelengths(events: EventList, energy: Floats) -> tuple[Floats, str | NDArray[np.str_]]:
    """Wavelengths [nm], dispersed where there is a grating, and where each is from."""
    given = events.columns
    length = wavelength(energy)
    origin = "energy" if "energy_ev" in given else "pi"
    source: str | NDArray[np.str_] = origin if length.size and not np.isnan(length).any() else "none"
    if not np.isnan(length).all() and source == "none":
        source = np.where(np.isnan(length), "none", origin)
    if "order" not in given or not {"m_lambda_angstrom", "lambda_angstrom"} & set(given):
        return length, source
    product = given.get("m_lambda_angstrom")
    if product is None:
        product = _floats(given["lambda_angstrom"]) * _floats(given["order"])
    by_grating = grating_wavelength(product, given["order"])
    found = by_grating > 0
    return np.where(found, by_grating, length), np.where(found, "grating", source)


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
    """Nanoseconds since the epoch, masked where there is no time; exact to the stored time's own digits."""
    # The whole seconds of the zero point go first: added to the fraction, they would take its last digits.
    whole_s = np.floor(events.time_zero_s)
    since = (events.time_s - (events.epoch_s - whole_s)) * 1e9 + (events.time_zero_s - whole_s) * 1e9
    held = np.abs(since) < 2.0**62
    return np.ma.masked_array(np.rint(np.where(held, since, 0)).astype(np.int64), ~held)


def _entry(table: Mapping[tuple[str, str], V], telescope: str, instrument: str) -> V | None:
    """The entry of an instrument, by telescope and beginning of its name."""
    who, what = telescope.strip().upper(), instrument.strip().upper()
    return next((value for (t, i), value in table.items() if t == who and what.startswith(i)), None)


def _whole(values: NDArray[Any], missing: int) -> NDArray[np.int64]:
    """Whole numbers in the type that also holds `missing`, which stands where they are masked."""
    filled: NDArray[np.int64] = np.ma.filled(values.astype(np.int64), missing)
    return filled


def _floats(values: ArrayLike) -> Floats:
    """A new float64 array, NaN where the values are masked."""
    if isinstance(values, np.ma.MaskedArray):
        return np.asarray(np.ma.filled(values.astype(np.float64), np.nan))
    return np.array(values, np.float64)
