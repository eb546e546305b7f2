"""Clocks of archives: counts of seconds, days or nanoseconds since an epoch, and UTC.

Arrays of any shape come back in the same shape, empty ones too. Fills, NaN, what is masked and what no calendar holds
become NaT, and NaT becomes NaN or the fill; before 1972 so do the scales that count leap seconds (see `lake.times`).
Numbers where instants are expected, and instants where numbers are, raise ValueError.

Sources: Rots et al. (2015), A&A 574, A36, for FITS; NASA's CDF User's Guide, epoch data types; IS-GPS-200 for GPS time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lake.times import DAY_US, J2000, NOT_A_TIME, Instants, Masked, as_instants, as_ticks, from_utc, of_ticks, to_utc

MJD_EPOCH = np.datetime64("1858-11-17", "us")
GPS_EPOCH = np.datetime64("1980-01-06", "us")
UNIX_EPOCH = np.datetime64("1970-01-01", "us")
# The clock of a mission starts within this many days of MJD 0 (27,000 years), or there is no calendar for it.
MOST_DAYS = 1e7
# Milliseconds from year 0, where CDF epochs start, to 1970.
CDF_UNIX_MS = 62_167_219_200_000
UNIT_SECONDS = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1.0),
    **dict.fromkeys(("d", "day", "days"), 86400.0),
    "ns": 1e-9,
    "us": 1e-6,
    "ms": 1e-3,
    "min": 60.0,
    "h": 3600.0,
}
# Values of TIMESYS, by the scale they name.
SYSTEMS = {"UTC": "utc", "TAI": "tai", "TT": "tt", "TDT": "tt", "ET": "tt", "TDB": "tdb", "GPS": "gps"}


@dataclass(frozen=True)
class Clock:
    """A mission's time: seconds of a scale since a zero point.

    Attributes
    ----------
    mjd_day, mjd_fraction : zero point as a whole and a part of a day, in the clock's own scale [d].
    zero_s : what is to be added to a stored time [s].
    scale : one of SCALES.
    unit_s : length of one unit of a stored time [s].

    References
    ----------
    Rots et al. (2015), A&A 574, A36: time coordinates in FITS.
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
        """The clock that FITS keywords describe.

        Parameters
        ----------
        header : mapping
            MJDREFI and MJDREFF [d], else MJDREF [d]; TIMESYS, TT where it is missing; TIMEUNIT, else seconds; TIMEZERO
            in that unit, else 0. Names are matched in any case.

        Returns
        -------
        The clock; None where there is no MJDREF, the scale or the unit is unknown, or a number is none or NaN.
        """
        words = {key.upper(): value for key, value in header.items() if value not in (None, "")}
        scale = SYSTEMS.get(str(words.get("TIMESYS", "TT")).strip().upper())
        unit = UNIT_SECONDS.get(str(words.get("TIMEUNIT", "s")).strip().lower())
        is_split = "MJDREFI" in words
        try:
            whole = float(words["MJDREFI" if is_split else "MJDREF"])
            part = float(words.get("MJDREFF", 0.0)) if is_split else 0.0
            zero = float(words.get("TIMEZERO", 0.0))
        except (KeyError, TypeError, ValueError):
            return None
        is_held = abs(whole) < MOST_DAYS and abs(part) < MOST_DAYS and np.isfinite(zero)
        if scale is None or unit is None or not is_held:
            return None
        day = int(np.floor(whole))
        return cls(day, whole - day + part, zero * unit, scale, unit)


def mission_to_utc(times: ArrayLike, clock: Clock) -> Instants:
    """Times of a mission's clock as UTC.

    Parameters
    ----------
    times : float, shape (...)
        As stored [unit of the clock].
    clock : Clock

    Returns
    -------
    datetime64[us], shape (...)
        NaT for NaN and what is masked, and before 1972 where the clock's scale is not UTC.

    Raises
    ------
    ValueError
        Times are no numbers, or the clock's scale is not known.
    """
    values = _numbers(times)
    whole = np.floor(values)
    # the zero is added to the small part, so that no digit of the large one is lost
    part = (values - whole) * clock.unit_s + clock.zero_s
    return to_utc(_after(clock.epoch, whole, clock.unit_s, part / clock.unit_s), clock.scale)


