"""Values as kernels want them: numbers with one way to say missing, and rules found by instrument."""

from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Masked = np.ma.MaskedArray[Any, np.dtype[Any]]
V = TypeVar("V")


def floats(values: ArrayLike) -> Floats:
    """Numbers as a new float64 array.

    Parameters
    ----------
    values : bool, int or float, shape (...)
        Numbers [any unit].

    Returns
    -------
    float64, shape (...)
        The same, in the same unit; NaN where masked or NaN.

    Raises
    ------
    ValueError
        They are no real numbers.
    """
    filled: Floats = np.ma.filled(_numbers(values).astype(np.float64), np.nan)
    return filled


def whole(values: ArrayLike) -> Masked:
    """Whole numbers as a new masked int64 array.

    Parameters
    ----------
    values : bool, int or float, shape (...)
        Numbers of things, or bits [1].

    Returns
    -------
    int64, shape (...)
        Masked where masked, NaN, infinite, not whole, or beyond what int64 holds.

    Raises
    ------
    ValueError
        They are no real numbers.
    """
    given = _numbers(values)
    number, unknown = np.ma.getdata(given), np.ma.getmaskarray(given).copy()
    if number.dtype.kind == "f":
        number = number.astype(np.float64)
        unknown |= ~((np.abs(number) < 2.0**63) & (number == np.floor(number)))
    elif number.dtype.kind == "u":
        unknown |= number > np.iinfo(np.int64).max
    return np.ma.masked_array(np.where(unknown, 0, number).astype(np.int64), unknown)


def of_instrument(table: Mapping[tuple[str, str], V], telescope: str, instrument: str) -> V | None:
    """The entry of an instrument in a table of rules.

    Parameters
    ----------
    table : mapping
        By telescope and beginning of the instrument's name, both in capitals; the first that fits counts.
    telescope, instrument : str
        As TELESCOP and INSTRUME say, in any case.

    Returns
    -------
    The entry; None where there is none.
    """
    who, what = telescope.strip().upper(), instrument.strip().upper()
    return next((value for (t, i), value in table.items() if t == who and what.startswith(i)), None)


def _numbers(values: ArrayLike) -> Masked:
    given: Masked = np.ma.asarray(values)
    if given.dtype.kind not in "biuf":
        raise ValueError(f"numbers: found {given.dtype}, expected bool, int or float")
    return given
