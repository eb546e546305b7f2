"""Values as kernels want them: masks become NaN, or a number that means missing; rules are found by instrument."""

from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
V = TypeVar("V")


def floats(values: ArrayLike) -> Floats:
    """A new float64 array of the same shape, NaN where the values are masked."""
    if isinstance(values, np.ma.MaskedArray):
        return np.asarray(np.ma.filled(values.astype(np.float64), np.nan))
    return np.array(values, np.float64)


def whole(values: NDArray[Any], missing: int) -> NDArray[np.int64]:
    """A new int64 array of the same shape, `missing` where the values are masked, whatever their own type can hold."""
    filled: NDArray[np.int64] = np.ma.filled(values.astype(np.int64), missing)
    return filled


def of_instrument(table: Mapping[tuple[str, str], V], telescope: str, instrument: str) -> V | None:
    """The entry of an instrument, by telescope and beginning of its name."""
    who, what = telescope.strip().upper(), instrument.strip().upper()
    return next((value for (t, i), value in table.items() if t == who and what.startswith(i)), None)
