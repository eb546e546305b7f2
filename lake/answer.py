"""The answer to a question: rows in Arrow, their units, and the commit they are of."""

import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from lake.errors import QueryError
from lake.log import Snapshot
from lake.units import unit_of_name

if TYPE_CHECKING:
    import polars
    import xarray
    from astropy.table import QTable

MOST_HTML = 50_000
CUT_NOTE = 400
ROWS_SHOWN = 10
COLUMNS_SHOWN = 100
CELL = 60


@dataclass(frozen=True, eq=False, repr=False)
class Answer:
    """Rows of one commit.

    Attributes
    ----------
    rows : the rows, in the order the question asks for.
    units : unit of each column that has one.
    commit : number of the commit.
    seconds : time the question took.
    """

    rows: pa.Table
    units: Mapping[str, str]
    commit: int
    seconds: float = 0.0

    def __len__(self) -> int:
        return int(self.rows.num_rows)

    def arrow(self) -> pa.Table:
        """The rows as an Arrow table, unit of each column in its field's metadata."""
        fields = []
        for f in self.rows.schema:
            unit = self.units.get(f.name)
            fields.append(f.with_metadata({**(f.metadata or {}), b"unit": unit.encode()}) if unit else f)
        return pa.Table.from_arrays(self.rows.columns, schema=pa.schema(fields))

    def pl(self) -> "polars.DataFrame":
        """The rows as a Polars frame."""
        import polars

        found = polars.from_arrow(self.rows)
        assert isinstance(found, polars.DataFrame)
        return found

    def qtable(self) -> "QTable":
        """The rows as an Astropy table: quantities where there are units, instants as UTC, nulls masked."""
        from astropy.table import QTable

        return QTable({f.name: _astropy(self.rows[f.name], self.units.get(f.name, "")) for f in self.rows.schema})

    def xarray(self, *dims: str) -> "xarray.Dataset":
        """The rows as a data set: a variable a column, units in its attributes.

        Parameters
        ----------
        dims : columns that become axes and together name a row; without them the one axis is `row`.

        Raises
        ------
        QueryError
            Rows have no name of their own in these axes.
        """
        import xarray

        found = xarray.Dataset(
            {f.name: ("row", _numpy(self.rows[f.name]), self._attributes(f.name)) for f in self.rows.schema}
        )
        if not dims:
            return found
        keys = self.rows.select(list(dims))
        if keys.group_by(list(dims)).aggregate([]).num_rows != keys.num_rows:
            raise QueryError(f"rows repeat in {', '.join(dims)}; name axes that tell them apart")
        one = found.set_index(row=list(dims)).unstack("row") if len(dims) > 1 else found.swap_dims(row=dims[0])
        return one.set_coords(list(dims))

    def _attributes(self, name: str) -> dict[str, str]:
        return {"units": self.units[name]} if name in self.units else {}

    def __repr__(self) -> str:
        shown = [f"{n} [{self.units[n]}]" if n in self.units else n for n in self.rows.column_names[:COLUMNS_SHOWN]]
        more = len(self.rows.column_names) - len(shown)
        names = ", ".join(shown) + (f" and {more} more" if more else "")
        n = len(self)
        return f"<Answer {n:,} row{'' if n == 1 else 's'}: {names}; commit {self.commit}, {self.seconds:.2f} s>"

    def _repr_html_(self) -> str:
        names = self.rows.column_names[:COLUMNS_SHOWN]
        head = _row("th", names)
        if any(n in self.units or _is_instant(self.rows[n]) for n in names):
            head += _row("th", [self.units.get(n, "UTC" if _is_instant(self.rows[n]) else "") for n in names])
        body = ""
        shown = 0
        for row in self.rows.select(names).slice(0, ROWS_SHOWN).to_pylist():
            line = _row("td", [_cell(value) for value in row.values()])
            if len(head) + len(body) + len(line) > MOST_HTML - CUT_NOTE:
                break
            body += line
            shown += 1
        cut = []
        if shown < len(self):
            cut.append(f"{shown} of {len(self):,} rows")
        if len(names) < self.rows.num_columns:
            cut.append(f"{len(names)} of {self.rows.num_columns:,} columns")
        note = f"; shown are {' and '.join(cut)}, <code>.arrow()</code> has all" if cut else ""
        foot = f"{len(self):,} rows, commit {self.commit}{note}"
        return f"<table><thead>{head}</thead><tbody>{body}</tbody></table><p>{foot}</p>"


