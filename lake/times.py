"""Instants of the time scales UTC, TAI, TT, TDB and GPS, and UTC as text.

An instant is `datetime64[us]`, its calendar that of the scale it is in. UTC here is a calendar of 86,400-second days,
so an instant inside a leap second has no place of its own: it is held at 23:59:59.999999, which keeps the order of
instants and their date. Text can tell the two apart, and so can TAI: `tai_of_text` and `text_of_tai` lose nothing.

Leap seconds began in 1972, so a UTC from before has no whole offset to TAI: it becomes NaT wherever an offset is
needed. After the last leap second known to the installed ERFA none is assumed. NaT stays NaT.

TDB is taken at the geocentre, good to 10 µs. Barycentred times keep the name TDB: their UTC is that of a clock at the
solar-system barycentre, up to 500 s from the observatory's.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

Instants = NDArray[np.datetime64]

SCALES = ("utc", "tai", "tt", "tdb", "gps")
DAY_US = 86_400_000_000
TT_AHEAD_OF_TAI_US = 32_184_000
TAI_AHEAD_OF_GPS_US = 19_000_000
J2000 = np.datetime64("2000-01-01T12", "us")
NOT_A_TIME = np.iinfo(np.int64).min
# Amplitude [s], rate [rad per Julian century], phase [rad] of TDB - TT; the last one grows with time.
TDB_TERMS = (
    (1657e-6, 628.3076, 6.2401), (22e-6, 575.3385, 4.2970), (14e-6, 1256.6152, 6.1969), (5e-6, 606.9777, 4.0212),
    (5e-6, 52.9691, 0.4444), (2e-6, 21.3299, 5.5431),
)  # fmt: skip
TDB_GROWING = (10e-6, 628.3076, 4.2490)
CENTURY_US = 36525 * DAY_US
TEXT = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(?::(\d\d)(\.\d*)?)?)?Z?")


def to_utc(instants: ArrayLike, scale: str) -> Instants:
    """Instants of a scale as UTC.

    Parameters
    ----------
    instants : datetime64, shape (...)
        In the calendar of `scale`.
    scale : str
        One of SCALES.

    Returns
    -------
    datetime64[us], shape (...)
        A leap second is held at 23:59:59.999999; NaT before 1972, unless `scale` is utc.

    Raises
    ------
    ValueError
        The scale is not known.
    """
    times = as_instants(instants)
    if scale == "utc":
        return times
    starts, offsets = _leap_seconds()
    tai = _to_tai(as_ticks(times), scale)
    place = np.searchsorted(starts + offsets, tai, side="right") - 1
    day_ends = np.append(starts[1:], np.iinfo(np.int64).max) - 1
    utc = np.minimum(tai - offsets[place], day_ends[place])
    return of_ticks(np.where((place < 0) | np.isnat(times), NOT_A_TIME, utc))


def from_utc(utc: ArrayLike, scale: str) -> Instants:
    """UTC instants in another scale.

    Parameters
    ----------
    utc : datetime64, shape (...)
    scale : str
        One of SCALES.

    Returns
    -------
    datetime64[us], shape (...)
        In the calendar of `scale`; NaT before 1972, unless that is utc.

    Raises
    ------
    ValueError
        The scale is not known.
    """
    times = as_instants(utc)
    if scale == "utc":
        return times
    starts, offsets = _leap_seconds()
    ticks = as_ticks(times)
    place = np.searchsorted(starts, ticks, side="right") - 1
    other = _from_tai(ticks + offsets[place], scale)
    return of_ticks(np.where((place < 0) | np.isnat(times), NOT_A_TIME, other))


def tai_of_text(texts: str | Sequence[str] | NDArray[np.str_]) -> Instants:
    """UTC texts (`2016-12-31T23:59:60.5`) as TAI, leap seconds told from the seconds beside them.

    Raises
    ------
    ValueError
        A text is no instant, has a second 60 where none was inserted, or is from before 1972.
    """
    return _parsed(texts, "tai")


def text_of_tai(tai: ArrayLike) -> NDArray[np.str_]:
    """UTC texts of TAI instants, to the microsecond; an instant in a leap second has second 60."""
    times = as_instants(tai)
    utc = to_utc(times, "tai")
    late = as_ticks(times) - as_ticks(from_utc(utc, "tai"))
    inside = (late > 0) & ~np.isnat(times)
    text = np.array(np.datetime_as_string(utc, unit="us"), ndmin=1)
    parts = (late - 1) % 1_000_000
    for place in np.flatnonzero(inside):
        text.flat[place] = f"{text.flat[place][:17]}60.{parts.flat[place]:06d}"
    return text.reshape(times.shape)


def parse_utc(texts: str | Sequence[str] | NDArray[np.str_]) -> Instants:
    """UTC texts as instants, a leap second held at 23:59:59.999999; a text without a time is midnight.

    Raises
    ------
    ValueError
        A text is no instant, or has a second 60 where none was inserted.
    """
    return _parsed(texts, "utc")


def format_utc(utc: ArrayLike) -> NDArray[np.str_]:
    """UTC instants as texts, to the microsecond."""
    return np.datetime_as_string(as_instants(utc), unit="us")


def as_instants(values: ArrayLike) -> Instants:
    """Values that NumPy takes for instants, to the microsecond."""
    return np.asarray(values, "datetime64[us]")


def as_ticks(times: Instants | np.datetime64) -> NDArray[np.int64]:
    """Microseconds since 1970; 0 for NaT, so that arithmetic on it cannot wrap round."""
    found = as_instants(times)
    return np.where(np.isnat(found), 0, found.astype(np.int64))


def of_ticks(ticks: NDArray[np.int64]) -> Instants:
    """Instants so many microseconds after 1970; NOT_A_TIME is NaT."""
    return ticks.astype("datetime64[us]")


@lru_cache(maxsize=1)
def _leap_seconds() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """From which UTC, and by how much, TAI is ahead of it, both in µs: the table inside ERFA, nothing downloaded."""
    import erfa  # type: ignore[import-untyped]

    rows = [row for row in erfa.leap_seconds.get() if row["year"] >= 1972]
    starts = [np.datetime64(f"{row['year']:04d}-{row['month']:02d}-01", "us").astype(np.int64) for row in rows]
    return np.array(starts, np.int64), np.array([round(row["tai_utc"]) * 1_000_000 for row in rows], np.int64)


def _to_tai(ticks: NDArray[np.int64], scale: str) -> NDArray[np.int64]:
    match scale:
        case "tai":
            return ticks
        case "gps":
            return ticks + TAI_AHEAD_OF_GPS_US
        case "tt":
            return ticks - TT_AHEAD_OF_TAI_US
        case "tdb":
            return ticks - _tdb_ahead_of_tt_us(ticks) - TT_AHEAD_OF_TAI_US
    raise ValueError(f"time scale {scale!r} is not known; there are {', '.join(SCALES)}")


def _from_tai(ticks: NDArray[np.int64], scale: str) -> NDArray[np.int64]:
    if scale == "tdb":
        tt = ticks + TT_AHEAD_OF_TAI_US
        return tt + _tdb_ahead_of_tt_us(tt)
    ahead_of_tai = ticks - _to_tai(ticks, scale)
    return ticks + ahead_of_tai


def _tdb_ahead_of_tt_us(ticks: NDArray[np.int64]) -> NDArray[np.int64]:
    """TDB - TT [µs]: Kaplan (2005), USNO Circular 179, eq. 2.6."""
    century = (ticks - as_ticks(J2000)) / CENTURY_US
    total = sum(size * np.sin(rate * century + phase) for size, rate, phase in TDB_TERMS)
    size, rate, phase = TDB_GROWING
    return np.rint(1e6 * (total + size * century * np.sin(rate * century + phase))).astype(np.int64)


def _parsed(texts: str | Sequence[str] | NDArray[np.str_], scale: str) -> Instants:
    values = np.asarray(texts, np.str_)
    found = [_text_parts(text) for text in values.flat]
    utc = np.array([instant for instant, _ in found], "datetime64[us]").reshape(values.shape)
    in_leap = np.array([leap for _, leap in found], bool).reshape(values.shape)
    tai = from_utc(utc, "tai")
    tai = np.where(in_leap, tai + np.timedelta64(1_000_000, "us"), tai)
    held = to_utc(tai, "tai")
    wrong = in_leap & ~(held - utc < np.timedelta64(1_000_000, "us"))
    if wrong.any():
        raise ValueError(f"{values[wrong].flat[0]}: no second was inserted there")
    if scale == "utc":
        return np.where(in_leap, held, utc)
    if np.isnat(tai).any():
        raise ValueError(f"{values[np.isnat(tai)].flat[0]}: before 1972 UTC has no whole offset to TAI")
    return tai


def _text_parts(text: str) -> tuple[np.datetime64, bool]:
    """The instant a text states, one second early if it is in second 60, and whether it is."""
    found = TEXT.fullmatch(text.strip())
    if not found:
        raise ValueError(f"{text!r} is no UTC instant such as 2016-12-31T23:59:60.5")
    date, minute, second, part = found[1], found[2] or "00:00", found[3] or "00", (found[4] or ".0")[:7]
    leap = second == "60"
    digits = part if len(part) > 1 else ".0"
    return np.datetime64(f"{date}T{minute}:{'59' if leap else second}{digits}", "us"), leap