def utc_to_mission(utc: ArrayLike, clock: Clock) -> NDArray[np.float64]:
    """UTC as times of a mission's clock.

    Parameters
    ----------
    utc : datetime64, shape (...)
    clock : Clock

    Returns
    -------
    float64, shape (...)
        [unit of the clock]; NaN for NaT, and before 1972 where the clock's scale is not UTC.

    Raises
    ------
    ValueError
        Values are no instants, or the clock's scale is not known.
    """
    return (_seconds_since(clock.epoch, from_utc(utc, clock.scale)) - clock.zero_s) / clock.unit_s


def mjd_to_utc(mjd: ArrayLike, scale: str = "utc", fraction: ArrayLike = 0.0) -> Instants:
    """Modified Julian Dates of a scale as UTC.

    Parameters
    ----------
    mjd : float, shape (...)
        Dates [d]; a float64 of today resolves 0.6 µs.
    scale : str
        One of SCALES; a day of UTC has 86,400 s here, also where a leap second ends it.
    fraction : float, shape (...)
        More of the dates [d], which keeps digits that one float64 would lose.

    Returns
    -------
    datetime64[us], shape (...)
        NaT for NaN and what is masked, and before 1972 where the scale is not UTC.

    Raises
    ------
    ValueError
        Dates are no numbers, or the scale is not known.
    """
    date = _numbers(mjd)
    day = np.floor(date)
    return to_utc(_after(MJD_EPOCH, day, 86400.0, (date - day) + _numbers(fraction)), scale)


def utc_to_mjd(utc: ArrayLike, scale: str = "utc") -> NDArray[np.float64]:
    """UTC, shape (...), as Modified Julian Dates of a scale [d], float64: 0.6 µs today; NaN for NaT."""
    return _seconds_since(MJD_EPOCH, from_utc(utc, scale)) / 86400.0


def gps_to_utc(seconds: ArrayLike) -> Instants:
    """Seconds of GPS time since 1980-01-06 [s], shape (...), as UTC; NaT for NaN."""
    return to_utc(_after(GPS_EPOCH, seconds), "gps")


def utc_to_gps(utc: ArrayLike) -> NDArray[np.float64]:
    """UTC, shape (...), as seconds of GPS time since 1980-01-06 [s], float64; NaN for NaT."""
    return _seconds_since(GPS_EPOCH, from_utc(utc, "gps"))


def unix_to_utc(seconds: ArrayLike) -> Instants:
    """Unix times [s], shape (...), which know no leap seconds, as UTC; NaT for NaN."""
    return _after(UNIX_EPOCH, seconds)


def utc_to_unix(utc: ArrayLike) -> NDArray[np.float64]:
    """UTC, shape (...), as Unix times [s], float64; NaN for NaT."""
    return _seconds_since(UNIX_EPOCH, as_instants(utc))


def cdf_epoch_to_utc(milliseconds: ArrayLike) -> Instants:
    """CDF EPOCH [ms], shape (...), since year 0 without leap seconds, as UTC; NaT for NaN and the fill -1e31."""
    return _after(UNIX_EPOCH, _numbers(milliseconds) - CDF_UNIX_MS, 1e-3)


def utc_to_cdf_epoch(utc: ArrayLike) -> NDArray[np.float64]:
    """UTC, shape (...), as CDF EPOCH [ms], float64: 8 µs today; NaN for NaT."""
    return _seconds_since(UNIX_EPOCH, as_instants(utc)) * 1e3 + CDF_UNIX_MS


