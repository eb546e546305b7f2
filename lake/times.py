"""Instants between time scales: TAI, TT, TDB, GPS, MJD, Unix, mission clocks, CDF epochs, and UTC.

An instant is `datetime64[us]`, its calendar that of the scale it is in. UTC here is a calendar of 86,400-second days,
so an instant inside a leap second has no place of its own: it is held at 23:59:59.999999, which keeps the order of
instants and their date. Text can tell the two apart, and so can TAI: `tai_of_text` and `text_of_tai` lose nothing.

Leap seconds began in 1972, so a UTC from before has no whole offset to TAI: it becomes NaT wherever an offset is
needed. After the last leap second known to the installed ERFA none is assumed. Fills, NaN and what no calendar holds
become NaT as well.

TDB is taken at the geocentre, good to 10 µs. Barycentred times keep the name TDB: their UTC is that of a clock at the
solar-system barycentre, up to 500 s from the observatory's.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Instants = NDArray[np.datetime64]

SCALES = ("utc", "tai", "tt", "tdb", "gps")
DAY_US = 86_400_000_000
TT_AHEAD_OF_TAI_US = 32_184_000
TAI_AHEAD_OF_GPS_US = 19_000_000
MJD_EPOCH = np.datetime64("1858-11-17", "us")
GPS_EPOCH = np.datetime64("1980-01-06", "us")
UNIX_EPOCH = np.datetime64("1970-01-01", "us")
J2000 = np.datetime64("2000-01-01T12", "us")
# Milliseconds from year 0, where CDF epochs start, to 1970.
CDF_UNIX_MS = 62_167_219_200_000
NOT_A_TIME = np.iinfo(np.int64).min
UNIT_SECONDS = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1.0),
    **dict.fromkeys(("d", "day", "days"), 86400.0),
    "us": 1e-6,
    "ms": 1e-3,
    "min": 60.0,
    "h": 3600.0,
}
# Amplitude [s], rate [rad per Julian century], phase [rad] of TDB - TT; the last one grows with time.
TDB_TERMS = (
    (1657e-6, 628.3076, 6.2401), (22e-6, 575.3385, 4.2970), (14e-6, 1256.6152, 6.1969), (5e-6, 606.9777, 4.0212),
    (5e-6, 52.9691, 0.4444), (2e-6, 21.3299, 5.5431),
)  # fmt: skip
TDB_GROWING = (10e-6, 628.3076, 4.2490)
CENTURY_US = 36525 * DAY_US
TEXT = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(?::(\d\d)(\.\d*)?)?)?Z?")


@dataclass(frozen=True)
class Clock:
    """A mission's time: seconds of a scale since a zero point.

    Attributes
    ----------
    mjd_day, mjd_fraction : zero point as a whole and a part of a day, in the clock's own scale [d].
    zero_s : what is to be added to a stored time [s].
    scale : one of SCALES.
    unit_s : seconds in one unit of a stored time.
    """

    mjd_day: int
    mjd_fraction: float = 0.0
    zero_s: float = 0.0
    scale: str = "tt"
    unit_s: float = 1.0

    @property
    def epoch(self) -> np.datetime64:
        """The zero point, in the clock's own scale."""
        fraction = np.timedelta64(round(self.mjd_fraction * DAY_US), "us")
        return MJD_EPOCH + np.timedelta64(self.mjd_day * DAY_US, "us") + fraction

    @classmethod
    def of_header(cls, header: Mapping[str, Any]) -> "Clock | None":
        """The clock that FITS keywords describe; None where there is no MJDREF or the scale is unknown.

        TIMESYS is TT where it is missing, TIMEUNIT seconds, TIMEZERO 0.
        """
        words = {key.upper(): value for key, value in header.items() if value not in (None, "")}
        scale = SYSTEMS.get(str(words.get("TIMESYS", "TT")).strip().upper())
        unit = UNIT_SECONDS.get(str(words.get("TIMEUNIT", "s")).strip().lower())
        if scale is None or unit is None or not {"MJDREF", "MJDREFI"} & set(words):
            return None
        whole = float(words.get("MJDREFI", words.get("MJDREF", 0.0)))
        part = float(words.get("MJDREFF", 0.0)) if "MJDREFI" in words else 0.0
        if not np.isfinite([whole, part]).all():
            return None
        day = int(np.floor(whole))
        return cls(day, whole - day + part, float(words.get("TIMEZERO", 0.0)) * unit, scale, unit)


