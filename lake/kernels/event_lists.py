"""X-ray event lists: which table holds the photons, what its keywords say, and by which intervals they are judged.

What any reader gave is looked at as an event list in the convention of OGIP/94-003. Names are matched in any case.
"""

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lake.clocks import Clock, mission_to_utc
from lake.errors import SourceError
from lake.kernels.good_time_tables import good_times_of
from lake.kernels.keywords import Keywords, finite
from lake.kernels.photons import EventList
from lake.kernels.values import floats
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
        No table of the file holds photons, or their times are no numbers, or in no known unit.
    """
    part = _events_part(source)
    words = Keywords(source, part)
    warnings: list[str] = []
    clock = Clock.of_header(words.all)
    # Keywords are in TIMEUNIT, whatever unit the column has.
    header_unit = words.seconds_in(words.text("TIMEUNIT"))
    zero = words.time_zero() * header_unit
    time = words.seconds(part, "TIME", words.text("TIMEUNIT"))
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
        good_times=good_times_of(source, words, columns, spans, zero, warnings),
        facts=facts,
        warnings=tuple(warnings),
    )


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


def _columns(part: Part, words: Keywords, warnings: list[str]) -> dict[str, NDArray[Any]]:
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


def _energy(part: Part, words: Keywords, values: NDArray[Any]) -> NDArray[Any] | None:
    """Energies [eV]; None where neither the column nor the telescope tells their unit."""
    unit = part.unit("ENERGY") or ENERGY_UNITS.get(words.text("TELESCOP").upper())
    if not unit:
        return None
    energy: NDArray[Any] = conversion(unit, "eV")(floats(values))
    return energy


def _range(part: Part, name: str) -> tuple[float, float]:
    """Least and greatest value of a column that means something, as TLMIN and TLMAX say."""
    number = next(
        (k[5:] for k, v in part.header.items() if k.startswith("TTYPE") and str(v).strip().upper() == name), ""
    )
    least, most = finite(part.header.get(f"TLMIN{number}")), finite(part.header.get(f"TLMAX{number}"))
    return -np.inf if least is None else least, np.inf if most is None else most


def _spans(words: Keywords, time: NDArray[np.float64], unit: float) -> tuple[float, float]:
    """First and last time by the header, else by the photons, zero point not added."""
    known = time[np.isfinite(time)]
    first, last = (known.min(), known.max()) if known.size else (0.0, 0.0)
    start, stop = words.number("TSTART"), words.number("TSTOP")
    return float(first if start is None else start * unit), float(
        np.nextafter(last, np.inf) if stop is None else stop * unit
    )


def _times(
    words: Keywords, clock: Clock | None, spans: tuple[float, float], zero: float, unit: float, warnings: list[str]
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


def _facts(source: Source, words: Keywords) -> dict[str, Any]:
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


def _live_fraction(words: Keywords) -> float | None:
    stated = words.number("DTCOR", "DEADC")
    live, on = words.number("LIVETIME"), words.number("ONTIME")
    if stated is None and live is not None and on:
        stated = live / on
    return stated if stated is not None and 0 < stated <= 1 else None


def _frame_time(words: Keywords) -> float | None:
    telescope, instrument = words.text("TELESCOP").upper(), words.text("INSTRUME").upper()
    if telescope == "XMM" and (milliseconds := words.number("FRMTIME")):
        return _at_least_0(milliseconds * 1e-3)
    framed = any(telescope == t and instrument.startswith(i) for t, i in FRAMED)
    return _at_least_0(words.number("TIMEDEL")) if framed else None


def _obs_id(source: Source, words: Keywords) -> str:
    """Telescope, archive's number or object, and eight digits of the hash, by which two lists of one number differ."""
    parts = (words.text("TELESCOP") or "unknown", words.text("OBS_ID", "OBJECT") or "list", source.sha256[:8])
    return "-".join(re.sub(r"[^a-z0-9.+]+", "_", part.lower()).strip("_") or "x" for part in parts)
