"""Instants of the time scales UTC, TAI, TT, TDB and GPS.

An instant is `datetime64[us]`, its calendar that of the scale it is in. UTC here is a calendar of 86,400-second days,
so an instant inside a leap second has no place of its own: it is held at 23:59:59.999999, which keeps the order of
instants and their date. TAI can tell the two apart, and so can text (`lake.utc_texts`).

Leap seconds began in 1972, so a UTC from before has no whole offset to TAI: it becomes NaT wherever an offset is
needed. After the last leap second known to the installed ERFA none is assumed. NaT and what is masked stay NaT, as
does an instant more than 146,000 years from 1970, lest a sum wrap round.

TDB is taken at the geocentre, good to 10 µs. Barycentred times keep the name TDB: their UTC is that of a clock at the
solar-system barycentre, up to 500 s from the observatory's.
"""

from datetime import date
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Instants = NDArray[np.datetime64]
Masked = np.ma.MaskedArray[Any, np.dtype[Any]]

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
HELD_YEARS = 146_000


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
        A leap second is held at 23:59:59.999999; NaT for NaT, and before 1972, unless `scale` is utc.

    Raises
    ------
    ValueError
        The scale is not known, or values are no instants.

    References
    ----------
    IERS Bulletin C, as ERFA holds it, for leap seconds; Kaplan (2005), USNO Circular 179, eq. 2.6, for TDB.
    """
    times = as_instants(instants)
    if scale == "utc":
        return times
    starts, offsets = _leap_seconds()
    tai = _to_tai(as_ticks(times), scale)
    place = np.searchsorted(starts + offsets, tai, side="right") - 1
    day_ends = np.append(starts[1:], np.iinfo(np.int64).max) - 1
    utc = np.minimum(tai - offsets[place], day_ends[place])
    return of_ticks(np.where(place < 0, NOT_A_TIME, utc))


def from_utc(utc: ArrayLike, scale: str) -> Instants:
    """UTC instants in another scale.

    Parameters
    ----------
    utc : datetime64, shape (...)
        UTC, no instant inside a leap second.
    scale : str
        One of SCALES.

    Returns
    -------
    datetime64[us], shape (...)
        In the calendar of `scale`; NaT for NaT, and before 1972, unless that is utc.

    Raises
    ------
    ValueError
        The scale is not known, or values are no instants.

    References
    ----------
    IERS Bulletin C, as ERFA holds it, for leap seconds; Kaplan (2005), USNO Circular 179, eq. 2.6, for TDB.
    """
    times = as_instants(utc)
    if scale == "utc":
        return times
    starts, offsets = _leap_seconds()
    ticks = as_ticks(times)
    place = np.searchsorted(starts, ticks, side="right") - 1
    other = _from_tai(ticks + offsets[place], scale)
    return of_ticks(np.where(place < 0, NOT_A_TIME, other))


def as_instants(values: ArrayLike) -> Instants:
    """Instants to the microsecond.

    Parameters
    ----------
    values : datetime64 of any unit, datetime, or ISO text, shape (...)
        In any calendar; None stands for NaT.

    Returns
    -------
    datetime64[us], shape (...)
        What is finer is cut; NaT for what is NaT or masked, or more than HELD_YEARS from 1970.

    Raises
    ------
    ValueError
        Values are no instants: numbers, whose unit and epoch nobody stated, or texts of another form.
    """
    given: Masked = np.ma.asarray(values)
    kind = given.dtype.kind
    is_dates = kind == "O" and all(isinstance(v, date | np.datetime64 | None) for v in given.flat)
    if kind not in "MU" and not is_dates and given.size:
        raise ValueError(f"instants: found {given.dtype}, expected datetime64")
    times = np.array(np.ma.getdata(given), None if kind == "M" else "datetime64[us]")
    years = times.astype("datetime64[Y]").astype(np.int64)
    # in the unit they came in: a coarse one can hold what would wrap round in microseconds
    times[np.ma.getmaskarray(given) | (np.abs(years) > HELD_YEARS)] = np.datetime64("NaT")
    return times.astype("datetime64[us]")


def as_ticks(times: ArrayLike) -> NDArray[np.int64]:
    """Microseconds since 1970.

    Parameters
    ----------
    times : datetime64, shape (...)
        In any calendar.

    Returns
    -------
    int64, shape (...)
        Ticks [µs]; 0 for NaT, which is before 1972 and lets no sum wrap round.

    Raises
    ------
    ValueError
        Values are no instants.
    """
    found = as_instants(times)
    return np.where(np.isnat(found), 0, found.astype(np.int64))


def of_ticks(ticks: NDArray[np.int64]) -> Instants:
    """Instants so many microseconds after 1970.

    Parameters
    ----------
    ticks : int64, shape (...)
        Ticks [µs]; NOT_A_TIME is NaT.

    Returns
    -------
    datetime64[us], shape (...)
        In the calendar that they were counted in.

    Raises
    ------
    ValueError
        Ticks are no whole numbers.
    """
    if ticks.dtype.kind != "i":
        raise ValueError(f"ticks: found {ticks.dtype}, expected int64")
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
