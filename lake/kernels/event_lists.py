"""X-ray event lists: which table holds the photons, what its keywords say, and by which intervals they are judged.

What any reader gave is looked at as an event list in the convention of OGIP/94-003. Names are matched in any case.
"""

import re
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lake.clocks import UNIT_SECONDS, Clock, mission_to_utc
from lake.errors import SourceError
from lake.kernels.good_times import ANY_DETECTOR, GoodTimes, intersection, union
from lake.kernels.photons import EventList
from lake.kernels.values import whole
from lake.source import Part, Source
from lake.units import conversion

EVENT_TABLES = ("EVENTS", "XTE_SE")
ROLES = {
    "detector": ("CCD_ID", "CHIP_ID", "CCDNR", "TM_NR"),
    "x": ("X",),
    "y": ("Y",),
    "pi": ("PI",),
    "pha": ("PHA",),
    "energy_ev": ("ENERGY",),
    "m_lambda_angstrom": ("TG_MLAM",),
    "lambda_angstrom": ("TG_LAM",),
    "order": ("TG_M",),
    "grade": ("GRADE", "PATTERN"),
    "status": ("STATUS", "FLAG", "EVENT_FLAGS", "EVENT"),
}
# `STDGTI04` is the table of chip 4.
GOOD_TIME_TABLE = re.compile(r"(?:STD)?GTI(\d{0,2})", re.IGNORECASE)
# Unit of energies of missions whose lists may leave it out.
ENERGY_UNITS = {"CHANDRA": "eV", "GLAST": "MeV", "FERMI": "MeV"}
# Instruments whose photons come in frames; XMM states the length itself, in ms.
FRAMED = (("CHANDRA", "ACIS"), ("SWIFT", "XRT"))
# RXTE lists hold time markers among the photons; the first bit of `Event` tells which is which.
MARKED = ("XTE", "RXTE")


def observation(source: Source) -> EventList:
    """A file as an event list.

    Parameters
    ----------
    source : Source
        A file that was read.

    Returns
    -------
    EventList
        Its photons in file order, columns of shape (n_events,), times [s]; masked or NaN where the file states none.
        Good times are those of each chip's first table; without any, from TSTART to TSTOP.

    Raises
    ------
    SourceError
        No table of the file holds photons.
    """
    part = _events_part(source)
    words = _Words(source, part)
    warnings: list[str] = []
    clock = Clock.of_header(words.all)
    unit = _unit_seconds(part, words)
    # Keywords are in TIMEUNIT, whatever unit the column has.
    header_unit = UNIT_SECONDS.get(words.text("TIMEUNIT").lower(), 1.0)
    zero = _time_zero(source, words) * header_unit
    stored = part.column("TIME")
    assert stored is not None
    time = np.ma.filled(np.ma.asarray(stored, np.float64), np.nan) * unit
    columns = _columns(part, words, warnings)
    spans = _spans(words, time, header_unit)
    facts = {**_facts(source, words), **_times(words, clock, spans, zero, header_unit, warnings)}
    pi = _range(part, "PI")
    status = part.column("EVENT")
    return EventList(
        obs_id=_obs_id(source, words),
        telescope=words.text("TELESCOP") or "unknown",
        instrument=words.text("INSTRUME") or "unknown",
        time_s=time,
        time_zero_s=zero,
        epoch_s=int(np.floor(spans[0] + zero)),
        columns=columns,
        pi_range=pi,
        first_bit=_first_bit(status) if words.text("TELESCOP").upper() in MARKED else 0,
        good_times=_good_times(source, words, columns, spans, zero, warnings),
        facts=facts,
        warnings=tuple(warnings),
    )


class _Words:
    """Keywords of the event table, else of the file."""

    def __init__(self, source: Source, part: Part) -> None:
        self.all = {key.upper(): value for key, value in {**source.header, **part.header}.items()}

    def text(self, *names: str) -> str:
        """The first of some keywords that says something, as text."""
        return next((str(v).strip() for n in names if (v := self.all.get(n)) not in (None, "")), "")

    def number(self, *names: str) -> float | None:
        """The first of some keywords that is a finite number."""
        return next((v for n in names if (v := _finite(self.all.get(n))) is not None), None)


def _time_zero(source: Source, words: _Words) -> float:
    """What is to be added to stored times, 0 where nothing is stated.

    Raises
    ------
    SourceError
        It is no number, so that no time of the file is known.
    """
    stated, number = words.text("TIMEZERO"), words.number("TIMEZERO")
    if stated and number is None:
        name = source.uri.rsplit("/", 1)[-1]
        raise SourceError(f"{name}: found TIMEZERO = {stated!r}, expected a finite number of seconds or days")
    return number or 0.0


