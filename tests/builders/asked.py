"""Relations asked of tables that a test makes up, with any relation in between replaced by rows of the test's own."""

import importlib
from collections.abc import Mapping
from typing import Any

import duckdb
import pyarrow as pa

from lake.compose import bound, plan, values
from lake.own_tables import SCHEMAS
from lake.relations import Relation, relations
from lake.schema import Array, Table
from lake.views import create_own, own_names

Rows = Mapping[str, Any]


def declared_tables(pipeline: str) -> dict[str, Table]:
    """Every table of a pipeline's schema by its bare name, those of its arrays among them."""
    found = vars(importlib.import_module(f"schemas.{pipeline}")).values()
    arrays = [a for a in found if isinstance(a, Array)]
    tables = [*(t for t in found if isinstance(t, Table)), *(t for a in arrays for t in (a.frames, a.tiles))]
    return {t.name.rpartition(".")[2]: t for t in tables}


def table_rows(table: Table, rows: Rows) -> pa.Table:
    """Rows of a table; columns that are not given are null, even where the declaration wants a value."""
    given = {name: _array(column) for name, column in rows.items()}
    n = len(next(iter(given.values()))) if given else 0
    columns = {c.name: given.pop(c.name, pa.nulls(n, c.type)).cast(c.type) for c in table.columns}
    assert not given, f"{table.name} has no {', '.join(given)}"
    return pa.table(columns)


def _array(column: Any) -> pa.Array:
    array = column if isinstance(column, pa.Array | pa.ChunkedArray) else pa.array(column)
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


class Asked:
    """A database of one pipeline's tables, empty but for what is given.

    Parameters
    ----------
    given : columns by name of tables, or of relations, which then are those rows instead of their `select`.

    The lake's own tables are there too, empty but for those that are `put` by their qualified name.
    """

    def __init__(self, pipeline: str, **given: Rows | pa.Table) -> None:
        self.pipeline = pipeline
        self.tables = declared_tables(pipeline)
        self.known: dict[str, Relation] = dict(relations())
        self.con = duckdb.connect(config={"threads": 1})
        self.con.execute(f"create schema {pipeline}")
        create_own(self.con, {name: schema.empty_table() for name, schema in SCHEMAS.items()})
        self.given: set[str] = set()
        self._texts: dict[tuple[str, tuple[str, ...]], Any] = {}
        for name, table in self.tables.items():
            self.put(name, given.get(name, table.arrow.empty_table()))
        for name in given.keys() - self.tables.keys():
            self.put(name, given[name])

    def put(self, name: str, rows: Rows | pa.Table) -> None:
        """Give a table, or a relation, or a name of one's own that can start a chain, these rows."""
        if name in self.tables:
            columns = {n: rows[n] for n in (rows.column_names if isinstance(rows, pa.Table) else rows)}
            rows = table_rows(self.tables[name], columns)
        made = rows if isinstance(rows, pa.Table) else pa.table({n: _array(c) for n, c in rows.items()})
        if name in own_names():
            self._put(name, pa.Table.from_pylist(made.to_pylist(), SCHEMAS[name.partition(".")[2]]))
            return
        self._put(f"{self.pipeline}.{name}", made)
        if name not in self.given:
            self.given.add(name)
            self.known.pop(f"{self.pipeline}.{name}", None)
            self._texts.clear()

    def _put(self, name: str, rows: pa.Table) -> None:
        self.con.register("_put", rows)
        self.con.execute(f"create or replace table {name} as from _put")
        self.con.unregister("_put")

    def ask(self, name: str, chain: tuple[str, ...] = (), **params: Any) -> pa.Table:
        """Rows of a relation, `chain` before it."""
        if (name, chain) not in self._texts:
            made = plan(
                self.known,
                [*(f"{self.pipeline}.{given}" for given in self.given), *own_names()],
                f"{self.pipeline}.{name}",
                chain,
            )
            self._texts[name, chain] = made, made.select(bound)
        made, text = self._texts[name, chain]
        given = values(made.params, params, name)
        return self.con.sql(text, params=given or None).to_arrow_table()
