"""Which files a question cannot need: known from the log's bounds, before any file is opened.

DuckDB itself says what it asks of each table: the statement is planned over empty tables of the same columns, and the
filters that reach a scan are read from the plan. Each is turned into what a file's bounds must satisfy, and DuckDB
evaluates that over the bounds. Whatever is not understood keeps every file.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any

import duckdb
import pyarrow as pa

from lake.bounds import Bounds
from lake.columns import Column
from lake.compose import quoted
from lake.log import Piece, Snapshot
from lake.schema import Table
from lake.views import OWN, define, opened, sql_type

MANY = 32
# Optimizers that only rewrite the question; all others may look at the data, and the planning tables have none.
LOGICAL = {"expression_rewriter", "filter_pullup", "filter_pushdown", "cte_inlining", "cte_filter_pusher", "in_clause",
           "regex_range"}  # fmt: skip
OPTIONAL = re.compile(r"('(?:[^']|'')*')|\boptional: ")
BOUNDS = {"COMPARE_LESSTHAN": "least", "COMPARE_LESSTHANOREQUALTO": "least",
          "COMPARE_GREATERTHAN": "most", "COMPARE_GREATERTHANOREQUALTO": "most"}  # fmt: skip
Node = dict[str, Any]


def pruned(
    snapshot: Snapshot,
    text: str,
    params: Mapping[str, Any],
    names: Collection[str] | None,
    many: int = MANY,
) -> dict[str, list[Piece]]:
    """The files that a statement may need of each table that has many; tables left out need all.

    Parameters
    ----------
    names : tables and relations that the statement may use; None prunes nothing.
    """
    asked = [name for name in snapshot.tables if names and name in names]
    large = {name for name in asked if len(snapshot.by_dataset.get(name, ())) > many}
    if not large:
        return {}
    with _planner() as con:
        try:
            filters = scan_filters(con, snapshot, text, params, names)
        except (duckdb.Error, ValueError):
            return {}
        found = {n: scans for n, scans in filters.items() if n in large}
        return {n: _possible(con, snapshot.tables[n], snapshot.bounds_of(n), scans) for n, scans in found.items()}


@cache
def _planning() -> tuple[duckdb.DuckDBPyConnection, Lock]:
    """The database that all questions of this process are planned in, one at a time: to open one takes longer."""
    con = opened()
    every = [name for (name,) in con.execute("select name from duckdb_optimizers()").fetchall()]
    con.execute(f"set disabled_optimizers = '{','.join(n for n in every if n not in LOGICAL)}'")
    # A plan is made over empty tables, so no file needs to be reached.
    con.execute("set enable_external_access = false")
    return con, Lock()


@contextmanager
def _planner() -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty database to plan a question in."""
    con, lock = _planning()
    with lock:
        con.execute("attach ':memory:' as question")
        con.execute("use question")
        try:
            yield con
        finally:
            con.execute("use memory")
            con.execute("detach question")


def scan_filters(
    con: duckdb.DuckDBPyConnection,
    snapshot: Snapshot,
    text: str,
    params: Mapping[str, Any],
    names: Collection[str] | None,
) -> dict[str, list[list[str]]]:
    """The filters that reach each scan of each table, as DuckDB prints them."""
    from lake.own_tables import SCHEMAS

    con.execute(f"create schema {OWN}")
    for name, schema in SCHEMAS.items():
        con.execute(f"create table {OWN}.{name} ({', '.join(f'{quoted(f.name)} {sql_type(f.type)}' for f in schema)})")
    define(con, snapshot, _empty, only=names)
    ((_, plan),) = con.execute(f"explain (format json) {text}", dict(params) or None).fetchall()
    found: dict[str, list[list[str]]] = {}
    for node in _nodes(json.loads(plan)):
        if "Table" in (extra := node.get("extra_info") or {}):
            filters = extra.get("Filters", [])
            name = extra["Table"].partition(".")[2]
            found.setdefault(name, []).append([filters] if isinstance(filters, str) else filters)
    return found


def _empty(table: Table) -> str:
    schema, _, name = table.name.partition(".")
    columns = ", ".join(f"{quoted(c.name)} {sql_type(c.type)}" for c in table.columns)
    return f"table {quoted(schema)}.{quoted(name)} ({columns})"


def _nodes(plans: Sequence[Node]) -> Iterator[Node]:
    for node in plans:
        yield node
        yield from _nodes(node.get("children", ()))


def _possible(
    con: duckdb.DuckDBPyConnection, table: Table, bounds: Bounds, scans: Sequence[Sequence[str]]
) -> list[Piece]:
    """Files that at least one scan of the table may want."""
    kinds = {c.name: c.type for c in table.columns}
    # A name that is only part of another word costs a column that nobody looks at.
    named = [c for c in table.columns if any(c.name in text for texts in scans for text in texts)]
    con.register("bounds", _laid_out(bounds, named))
    kept: set[int] = set()
    try:
        for filters in scans:
            wanted = set(range(len(bounds.pieces)))
            for statement in [_statement(con, text, kinds) for text in filters if text]:
                wanted &= {n for (n,) in con.execute(statement).fetchall()}
            kept |= wanted
    except (duckdb.Error, ValueError, KeyError):
        return list(bounds.pieces)
    finally:
        con.unregister("bounds")
    return [bounds.pieces[n] for n in sorted(kept)]


