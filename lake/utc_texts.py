"""UTC as text, and back: `2016-12-31T23:59:60.5`.

As an instant of UTC a leap second is held at 23:59:59.999999 (see `lake.times`); as TAI it loses nothing.
"""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lake.times import Instants, as_instants, as_ticks, from_utc, to_utc

TEXT = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(?::(\d\d)(\.\d*)?)?)?Z?")


def tai_of_text(texts: str | Sequence[str] | NDArray[np.str_]) -> Instants:
    """UTC texts (`2016-12-31T23:59:60.5`) as TAI, leap seconds told from the seconds beside them.

    Parameters
    ----------
    texts : str, shape (...)
        Digits after the microsecond are cut; a text without a time is midnight.

    Returns
    -------
    datetime64[us], shape (...)
        TAI, never NaT.

    Raises
    ------
    ValueError
        A text is no instant, has a second 60 where none was inserted, or is from before 1972.
    """
    return _parsed(texts, "tai")


def text_of_tai(tai: ArrayLike) -> NDArray[np.str_]:
    """UTC texts of TAI instants, to the microsecond; an instant in a leap second has second 60.

    Parameters
    ----------
    tai : datetime64, shape (...)
        TAI.

    Returns
    -------
    str, shape (...)
        Such as `2016-12-31T23:59:60.500000`; `NaT` for NaT, and before 1972.

    Raises
    ------
    ValueError
        Values are no instants.
    """
    times = as_instants(tai)
    utc = to_utc(times, "tai")
    late = as_ticks(times) - as_ticks(from_utc(utc, "tai"))
    inside = (late > 0) & ~np.isnat(utc)
    text = np.array(np.datetime_as_string(utc, unit="us"), ndmin=1)
    parts = (late - 1) % 1_000_000
    for place in np.flatnonzero(inside):
        text.flat[place] = f"{text.flat[place][:17]}60.{parts.flat[place]:06d}"
    return text.reshape(times.shape)


def parse_utc(texts: str | Sequence[str] | NDArray[np.str_]) -> Instants:
    """UTC texts as instants, a leap second held at 23:59:59.999999.

    Parameters
    ----------
    texts : str, shape (...)
        Digits after the microsecond are cut; a text without a time is midnight.

    Returns
    -------
    datetime64[us], shape (...)
        UTC, never NaT.

    Raises
    ------
    ValueError
        A text is no instant, or has a second 60 where none was inserted.
    """
    return _parsed(texts, "utc")


def format_utc(utc: ArrayLike) -> NDArray[np.str_]:
    """UTC instants as texts, to the microsecond.

    Parameters
    ----------
    utc : datetime64, shape (...)
        UTC.

    Returns
    -------
    str, shape (...)
        Such as `2016-12-31T23:59:59.999999`; `NaT` for NaT.

    Raises
    ------
    ValueError
        Values are no instants.
    """
    return np.datetime_as_string(as_instants(utc), unit="us")


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
    day, minute, second, part = found.groups("") if found else ("", "", "", "")
    leap = second == "60"
    clock = f"{minute or '00:00'}:{'59' if leap else second or '00'}"
    try:
        return np.datetime64(f"{day}T{clock}.{part[1:7]:0<6}", "us"), leap
    except ValueError:
        raise ValueError(f"{text!r} is no UTC instant such as 2016-12-31T23:59:60.5") from None