def answered(rows: pa.Table, snapshot: Snapshot, tables: Mapping[str, Any], seconds: float) -> Answer:
    """The answer with its units.

    Parameters
    ----------
    tables : declared tables that the question opened.
    """
    return Answer(_plain(rows), units_of(rows.column_names, tables), snapshot.number, seconds)


def units_of(names: list[str], tables: Mapping[str, Any]) -> dict[str, str]:
    """Unit of each column that has one: as declared under its name, else what the name ends in."""
    declared: dict[str, set[str]] = {}
    for table in tables.values():
        for column in table.columns:
            declared.setdefault(column.name, set()).add(column.unit)
    found = {n: next(iter(d)) if len(d := declared.get(n, set())) == 1 else unit_of_name(n) for n in names}
    return {name: unit for name, unit in found.items() if unit}


def _plain(rows: pa.Table) -> pa.Table:
    """Sums of integers, 128 bits wide in DuckDB, as 64 bits where they fit, else as floats."""
    for place, field in enumerate(rows.schema):
        if pa.types.is_decimal(field.type) and field.type.scale == 0:
            try:
                values = pc.cast(rows[field.name], pa.int64())
            except pa.ArrowInvalid:
                values = pc.cast(rows[field.name], pa.float64())
            rows = rows.set_column(place, pa.field(field.name, values.type), values)
    return rows


def _numpy(column: pa.ChunkedArray) -> Any:
    """Values as NumPy has them; a column of integers or truths with nulls becomes floats."""
    if pa.types.is_decimal(column.type):
        column = pc.cast(column, pa.float64())
    if pa.types.is_boolean(column.type) and column.null_count:
        column = pc.cast(pc.cast(column, pa.int8()), pa.float64())
    return column.to_numpy()


def _astropy(column: pa.ChunkedArray, unit: str) -> Any:
    import numpy as np
    from astropy.table import MaskedColumn
    from astropy.time import Time
    from astropy.utils.masked import Masked

    mask = pc.is_null(column).to_numpy()
    if _is_instant(column):
        micros = pc.cast(pc.fill_null(pc.cast(column, pa.timestamp("us")), 0), pa.int64()).to_numpy()
        times = Time(micros.astype("datetime64[us]"), format="datetime64", scale="utc")
        if mask.any():
            times[mask] = np.ma.masked
        return times
    if pa.types.is_string(column.type):
        values: Any = np.array(pc.fill_null(column, "").to_pylist(), dtype=str)
    elif pa.types.is_nested(column.type) or pa.types.is_temporal(column.type) or pa.types.is_binary(column.type):
        values = column.to_numpy()
    else:
        number = pc.cast(column, pa.float64()) if pa.types.is_decimal(column.type) else column
        values = pc.fill_null(number, pa.scalar(0, pa.int8()).cast(number.type)).to_numpy()
    if not unit or values.dtype.kind not in "fiu":
        return MaskedColumn(values, mask=mask) if mask.any() else values
    from astropy.units import Unit

    return Unit(unit, parse_strict="silent") * (Masked(values, mask) if mask.any() else values)


def _is_instant(column: pa.ChunkedArray) -> bool:
    return bool(pa.types.is_timestamp(column.type))


def _row(tag: str, cells: list[str]) -> str:
    return "<tr>" + "".join(f"<{tag}>{html.escape(cell[:CELL])}</{tag}>" for cell in cells) + "</tr>"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