SYSTEMS = {"UTC": "utc", "TAI": "tai", "TT": "tt", "TDT": "tt", "ET": "tt", "TDB": "tdb", "GPS": "gps"}


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
    times = _instants(instants)
    if scale == "utc":
        return times
    starts, offsets = _leap_seconds()
    tai = _to_tai(_ticks(times), scale)
    place = np.searchsorted(starts + offsets, tai, side="right") - 1
    day_ends = np.append(starts[1:], np.iinfo(np.int64).max) - 1
    utc = np.minimum(tai - offsets[place], day_ends[place])
    return _from_ticks(np.where((place < 0) | np.isnat(times), NOT_A_TIME, utc))


def from_utc(utc: ArrayLike, scale: str) -> Instants:
    """UTC instants in another scale; NaT before 1972, unless `scale` is utc.

    Raises
    ------
    ValueError
        The scale is not known.
    """
    times = _instants(utc)
    if scale == "utc":
        return times
    starts, offsets = _leap_seconds()
    ticks = _ticks(times)
    place = np.searchsorted(starts, ticks, side="right") - 1
    other = _from_tai(ticks + offsets[place], scale)
    return _from_ticks(np.where((place < 0) | np.isnat(times), NOT_A_TIME, other))


def mjd_to_utc(mjd: ArrayLike, scale: str = "utc", fraction: ArrayLike = 0.0) -> Instants:
    """Modified Julian Dates of a scale as UTC.

    A float64 date of today resolves 0.6 µs; `fraction` [d] carries more. A day of UTC has 86,400 s here, also where a
    leap second ends it.
    """
    date = _numbers(mjd)
    day = np.floor(date)
    return to_utc(_after(MJD_EPOCH, day, 86400.0, (date - day) + np.asarray(fraction, np.float64)), scale)


def utc_to_mjd(utc: ArrayLike, scale: str = "utc") -> NDArray[np.float64]:
    """Modified Julian Dates of a scale [d], float64: 0.6 µs today; NaN for NaT."""
    return _seconds_since(MJD_EPOCH, from_utc(utc, scale)) / 86400.0


def gps_to_utc(seconds: ArrayLike) -> Instants:
    """Seconds of GPS time since 1980-01-06 as UTC."""
    return to_utc(_after(GPS_EPOCH, seconds), "gps")


def utc_to_gps(utc: ArrayLike) -> NDArray[np.float64]:
    """UTC as seconds of GPS time since 1980-01-06 [s]."""
    return _seconds_since(GPS_EPOCH, from_utc(utc, "gps"))


def unix_to_utc(seconds: ArrayLike) -> Instants:
    """Unix times [s], which know no leap seconds, as UTC."""
    return _after(UNIX_EPOCH, seconds)


def utc_to_unix(utc: ArrayLike) -> NDArray[np.float64]:
    """UTC as Unix times [s]; NaN for NaT."""
    return _seconds_since(UNIX_EPOCH, _instants(utc))


def mission_to_utc(times: ArrayLike, clock: Clock) -> Instants:
    """Times of a mission's clock, in its unit, as UTC."""
    values = _numbers(times)
    whole = np.floor(values)
    # the zero is added to the small part, so that no digit of the large one is lost
    part = (values - whole) * clock.unit_s + clock.zero_s
    return to_utc(_after(clock.epoch, whole, clock.unit_s, part / clock.unit_s), clock.scale)


def utc_to_mission(utc: ArrayLike, clock: Clock) -> NDArray[np.float64]:
    """UTC as times of a mission's clock, in its unit."""
    return (_seconds_since(clock.epoch, from_utc(utc, clock.scale)) - clock.zero_s) / clock.unit_s


def cdf_epoch_to_utc(milliseconds: ArrayLike) -> Instants:
    """CDF EPOCH, milliseconds since year 0 in a calendar without leap seconds, as UTC; the fill -1e31 is NaT."""
    return _after(UNIX_EPOCH, np.asarray(milliseconds, np.float64) - CDF_UNIX_MS, 1e-3)


def utc_to_cdf_epoch(utc: ArrayLike) -> NDArray[np.float64]:
    """UTC as CDF EPOCH [ms]."""
    return _seconds_since(UNIX_EPOCH, _instants(utc)) * 1e3 + CDF_UNIX_MS