def _laid_out(bounds: Bounds, columns: Sequence[Column]) -> pa.Table:
    """A row a file: its place, and `least <column>` and `most <column>`, null where that is not known."""
    found = {"place": pa.array(range(len(bounds.pieces)), pa.int64())}
    for column in columns:
        if not (pa.types.is_nested(column.type) or pa.types.is_binary(column.type)):
            least, most = bounds.of(column.name, column.type)
            found |= {f"least {column.name}": least, f"most {column.name}": most}
    return pa.table(found)


def _statement(con: duckdb.DuckDBPyConnection, text: str, kinds: Mapping[str, pa.DataType]) -> str:
    """A query for the places of the files that one filter may want.

    Raises
    ------
    ValueError
        The filter cannot be read; a text with a line break is printed in pieces that cannot.
    """
    text = OPTIONAL.sub(lambda found: found[1] or "", text)
    query = f"select place from bounds where coalesce(({text}), true)"
    tree = json.loads(con.execute("select json_serialize_sql(?)", [query]).fetchall()[0][0])
    if tree["error"] or len(tree["statements"]) != 1:
        raise ValueError(text)
    node = tree["statements"][0]["node"]
    outer = node["where_clause"]
    place = next(n for n, child in enumerate(outer["children"]) if child["class"] != "CONSTANT")
    true = next(child for child in outer["children"] if child is not outer["children"][place])
    outer["children"][place] = _possibly(outer["children"][place], kinds, true)
    ((back,),) = con.execute("select json_deserialize_sql(?)", [json.dumps(tree)]).fetchall()
    return str(back)


def _possibly(node: Node, kinds: Mapping[str, pa.DataType], true: Node) -> Node:
    """What a file's bounds satisfy if any of its rows satisfies the node; true where that is not known."""
    if node["class"] == "CONJUNCTION":
        return node | {"children": [_possibly(child, kinds, true) for child in node["children"]]}
    if node["class"] == "COMPARISON" and _is_column(node["left"], kinds) and _is_constant(node["right"]):
        if node["type"] == "COMPARE_EQUAL":
            return _between(node["left"], node["right"], node["right"], node)
        if node["type"] in BOUNDS:
            return node | {"left": _bound(node["left"], BOUNDS[node["type"]])}
    if node["type"] == "COMPARE_BETWEEN" and _is_column(node["input"], kinds):
        are_constant = _is_constant(node["lower"]) and _is_constant(node["upper"])
        return _between(node["input"], node["lower"], node["upper"], node) if are_constant else true
    if node["type"] == "COMPARE_IN" and _is_column(node["children"][0], kinds):
        column, *values = node["children"]
        if all(map(_is_constant, values)):
            return _joined("OR", [_between(column, value, value, node) for value in values], node)
    return true


def _between(column: Node, lower: Node, upper: Node, like: Node) -> Node:
    def compared(kind: str, bound: str, value: Node) -> Node:
        return _made("COMPARISON", kind, like) | {"left": _bound(column, bound), "right": value}

    least = compared("COMPARE_LESSTHANOREQUALTO", "least", upper)
    return _joined("AND", [least, compared("COMPARE_GREATERTHANOREQUALTO", "most", lower)], like)


def _joined(word: str, children: list[Node], like: Node) -> Node:
    return _made("CONJUNCTION", f"CONJUNCTION_{word}", like) | {"children": children}


def _made(kind: str, name: str, like: Node) -> Node:
    shared = {k: v for k, v in like.items() if k.startswith("query_location")}
    return {"class": kind, "type": name, "alias": ""} | shared


def _is_column(node: Node, kinds: Mapping[str, pa.DataType]) -> bool:
    """A column, or a number's cast to another type of number, which keeps the order."""
    if node["class"] == "CAST":
        numbers = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER",
                   "UBIGINT", "FLOAT", "DOUBLE", "DECIMAL")  # fmt: skip
        child = node["child"]
        is_number = (
            _is_column(child, kinds) and child["class"] == "COLUMN_REF" and _is_number(kinds[child["column_names"][0]])
        )
        return bool(is_number and _type_name(node) in numbers)
    return node["class"] == "COLUMN_REF" and len(node["column_names"]) == 1 and node["column_names"][0] in kinds


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _type_name(cast: Node) -> str:
    """The name of the type that a cast gives, which DuckDB 2 keeps elsewhere than DuckDB 1."""
    name = cast["type_expr"]["type_name"] if "type_expr" in cast else cast["cast_type"]["id"]
    return str(name).upper()


def _is_constant(node: Node) -> bool:
    return bool(node["class"] == "CONSTANT" or (node["class"] == "CAST" and node["child"]["class"] == "CONSTANT"))


def _bound(node: Node, bound: str) -> Node:
    if node["class"] == "CAST":
        return node | {"child": _bound(node["child"], bound)}
    return node | {"column_names": [f"{bound} {node['column_names'][0]}"]}
