"""What the log knows of the values in files: their least and greatest, as columns that are compared at once."""

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

if TYPE_CHECKING:
    from lake.log import Piece
    from lake.schema import Table
    from lake.where import Wanted

# Printed floats are read back as decimals, and bounds of a 32-bit column are compared as 64 bits.
SLACK = {"float": 1e-6, "halffloat": 1e-2, "double": 1e-12}
Sides = tuple[pa.Array, pa.Array]
Flags = NDArray[np.bool_]


class Bounds:
    """The bounds of some files; those of a column are laid out when it is first asked for.

    Attributes
    ----------
    pieces : the files, in the order of the places.
    """

    def __init__(self, pieces: Sequence["Piece"]) -> None:
        self.pieces = tuple(pieces)
        self._columns: dict[tuple[str, pa.DataType], Sides] = {}

    def of(self, column: str, kind: pa.DataType) -> Sides:
        """Least and greatest value of a column in each file: a little wider for floats, null where not known."""
        if (column, kind) not in self._columns:
            self._columns[column, kind] = self._side(column, kind, 0), self._side(column, kind, 1)
        return self._columns[column, kind]

    def _side(self, column: str, kind: pa.DataType, side: int) -> pa.Array:
        values = [p.stats[column][side] if column in p.stats and column in p.columns else None for p in self.pieces]
        if pa.types.is_timestamp(kind):
            instants = np.array([value[:-1] if value else "NaT" for value in values], "datetime64[us]")
            return pa.array(instants).cast(kind, safe=False)
        if pa.types.is_floating(kind):
            widest = max((SLACK.get(p.columns.get(column, ""), 0.0) for p in self.pieces), default=0.0)
            numbers = np.array([np.nan if value is None else value for value in values], np.float64)
            margin = np.abs(numbers) * widest + 1e-300
            return pa.array(numbers + margin if side else numbers - margin, from_pandas=True)
        try:
            return pa.array(values, kind)
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError):
            return pa.nulls(len(values), kind)

    def matching(self, table: "Table", where: Mapping[str, "Wanted"]) -> list["Piece"]:
        """Files that may hold rows with these values, or in these spans.

        Parameters
        ----------
        where : as `lake.where.conditions` gives it.
        """
        kinds = {c.name: c.type for c in table.columns}
        kept = np.ones(len(self.pieces), bool)
        for column, wanted in where.items():
            kept &= self._may_match(*self.of(column, kinds[column]), wanted)
        return [self.pieces[place] for place in np.flatnonzero(kept)]

    def _may_match(self, least: pa.Array, most: pa.Array, wanted: "Wanted") -> Flags:
        def holds(compare: str, bound: pa.Array, value: object) -> Flags:
            if value is None:
                return np.ones(len(bound), bool)
            found = pc.call_function(compare, [bound, pa.scalar(value, bound.type)])
            flags: Flags = pc.fill_null(found, True).to_numpy(zero_copy_only=False)
            return flags

        try:
            if isinstance(wanted, tuple):
                return holds("greater_equal", most, wanted[0]) & holds("less", least, wanted[1])
            each = (holds("less_equal", least, v) & holds("greater_equal", most, v) for v in wanted)
            found: Flags = reduce(np.logical_or, each, np.zeros(len(least), bool))
            return found
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            return np.ones(len(least), bool)