def cdf_epoch16_to_utc(pairs: ArrayLike) -> Instants:
    """CDF EPOCH16 as UTC: seconds since year 0 and picoseconds, shape (..., 2), or one complex number a time."""
    values = np.asarray(pairs)
    if values.dtype.kind == "c":
        values = np.stack([values.real, values.imag], -1)
    return _after(UNIX_EPOCH, values[..., 0] - CDF_UNIX_MS // 1000, 1.0, values[..., 1] * 1e-12)


def utc_to_cdf_epoch16(utc: ArrayLike) -> NDArray[np.float64]:
    """UTC as CDF EPOCH16, shape (..., 2): seconds since year 0, and picoseconds."""
    times = _instants(utc)
    whole, part = np.divmod(_ticks(times), 1_000_000)
    pair = np.stack([whole + float(CDF_UNIX_MS // 1000), part * 1e6], -1)
    return np.where(np.isnat(times)[..., None], np.nan, pair)


def tt2000_to_utc(nanoseconds: ArrayLike) -> Instants:
    """CDF TT2000, nanoseconds of TT since 2000-01-01T12 as int64, as UTC; its fill and pad are NaT."""
    count = np.asarray(nanoseconds, np.int64)
    ticks = _ticks(J2000) + np.floor_divide(count, 1000)
    return to_utc(_from_ticks(np.where(count <= NOT_A_TIME + 3, NOT_A_TIME, ticks)), "tt")


def utc_to_tt2000(utc: ArrayLike) -> NDArray[np.int64]:
    """UTC as CDF TT2000 [ns], int64; its fill where it holds no time (NaT, before 1972, past 2292)."""
    tt = from_utc(utc, "tt")
    since = _ticks(tt) - _ticks(J2000)
    held = ~np.isnat(tt) & (np.abs(since) < np.iinfo(np.int64).max // 1000)
    return np.where(held, np.where(held, since, 0) * 1000, NOT_A_TIME)


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
    times = _instants(tai)
    utc = to_utc(times, "tai")
    late = _ticks(times) - _ticks(from_utc(utc, "tai"))
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
    return np.datetime_as_string(_instants(utc), unit="us")


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
    century = (ticks - _ticks(J2000)) / CENTURY_US
    total = sum(size * np.sin(rate * century + phase) for size, rate, phase in TDB_TERMS)
    size, rate, phase = TDB_GROWING
    return np.rint(1e6 * (total + size * century * np.sin(rate * century + phase))).astype(np.int64)


def _after(epoch: np.datetime64, whole: ArrayLike, unit_s: float = 1.0, part: ArrayLike = 0.0) -> Instants:
    """Instants `whole + part` units after an epoch, to the nearest µs; NaT where no calendar holds them."""
    whole = _numbers(whole)
    floor = np.floor(whole)
    rest = (whole - floor + _numbers(part)) * (unit_s * 1e6)
    large = floor * (unit_s * 1e6)
    held = (np.abs(large) < 2.0**61) & (np.abs(rest) < 2.0**61)
    ticks = np.rint(np.where(held, large, 0)).astype(np.int64) + np.rint(np.where(held, rest, 0)).astype(np.int64)
    return _from_ticks(np.where(held, ticks + _ticks(epoch), NOT_A_TIME))


def _numbers(values: ArrayLike) -> NDArray[np.float64]:
    """The values as float64, NaN where they are too large for any calendar."""
    numbers = np.asarray(values, np.float64)
    return np.where(np.abs(numbers) < 1e17, numbers, np.nan)


def _seconds_since(epoch: np.datetime64, instants: Instants) -> NDArray[np.float64]:
    ticks = _ticks(instants) - _ticks(epoch)
    return np.where(np.isnat(instants), np.nan, ticks / 1e6)


def _instants(values: ArrayLike) -> Instants:
    return np.asarray(values, "datetime64[us]")


def _ticks(instants: Instants | np.datetime64) -> NDArray[np.int64]:
    """Microseconds since 1970; 0 for NaT, so that arithmetic on it cannot wrap round."""
    times = np.asarray(instants, "datetime64[us]")
    return np.where(np.isnat(times), 0, times.astype(np.int64))


def _from_ticks(ticks: NDArray[np.int64]) -> Instants:
    return ticks.astype("datetime64[us]")


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