def _finite(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and np.isfinite(value) else None


def _events_part(source: Source) -> Part:
    """The table of photons: the one named so, else the first with times that is no light curve and no good times."""
    timed = [part for part in source.content.parts if (t := part.column("TIME")) is not None and t.ndim == 1]
    named = [part for part in timed if part.name.upper() in EVENT_TABLES]
    others = [part for part in timed if not _is_light_curve(part)]
    for part in (*named, *others):
        return part
    names = ", ".join(part.name or "(unnamed)" for part in source.content.parts) or "nothing"
    raise SourceError(f"{source.uri.rsplit('/', 1)[-1]}: no table of photons; has {names}")


def _is_light_curve(part: Part) -> bool:
    kind = str(part.header.get("HDUCLAS1", "")).upper()
    return kind == "LIGHTCURVE" or any(part.column(name) is not None for name in ("RATE", "COUNTS", "STOP"))


def _unit_seconds(part: Part, words: _Words) -> float:
    """Seconds in a unit of the time column, as the column says, else the header."""
    stated = (part.unit("TIME"), words.text("TIMEUNIT"))
    return next((UNIT_SECONDS[name.lower()] for name in stated if name.lower() in UNIT_SECONDS), 1.0)


def _columns(part: Part, words: _Words, warnings: list[str]) -> dict[str, NDArray[Any]]:
    """Columns by what they mean, in our units."""
    found: dict[str, NDArray[Any]] = {}
    for role, names in ROLES.items():
        for name in names:
            values = part.column(name)
            if values is None or values.dtype.kind not in "biuf":
                continue
            values = _bits(values) if role == "status" else values
            if values is None or values.ndim != 1:
                warnings.append(f"{name} is no single number a row, and not used")
                continue
            values = _energy(part, words, values) if role == "energy_ev" else values
            if values is None:
                warnings.append(f"{name} has no unit, and is not used")
                continue
            found[role] = values
            break
    return found


def _bits(values: NDArray[Any]) -> NDArray[Any] | None:
    """Bits of a row as one number, the first the highest; None for more than a number holds."""
    if values.dtype.kind != "b" or values.ndim == 1:
        return values
    if values.shape[1] > 63:
        return None
    number = np.zeros(len(values), np.int64)
    for byte in np.packbits(values, axis=1).T:
        number = number << 8 | byte
    number >>= -values.shape[1] % 8
    return number


def _first_bit(status: NDArray[Any] | None) -> int:
    return 1 << (status.shape[1] - 1) if status is not None and status.ndim == 2 and status.shape[1] <= 63 else 0


def _energy(part: Part, words: _Words, values: NDArray[Any]) -> NDArray[Any] | None:
    """Energies [eV]; None where neither the column nor the telescope tells their unit."""
    unit = part.unit("ENERGY") or ENERGY_UNITS.get(words.text("TELESCOP").upper())
    if not unit:
        return None
    energy: NDArray[Any] = conversion(unit, "eV")(np.ma.filled(np.ma.asarray(values, np.float64), np.nan))
    return energy


def _range(part: Part, name: str) -> tuple[float, float]:
    """Least and greatest value of a column that means something, as TLMIN and TLMAX say."""
    number = next(
        (k[5:] for k, v in part.header.items() if k.startswith("TTYPE") and str(v).strip().upper() == name), ""
    )
    least, most = _finite(part.header.get(f"TLMIN{number}")), _finite(part.header.get(f"TLMAX{number}"))
    return -np.inf if least is None else least, np.inf if most is None else most


def _spans(words: _Words, time: NDArray[np.float64], unit: float) -> tuple[float, float]:
    """First and last time by the header, else by the photons, zero point not added."""
    known = time[np.isfinite(time)]
    first, last = (known.min(), known.max()) if known.size else (0.0, 0.0)
    start, stop = words.number("TSTART"), words.number("TSTOP")
    return float(first if start is None else start * unit), float(
        np.nextafter(last, np.inf) if stop is None else stop * unit
    )


def _times(
    words: _Words, clock: Clock | None, spans: tuple[float, float], zero: float, unit: float, warnings: list[str]
) -> dict[str, Any]:
    """What the header says of its clock."""
    if clock is None:
        warnings.append("no clock by MJDREF, TIMESYS, TIMEUNIT and TIMEZERO: times have no date")
    elif not words.text("TIMESYS"):
        warnings.append("no TIMESYS: times are taken as TT")
    start, stop = mission_to_utc(np.array(spans) / unit, clock) if clock else (None, None)
    reference = words.text("TIMEREF").upper()
    return {
        "start_time": start,
        "stop_time": stop,
        "start_s": spans[0] + zero,
        "stop_s": spans[1] + zero,
        "ref_mjd": clock.mjd_day + clock.mjd_fraction if clock else None,
        "time_scale": clock.scale.upper() if clock else None,
        "is_barycentred": reference == "SOLARSYSTEM" or (not reference and words.text("TIMESYS").upper() == "TDB"),
    }


def _facts(source: Source, words: _Words) -> dict[str, Any]:
    """What the header says of the telescope."""
    ra, dec = words.number("RA_PNT", "RA_NOM", "RA_OBJ"), words.number("DEC_PNT", "DEC_NOM", "DEC_OBJ")
    is_sky = ra is not None and dec is not None and 0 <= ra <= 360 and -90 <= dec <= 90
    return {
        "archive_id": words.text("OBS_ID") or None,
        "object": words.text("OBJECT") or None,
        "detector": words.text("DETNAM") or None,
        "grating": None if words.text("GRATING").upper() in ("", "NONE") else words.text("GRATING"),
        "data_mode": words.text("DATAMODE") or None,
        "exposure_s": _at_least_0(words.number("EXPOSURE", "LIVETIME")),
        "live_fraction": _live_fraction(words),
        "time_step_s": _at_least_0(words.number("TIMEDEL")),
        "frame_time_s": _frame_time(words),
        "ra_deg": ra if is_sky else None,
        "dec_deg": dec if is_sky else None,
        "source_sha256": source.sha256,
    }


def _at_least_0(value: float | None) -> float | None:
    return value if value is not None and value >= 0 else None


def _live_fraction(words: _Words) -> float | None:
    stated = words.number("DTCOR", "DEADC")
    live, on = words.number("LIVETIME"), words.number("ONTIME")
    if stated is None and live is not None and on:
        stated = live / on
    return stated if stated is not None and 0 < stated <= 1 else None


def _frame_time(words: _Words) -> float | None:
    telescope, instrument = words.text("TELESCOP").upper(), words.text("INSTRUME").upper()
    if telescope == "XMM" and (milliseconds := words.number("FRMTIME")):
        return _at_least_0(milliseconds * 1e-3)
    framed = any(telescope == t and instrument.startswith(i) for t, i in FRAMED)
    return _at_least_0(words.number("TIMEDEL")) if framed else None


def _obs_id(source: Source, words: _Words) -> str:
    """Telescope, archive's number or object, and eight digits of the hash, by which two lists of one number differ."""
    parts = (words.text("TELESCOP") or "unknown", words.text("OBS_ID", "OBJECT") or "list", source.sha256[:8])
    return "-".join(re.sub(r"[^a-z0-9.+]+", "_", part.lower()).strip("_") or "x" for part in parts)


def _good_times(
    source: Source,
    words: _Words,
    columns: dict[str, NDArray[Any]],
    spans: tuple[float, float],
    zero: float,
    warnings: list[str],
) -> GoodTimes:
    """Intervals of the first table of each chip; without chips in the list, those good on all."""
    tables: dict[int, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
    for part in source.content.parts:
        detector = _table_detector(part)
        if detector is None:
            continue
        start, stop = _intervals(part, words, zero)
        if detector in tables:
            total = (stop - start).sum()
            warnings.append(f"{part.name} {part.version}: {total:g} s not used, the first table is the standard one")
        else:
            tables[detector] = start, stop
    if not tables:
        warnings.append("no good times: from TSTART to TSTOP all is taken as good")
        tables[ANY_DETECTOR] = union([spans[0] + zero], [spans[1] + zero])
    if "detector" not in columns and ANY_DETECTOR not in tables:
        tables = {ANY_DETECTOR: _common(tables.values())}
        warnings.append("photons have no chip: good are the times good on every chip")
    unjudged = _unjudged(columns.get("detector"), tables)
    warnings.extend(f"chip {number} has no good times: none of its photons is good" for number in unjudged)
    return GoodTimes(
        np.concatenate([np.full(len(start), number, np.int64) for number, (start, _) in tables.items()]),
        np.concatenate([start for start, _ in tables.values()]),
        np.concatenate([stop for _, stop in tables.values()]),
    )


def _table_detector(part: Part) -> int | None:
    """The chip a good-time table is for, -1 for all; None for other tables."""
    match = GOOD_TIME_TABLE.fullmatch(part.name.strip())
    if not match or part.column("START") is None or part.column("STOP") is None:
        return None
    chip = _finite(part.header.get("CCD_ID"))
    return int(chip) if chip is not None else int(match[1] or ANY_DETECTOR)


def _intervals(part: Part, words: _Words, zero: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Intervals of a table, its own zero point added, else that of the events."""
    start, stop = part.column("START"), part.column("STOP")
    name = (part.unit("START") or str(part.header.get("TIMEUNIT") or words.text("TIMEUNIT"))).lower()
    unit = UNIT_SECONDS.get(name, 1.0)
    own = _finite(part.header.get("TIMEZERO"))
    add = zero if own is None else own * unit
    seconds = [np.ma.filled(np.ma.asarray(edge, np.float64), np.nan) * unit + add for edge in (start, stop)]
    return union(*seconds)


def _common(
    tables: Iterable[tuple[NDArray[np.float64], NDArray[np.float64]]],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    first, *others = tables
    for other in others:
        first = intersection(first, other)
    return first


def _unjudged(detector: NDArray[Any] | None, tables: dict[int, Any]) -> list[int]:
    if detector is None or ANY_DETECTOR in tables:
        return []
    seen: list[int] = np.unique(whole(detector).compressed()).tolist()
    return [number for number in seen if number not in tables]