def cdf_epoch16_to_utc(pairs: ArrayLike) -> Instants:
    """CDF EPOCH16 as UTC.

    Parameters
    ----------
    pairs : float, shape (..., 2), or complex, shape (...)
        Seconds since year 0 [s], without leap seconds, and picoseconds after them [ps].

    Returns
    -------
    datetime64[us], shape (...)
        NaT for NaN and the fill -1e31.

    Raises
    ------
    ValueError
        The last axis is not two long, or values are no numbers.
    """
    given: Masked = np.ma.asarray(pairs)
    if given.dtype.kind == "c":
        given = np.ma.stack([given.real, given.imag], -1)
    if given.shape[-1:] != (2,):
        raise ValueError(f"CDF EPOCH16: found shape {given.shape}, expected (..., 2)")
    values = _numbers(given)
    return _after(UNIX_EPOCH, values[..., 0] - CDF_UNIX_MS // 1000, 1.0, values[..., 1] * 1e-12)


def utc_to_cdf_epoch16(utc: ArrayLike) -> NDArray[np.float64]:
    """UTC, shape (...), as CDF EPOCH16, float64, shape (..., 2): seconds [s] and picoseconds [ps]; NaN for NaT."""
    times = as_instants(utc)
    whole, part = np.divmod(as_ticks(times), 1_000_000)
    pair = np.stack([whole + float(CDF_UNIX_MS // 1000), part * 1e6], -1)
    return np.where(np.isnat(times)[..., None], np.nan, pair)


def tt2000_to_utc(nanoseconds: ArrayLike) -> Instants:
    """CDF TT2000 as UTC.

    Parameters
    ----------
    nanoseconds : int64, shape (...)
        Nanoseconds of TT since 2000-01-01T12 [ns].

    Returns
    -------
    datetime64[us], shape (...)
        What is finer than a microsecond is cut; NaT before 1972, where the format's fill and pad values lie as well.

    Raises
    ------
    ValueError
        Counts are other than int64.
    """
    count: Masked = np.ma.asarray(nanoseconds, np.int64 if np.size(nanoseconds) == 0 else None)
    if count.dtype.kind not in "iu" or not np.can_cast(count.dtype, np.int64):
        raise ValueError(f"CDF TT2000: found {count.dtype}, expected int64")
    ticks = as_ticks(J2000) + np.floor_divide(np.ma.filled(count.astype(np.int64), NOT_A_TIME), 1000)
    return to_utc(of_ticks(ticks), "tt")


def utc_to_tt2000(utc: ArrayLike) -> NDArray[np.int64]:
    """UTC, shape (...), as CDF TT2000 [ns], int64; its fill where it holds no time (NaT, before 1972, past 2292)."""
    tt = from_utc(utc, "tt")
    since = as_ticks(tt) - as_ticks(J2000)
    held = ~np.isnat(tt) & (np.abs(since) < np.iinfo(np.int64).max // 1000)
    return np.where(held, np.where(held, since, 0) * 1000, NOT_A_TIME)


def _after(epoch: np.datetime64, whole: ArrayLike, unit_s: float = 1.0, part: ArrayLike = 0.0) -> Instants:
    """Instants `whole + part` units after an epoch, to the nearest µs; NaT where no calendar holds them."""
    whole = _numbers(whole)
    floor = np.floor(whole)
    rest = (whole - floor + _numbers(part)) * (unit_s * 1e6)
    large = floor * (unit_s * 1e6)
    held = (np.abs(large) < 2.0**61) & (np.abs(rest) < 2.0**61)
    ticks = np.rint(np.where(held, large, 0)).astype(np.int64) + np.rint(np.where(held, rest, 0)).astype(np.int64)
    return of_ticks(np.where(held, ticks + as_ticks(epoch), NOT_A_TIME))


def _numbers(values: ArrayLike) -> NDArray[np.float64]:
    """The values as float64, NaN where they are masked or too large for any calendar."""
    given: Masked = np.ma.asarray(values)
    if given.dtype.kind not in "biuf":
        raise ValueError(f"numbers: found {given.dtype}, expected int or float")
    numbers = np.ma.filled(given.astype(np.float64), np.nan)
    return np.where(np.abs(numbers) < 1e17, numbers, np.nan)


def _seconds_since(epoch: np.datetime64, instants: Instants) -> NDArray[np.float64]:
    ticks = as_ticks(instants) - as_ticks(epoch)
    return np.where(np.isnat(instants), np.nan, ticks / 1e6)
