"""Keywords of a table of events, and its times in seconds whatever unit they are stated in."""

from typing import Any

import numpy as np

from lake.clocks import UNIT_SECONDS
from lake.errors import SourceError
from lake.kernels.values import Floats, floats
from lake.source import Part, Source


class Keywords:
    """Keywords of a table, else (unless it is looked at alone) of the file.

    Attributes
    ----------
    file : name of the file, for messages.
    all : every keyword in capitals, with its value.
    """

    def __init__(self, source: Source, part: Part, *, alone: bool = False) -> None:
        self.file = source.uri.rsplit("/", 1)[-1]
        header = part.header if alone else {**source.header, **part.header}
        self.all = {key.upper(): value for key, value in header.items()}

    def text(self, *names: str) -> str:
        """The first of some keywords that says something, as text; empty where none does."""
        return next((str(v).strip() for n in names if (v := self.all.get(n)) not in (None, "")), "")

    def number(self, *names: str) -> float | None:
        """The first of some keywords that is a finite number, in its own unit; None where none is."""
        return next((v for n in names if (v := finite(self.all.get(n))) is not None), None)

    def time_zero(self) -> float:
        """What is to be added to stored times [TIMEUNIT], 0 where nothing is stated.

        Raises
        ------
        SourceError
            It is no number, so that no time of the file is known.
        """
        stated, number = self.text("TIMEZERO"), self.number("TIMEZERO")
        if stated and number is None:
            raise SourceError(f"{self.file}: found TIMEZERO = {stated!r}, expected a finite number of seconds or days")
        return number or 0.0

    def seconds_in(self, unit: str) -> float:
        """Length of a unit as a file states it [s]; where it states none, it means seconds.

        Raises
        ------
        SourceError
            It is no unit of time that is known.
        """
        if unit and unit.lower() not in UNIT_SECONDS:
            raise SourceError(f"{self.file}: found times in {unit!r}, expected one of {', '.join(UNIT_SECONDS)}")
        return UNIT_SECONDS[unit.lower()] if unit else 1.0

    def seconds(self, part: Part, name: str, unit: str) -> Floats:
        """A column of times.

        Parameters
        ----------
        part, name : its table and its name there.
        unit : what it is in where it states no unit of its own.

        Returns
        -------
        float64, shape (n_rows,)
            Times [s]; NaN where there is none.

        Raises
        ------
        SourceError
            It holds no numbers, or its unit is not known.
        """
        stored = part.column(name)
        if stored is None or stored.dtype.kind not in "biuf":
            found = "nothing" if stored is None else "text"
            raise SourceError(f"{self.file}: {part.name} {name}: found {found}, expected numbers")
        return floats(stored) * self.seconds_in(part.unit(name) or unit)


def finite(value: Any) -> float | None:
    """The value of a keyword as a number in its own unit; None where it is none, NaN or infinite."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and np.isfinite(value) else None
