"""Parameters of relations and of flows: the type of each, the bounds it keeps, and how a person types it."""

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

from lake.errors import QueryError

TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
NOTHING = ("none", "null")
NUMBERS = (int, float)
KINDS: dict[type | None, str] = {
    bool: "true or false", int: "a whole number", float: "a number", str: "text", datetime: "a UTC time",
    Path: "a path", None: "a value",
}  # fmt: skip
BOUND = re.compile(r"(above|at least|below|at most) (?:\$([a-z_]\w*)|([-+]?[\d.]+(?:e[-+]?\d+)?))")
TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "above": operator.gt, "at least": operator.ge, "below": operator.lt, "at most": operator.le,
}  # fmt: skip
WHOLE, INFINITE = "whole", "may be infinite"


@dataclass(frozen=True)
class Bound:
    """One side on which a value is bounded.

    Attributes
    ----------
    word : `above`, `at least`, `below` or `at most`.
    limit : a number, or the name of another parameter.
    """

    word: str
    limit: float | str

    def __str__(self) -> str:
        return f"{self.word} ${self.limit}" if isinstance(self.limit, str) else f"{self.word} {self.limit}"

    def allows(self, value: Any, others: Mapping[str, Any]) -> bool:
        """Whether a value is on the right side; one beside a parameter that is not among `others` is."""
        limit = others.get(self.limit) if isinstance(self.limit, str) else self.limit
        return limit is None or TESTS[self.word](value, limit)

    def told(self, others: Mapping[str, Any]) -> str:
        """The bound with the value of the parameter that it names."""
        is_known = isinstance(self.limit, str) and self.limit in others
        return f"{self.word} {self.limit} = {others[str(self.limit)]}" if is_known else str(self)


@dataclass(frozen=True)
class Parameter:
    """A parameter of a relation or of a flow.

    Attributes
    ----------
    name, doc, unit : as the header of a file or the signature of a function states them.
    kind : Python type of its values; None takes any, and DuckDB fits text itself.
    default : its value where none is given; None means that one must be, but where it `is_optional`.
    bounds : what its values must keep.
    is_infinite : whether an infinite number is a value; NaN never is.
    many : `list` or `tuple` where it takes several values.
    is_optional : whether None is a value.
    """

    name: str
    doc: str = ""
    unit: str = ""
    kind: type | None = None
    default: Any = None
    bounds: tuple[Bound, ...] = ()
    is_infinite: bool = False
    many: type | None = None
    is_optional: bool = False

    def __str__(self) -> str:
        start = f"${self.name}" if self.default is None else f"${self.name} = {plain(self.default)}"
        is_whole = self.kind is int and self.default is None
        words = [*([WHOLE] if is_whole else []), *map(str, self.bounds), *([INFINITE] if self.is_infinite else [])]
        return "  ".join(filter(None, [start, self.doc, self.unit and f"[{self.unit}]", ", ".join(words)]))

    def value(self, given: Any) -> Any:
        """A given value, or what a person typed, in the parameter's type.

        Raises
        ------
        QueryError
            It is no such value, or outside the bounds that are numbers.
        """
        if self.is_optional and (given is None or str(given).lower() in NOTHING):
            return None
        try:
            if self.many is None:
                return self._one(given)
            parts = [part.strip() for part in given.split(",") if part.strip()] if isinstance(given, str) else given
            return self.many(self._one(part) for part in parts)
        except (ValueError, TypeError, KeyError, OverflowError):
            raise self._refusal(given, {}) from None

    def check(self, value: Any, others: Mapping[str, Any]) -> None:
        """That a value keeps its bounds beside the values of other parameters.

        Raises
        ------
        QueryError
            It doesn't.
        """
        if value is not None and not all(bound.allows(value, others) for bound in self.bounds):
            raise self._refusal(value, others)

    def _refusal(self, given: Any, others: Mapping[str, Any]) -> QueryError:
        is_finite = self.kind is float and not self.is_infinite
        kind = "a finite number" if is_finite else KINDS.get(self.kind, "a value")
        kind = f"{kind}, or several with commas between" if self.many else kind
        bounds = " and ".join(bound.told(others) for bound in self.bounds)
        words = " ".join(filter(None, [kind, bounds, "" if self.unit == "1" else self.unit and f"[{self.unit}]"]))
        shown = repr(given) if isinstance(given, str) else given
        return QueryError(f"{self.name}: found {shown}, expected {words}")

    def _one(self, given: Any) -> Any:
        """One value in the type.

        Raises
        ------
        ValueError, TypeError, KeyError, OverflowError
            It is none.
        """
        if hasattr(given, "item") and getattr(given, "ndim", 0) == 0:
            given = given.item()
        if self.kind is not None:
            found = as_kind(given, self.kind)
        else:
            found = guessed(given) if not isinstance(given, str) or self.unit else given
        if isinstance(found, float) and not (math.isfinite(found) or (self.is_infinite and not math.isnan(found))):
            raise ValueError
        if not all(bound.allows(found, {}) for bound in self.bounds):
            raise ValueError
        return found


def plain(value: Any) -> str:
    """A value as a header states it."""
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, int | float) else "'" + str(value).replace("'", "''") + "'"


def guessed(given: Any) -> Any:
    """A typed value of a text that looks like a number or an instant; anything else as it is."""
    if not isinstance(given, str):
        return utc(given) if isinstance(given, date) else given
    for kind in (int, float, datetime):
        try:
            return as_kind(given, kind)
        except ValueError:
            pass
    return given


def as_kind(given: Any, kind: type) -> Any:
    """A value in a type.

    Raises
    ------
    ValueError, TypeError, KeyError, OverflowError
        It is none of that type.
    """
    if kind is bool:
        return given if isinstance(given, bool) else TRUTHS[str(given).lower()]
    if kind is datetime:
        return utc(given if isinstance(given, date) else datetime.fromisoformat(str(given)))
    if kind in NUMBERS and isinstance(given, bool):
        raise TypeError
    found = kind(given)
    if kind is int and (abs(found) >= 1 << 63 or (not isinstance(given, str) and found != given)):
        raise ValueError
    return found


def utc(moment: date) -> datetime:
    """UTC without a zone, which is what the tables hold."""
    from datetime import UTC

    if not isinstance(moment, datetime):
        return datetime.combine(moment, time())
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
