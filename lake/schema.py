"""The words a dataset is declared in: Column, Table, Array."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lake.columns import IDENTIFIER, Column, column_from_json, column_json, common_length, fitted, wider_type
from lake.errors import SchemaError
from lake.ordering import key_order
from lake.source import Source
from lake.units import conversion

__all__ = ["INSTANT", "SOURCE", "Array", "Column", "Declaration", "Rejection", "Table", "Taken", "declaration"]

ROW = "#row"
INSTANT = pa.timestamp("us")
# A column that every table file carries and no relation shows: which source each row is from.
SOURCE = "_source"


@dataclass(frozen=True)
class Rejection:
    """Rows that were left out for one reason."""

    reason: str
    n_rows: int
    first_row: int


@dataclass(frozen=True)
class Taken:
    """Rows that fit a declaration, in the order of its key, and what was left out and why."""

    rows: pa.Table
    rejected: tuple[Rejection, ...] = ()
    source: Source | None = None


@dataclass(frozen=True)
class Table:
    """A declared table.

    Attributes
    ----------
    name : `<pipeline>.<plural noun>`.
    doc : one sentence, what a row is.
    key : columns that together name a row; rows are stored in their order.
    columns : the declaration of each.
    part : the part of a file that `take` reads (`EVENTS`).
    partition : a column whose values go to files of their own (instants by month).
    """

    name: str
    doc: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    part: str = ""
    partition: str = ""

    def __post_init__(self) -> None:
        pipeline, _, relation = self.name.partition(".")
        if not IDENTIFIER.fullmatch(pipeline) or not IDENTIFIER.fullmatch(relation):
            raise SchemaError(f"table {self.name!r}: a name is <pipeline>.<relation>, both lower case")
        names = [c.name for c in self.columns]
        for missing in [n for n in (*self.key, *filter(None, [self.partition])) if n not in names]:
            raise SchemaError(f"{self.name}: key or partition {missing} is no column; has {', '.join(names)}")
        if len(set(names)) != len(names):
            raise SchemaError(f"{self.name}: a column is declared twice")
        for column in self.columns:
            if column.name in (*self.key, self.partition) and column.nullable:
                raise SchemaError(f"{self.name}: {column.name} is part of the key or partition and cannot be nullable")

    @property
    def arrow(self) -> pa.Schema:
        """The Arrow schema of its rows."""
        return pa.schema([c.arrow for c in self.columns])

    def column(self, name: str) -> Column:
        """The declaration of one column."""
        for column in self.columns:
            if column.name == name:
                return column
        raise SchemaError(f"{self.name}: no column {name}; has {', '.join(c.name for c in self.columns)}")

    def take(self, source: Source, **computed: Any) -> Taken:
        """Fit a file to this table.

        Parameters
        ----------
        source : a file that was read; its part `self.part` gives the rows.
        computed : columns that no file states, already in the declared unit; a scalar is meant for every row.

        Raises
        ------
        SchemaError
            A required column is nowhere in the file.
        SourceError
            The part is not in the file.
        """
        part = source.part(self.part)
        found: dict[str, Any] = {}
        for column in self.columns:
            if column.name in computed:
                found[column.name] = computed[column.name]
            elif column.source == ROW:
                found[column.name] = np.arange(part.n_rows, dtype=np.int64)
            elif column.source:
                values = part.column(column.source)
                if values is None:
                    values = source.keyword(column.source, part)
                if values is not None:
                    found[column.name] = conversion(part.unit(column.source), column.unit)(values)
        taken = self.fit(found, n_rows=part.n_rows)
        return replace(taken, source=source)

    def fit(self, columns: Mapping[str, Any] | pa.Table, n_rows: int | None = None) -> Taken:
        """Rows of these columns that satisfy the declaration, sorted by key, and what was left out.

        Raises
        ------
        SchemaError
            A required column is missing, one is not declared, their lengths differ, or these are no columns.
        """
        if not isinstance(columns, pa.Table | Mapping):
            kind = type(columns).__name__
            raise SchemaError(f"{self.name}: found a {kind}, expected an Arrow table or a mapping of columns by name")
        given = {n: columns[n] for n in columns.column_names} if isinstance(columns, pa.Table) else dict(columns)
        declared = [c.name for c in self.columns]
        for name in given:
            if name not in declared:
                raise SchemaError(f"{self.name}: {name} is not declared; has {', '.join(declared)}")
        missing = [c.name for c in self.columns if not c.nullable and c.name not in given]
        if missing:
            raise SchemaError(f"{self.name}: missing {', '.join(missing)}; has {', '.join(given) or 'nothing'}")
        n = common_length(self.name, given) if n_rows is None else n_rows
        bad = np.zeros(n, bool)
        rejected: list[Rejection] = []

        def reject(rows: NDArray[np.bool_], reason: str) -> None:
            rows = rows & ~bad
            if rows.any():
                rejected.append(Rejection(reason, int(rows.sum()), int(rows.argmax())))
                bad[rows] = True

        arrays = []
        for column in self.columns:
            array, unfit = fitted(self.name, column, given.get(column.name), n)
            for rows, reason in unfit:
                reject(rows, f"{column.name}: {reason}")
            arrays.append(array)
        rows = pa.Table.from_arrays(arrays, schema=self.arrow)
        if bad.any():
            rows = rows.filter(pa.array(~bad))
        rows, repeats = key_order(rows, self.key)
        if repeats:
            reason = f"{', '.join(self.key)}: duplicate key, the first is kept"
            rejected.append(Rejection(reason, len(repeats), int(np.flatnonzero(~bad)[repeats[0]])))
        return Taken(rows, tuple(rejected))

    def to_json(self) -> dict[str, Any]:
        """The declaration as the log keeps it."""
        return {
            "kind": "table",
            "name": self.name,
            "doc": self.doc,
            "key": list(self.key),
            "partition": self.partition,
            "columns": [column_json(c) for c in self.columns],
        }

    @classmethod
    def from_json(cls, words: Mapping[str, Any]) -> "Table":
        """The declaration from the log."""
        columns = tuple(column_from_json(w) for w in words["columns"])
        return cls(words["name"], words["doc"], tuple(words["key"]), columns, partition=words.get("partition", ""))

    def evolved(self, newer: "Table") -> "Table":
        """The union of this declaration and a newer one: columns may be added, and types widened.

        Raises
        ------
        SchemaError
            The key differs, or a column changed its unit or narrowed its type: that is a new table.
        """
        if self.key != newer.key:
            raise SchemaError(f"{self.name}: the key changed from {self.key} to {newer.key}; make a new table")
        columns = {c.name: c for c in self.columns}
        for column in newer.columns:
            old = columns.get(column.name)
            if old is None:
                if not column.nullable:
                    raise SchemaError(f"{self.name}: new column {column.name} must be nullable, old rows have none")
            elif old.unit != column.unit:
                raise SchemaError(
                    f"{self.name}: {column.name} changed from [{old.unit}] to [{column.unit}]; make a new column"
                )
            wide = column.type if old is None else wider_type(f"{self.name}: {column.name}", old.type, column.type)
            nullable = column.nullable or (old is not None and old.nullable)
            columns[column.name] = replace(column, type=wide, nullable=nullable)
        return replace(newer, columns=tuple(columns.values()))


NAN = float("nan")


@dataclass(frozen=True)
class Array:
    """Declared frames: an array with named axes, and a table of what is known of each frame.

    Attributes
    ----------
    name : `<pipeline>.<noun>`; `<name>_frames` and `<name>_tiles` are its tables.
    dims : named axes; those up to y (or the only others) are frame axes, each a key column of the frame table.
    dtype, unit : of a pixel.
    chunk : shape of an inner chunk over all dims.
    fill : value where a frame is missing; such frames are flagged as well.
    columns : what is known of a frame, the frame axes among them.
    tile : side of the squares whose integer statistics are kept.
    """

    name: str
    doc: str
    dims: tuple[str, ...]
    dtype: str
    unit: str
    chunk: tuple[int, ...]
    fill: float
    columns: tuple[Column, ...]
    tile: int = 256
    frame_dims: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        if len(self.chunk) != len(self.dims):
            raise SchemaError(f"{self.name}: chunk {self.chunk} has not one length for each of {', '.join(self.dims)}")
        if self.dims[-2:] != ("y", "x"):
            raise SchemaError(f"{self.name}: the last axes are y, x; found {', '.join(self.dims)}")
        object.__setattr__(self, "frame_dims", self.dims[:-2])
        if self.fill != self.fill:
            # No NaN equals another, but each equals itself, and so do two declarations that share one.
            object.__setattr__(self, "fill", NAN)
        missing = set(self.frame_dims) - {c.name for c in self.columns}
        if missing:
            raise SchemaError(f"{self.name}: axis {', '.join(sorted(missing))} has no column")

    @property
    def frames(self) -> Table:
        """The table of frames: its own columns, then where the pixels lie."""
        own = (
            Column("is_missing", pa.bool_(), "Whether the pixels are absent and read as the fill value"),
            Column("segment", pa.string(), "Zarr group that holds the pixels", nullable=True),
            Column("segment_index", pa.int32(), "Place of the frame in its segment, from 0", nullable=True),
        )
        doc = f"Frames of {self.name}, one row each."
        return Table(f"{self.name}_frames", doc, self.frame_dims, (*self.columns, *own))

    @property
    def tiles(self) -> Table:
        """The table of tile statistics: exact integers, so that sums over tiles need no pixels."""
        keys = tuple(c for c in self.columns if c.name in self.frame_dims)
        number = pa.int64() if np.dtype(self.dtype).kind in "iub" else pa.float64()
        own = (
            Column("tile_y", pa.int32(), "Row of the tile, from 0", at_least=0),
            Column("tile_x", pa.int32(), "Column of the tile, from 0", at_least=0),
            Column("n_pixels", pa.int64(), "Finite pixels in the tile", at_least=0),
            Column("pixel_sum", number, "Sum of the pixels", unit=self.unit, nullable=True),
            Column("pixel_sum_of_squares", pa.float64(), "Sum of their squares, exact below 2^53", nullable=True),
            Column("pixel_min", number, "Smallest pixel", unit=self.unit, nullable=True),
            Column("pixel_max", number, "Largest pixel", unit=self.unit, nullable=True),
        )
        doc = f"Statistics of the {self.tile} x {self.tile} tiles of {self.name}, one row a tile."
        return Table(f"{self.name}_tiles", doc, (*self.frame_dims, "tile_y", "tile_x"), (*keys, *own))

    def to_json(self) -> dict[str, Any]:
        """The declaration as the log keeps it."""
        return {
            "kind": "array",
            "name": self.name,
            "doc": self.doc,
            "dims": list(self.dims),
            "dtype": self.dtype,
            "unit": self.unit,
            "chunk": list(self.chunk),
            # JSON has no NaN; Zarr writes the same word.
            "fill": "NaN" if self.fill != self.fill else self.fill,
            "tile": self.tile,
            "columns": [column_json(c) for c in self.columns],
        }

    @classmethod
    def from_json(cls, words: Mapping[str, Any]) -> "Array":
        """The declaration from the log."""
        return cls(
            words["name"], words["doc"], tuple(words["dims"]), words["dtype"], words["unit"], tuple(words["chunk"]),
            float(words["fill"]) if words["fill"] == "NaN" else words["fill"],
            tuple(column_from_json(w) for w in words["columns"]), words["tile"],
        )  # fmt: skip

    def evolved(self, newer: "Array") -> "Array":
        """The newer declaration, where its pixels mean the same."""
        for word in ("dims", "dtype", "unit", "fill", "tile"):
            old, new = getattr(self, word), getattr(newer, word)
            if old != new and not (old != old and new != new):
                raise SchemaError(f"{self.name}: {word} changed from {old} to {new}; make a new array")
        old, new = (Table(f"{self.name}_frames", a.doc, self.frame_dims, a.columns) for a in (self, newer))
        return replace(newer, columns=old.evolved(new).columns)


Declaration = Table | Array


def declaration(words: Mapping[str, Any]) -> Declaration:
    """A Table or an Array from the log."""
    return Array.from_json(words) if words["kind"] == "array" else Table.from_json(words)
