"""Questions: one SQL statement, or a named relation with its parameters, on one snapshot."""

import time
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from lake.answer import Answer, answered
from lake.compose import Statement, bound, plan, quoted, values
from lake.errors import QueryError
from lake.explain import check_calls, explained
from lake.log import Snapshot
from lake.names import unknown
from lake.own_tables import span
from lake.parameters import Parameter, utc
from lake.prune import pruned
from lake.relations import Relation, relations
from lake.storage import Storage
from lake.views import connect, files_select, mentioned, opened, own_names, sql_type
from lake.where import Wanted, conditions

if TYPE_CHECKING:
    from lake.store import Lake

__all__ = ["Relation", "connect", "cut_flow", "explain_empty", "explained", "query", "relations", "sql", "table"]
# Statements that would change tables of a database that is gone after the answer.
CHANGES = ("ALTER", "CREATE", "DELETE", "DROP", "INSERT", "MERGE_INTO", "UPDATE")


def sql(snapshot: Snapshot, storage: Storage, text: str, params: Mapping[str, Any] | None = None) -> Answer:
    """The answer to one statement over every table and relation.

    Raises
    ------
    QueryError
        It names what isn't there, or DuckDB cannot answer it.
    """
    given = {name: plain(value) for name, value in (params or {}).items()}
    check_calls(text, snapshot)
    return _asked(snapshot, storage, text, given, mentioned(text, snapshot))


def _asked(
    snapshot: Snapshot,
    storage: Storage,
    text: str,
    given: Mapping[str, Any],
    names: Collection[str] | None,
    params: Mapping[str, Parameter] | None = None,
) -> Answer:
    """The answer to a statement over these tables and relations; `params` are those of a relation asked by name."""
    began = time.perf_counter()
    files = pruned(snapshot, text, given, names)
    try:
        with connect(snapshot, storage, only=names, pieces=files) as con:
            try:
                rows = _rows(con, text, given)
            except duckdb.Error as error:
                raise explained(error, snapshot, text, con, params, given) from error
    except duckdb.Error as error:
        raise explained(error, snapshot, text) from error
    tables = {n: t for n, t in snapshot.tables.items() if names is None or n in names}
    return answered(rows, snapshot, tables, time.perf_counter() - began)


def _rows(con: duckdb.DuckDBPyConnection, text: str, given: Mapping[str, Any]) -> pa.Table:
    statement = checked_parameters(con, text, given)
    if statement.type == duckdb.StatementType.SELECT:
        found: pa.Table = con.sql(text, params=dict(given) or None).to_arrow_table()
        return found
    if statement.type.name in CHANGES:
        raise QueryError(f"{statement.type.name}: SQL only asks; a lake is changed by its pipelines", "lake run")
    con.execute(text, dict(given) or None)
    rows, names = con.fetchall(), [column[0] for column in con.description or ()]
    columns = [pa.array([str(v) if v is not None else None for v in c]) for c in zip(*rows, strict=True)]
    return pa.table(dict(zip(names, columns or [pa.array([], pa.string())] * len(names), strict=True)))


def checked_parameters(con: duckdb.DuckDBPyConnection, text: str, given: Mapping[str, Any]) -> duckdb.Statement:
    """The one statement of a text, which takes just these parameters.

    Raises
    ------
    QueryError
        There are more statements or none, or a parameter is unknown or missing.
    """
    statements = con.extract_statements(text)
    if len(statements) != 1:
        raise QueryError(f"{len(statements)} statements found, expected one")
    wanted = set(statements[0].named_parameters)
    for name in given:
        if name not in wanted:
            raise unknown(f"no parameter ${name} in the statement", name, wanted)
    if missing := sorted(wanted - set(given)):
        raise QueryError(f"missing {', '.join(f'${n}' for n in missing)}", f"--param {missing[0]}=")
    return statements[0]


def query(lake: "Lake", name: str, /, *, chain: Sequence[str] | None = None, **params: Any) -> Answer:
    """The rows of a relation of `sql/`, or of a table.

    Parameters
    ----------
    chain : filters that the rows pass first, in this order: each stands in for the first input of the one after it,
        the last one for that of `name`, unless it is `name`.
    params : the relation's parameters and those of all that it reads; text is read as the type of the default.

    Raises
    ------
    QueryError
        A name or parameter is unknown, missing or of another type.
    """
    made = _planned(lake.snapshot, name, chain or ())
    given = values(made.params, params, name)
    try:
        return _asked(lake.snapshot, lake.storage, made.select(bound), given, made.tables, made.params)
    except QueryError as error:
        links = "; a link of a chain has to keep the columns it gets" if chain and "no column" in error.message else ""
        raise QueryError(f"{name}: {error.message}{links}", error.hint or f"lake show {name}") from error


def _planned(snapshot: Snapshot, name: str, chain: Sequence[str]) -> Statement:
    return plan(relations(), [*snapshot.tables, *own_names()], name, chain)


def cut_flow(lake: "Lake", chain: Sequence[str], /, **params: Any) -> Answer:
    """Rows into and out of each filter of a chain, in one statement.

    Returns
    -------
    Answer
        One row a filter, in order: step, relation, n_rows_in, n_rows_out, share_kept (null where nothing came in).
    """
    if not chain:
        raise QueryError("no chain, expected the names of one filter or more")
    pipeline = chain[0].partition(".")[0] if "." in chain[0] else chain[-1].partition(".")[0]
    links = [link if "." in link else f"{pipeline}.{link}" for link in chain]
    made = _planned(lake.snapshot, links[-1], links)
    spine = made.spine if len(links) > 1 else _with_input(made, links[0])
    counts = " union all ".join(
        f"select {n} as step, '{name}' as relation, (select count(*) from {before}) as n_rows_in, "
        f"(select count(*) from {place}) as n_rows_out"
        for n, ((_, before), (name, place)) in enumerate(pairwise(spine), 1)
    )
    text = (
        f"{made.ctes(bound)}select step, relation, n_rows_in, n_rows_out, "
        f"n_rows_out / nullif(n_rows_in, 0) as share_kept from ({counts}) order by step"
    )
    return _asked(lake.snapshot, lake.storage, text, values(made.params, params, links[-1]), made.tables)


def _with_input(made: Statement, name: str) -> list[tuple[str, str]]:
    """The spine of a chain of one: what it reads first, then itself."""
    step = next((s for s in made.steps if s.relation.name == name), None)
    inputs = list(step.inputs.items())[:1] if step else []
    return [*inputs, (name, made.answer)]


def table(
    snapshot: Snapshot,
    storage: Storage,
    name: str,
    columns: Sequence[str] | None = None,
    where: Mapping[str, Any] | None = None,
) -> Answer:
    """Rows of a table in the order of its files; those that cannot match are not opened.

    Parameters
    ----------
    where : for each column a value it must equal (None: be null), a list or set of them, or a pair [low, high) whose
        ends may be None.

    Raises
    ------
    QueryError
        A column is not in the table, or a value is not of its type.
    """
    began = time.perf_counter()
    declared = snapshot.tables.get(name) or snapshot.arrays[name].frames
    kinds = {c.name: c.type for c in declared.columns}
    wanted = list(columns or kinds)
    for column in wanted:
        if column not in kinds:
            raise unknown(f"{name}: no column {column}", column, kinds, otherwise=f"lake show {name}")
    asked = conditions(declared, where or {})
    given: list[Any] = []
    tests = [_test(c, kinds[c], values, given) for c, values in asked.items()]
    files = snapshot.bounds_of(declared.name).matching(declared, asked)
    text = f"select {', '.join(map(quoted, wanted))} from ({files_select(declared, files, storage)})"
    text += f" where {' and '.join(tests)}" if tests else ""
    with opened(storage) as con:
        try:
            rows = con.sql(text, params=given or None).to_arrow_table()
        except duckdb.Error as error:
            raise explained(error, snapshot, text) from error
    return answered(rows, snapshot, {name: declared}, time.perf_counter() - began)


def _test(column: str, kind: pa.DataType, wanted: Wanted, given: list[Any]) -> str:
    """The condition on one column; its values are added to `given`."""
    name, cast = quoted(column), f"cast(? as {'BIGINT' if pa.types.is_integer(kind) else sql_type(kind)})"
    if isinstance(wanted, list):
        values = [value for value in wanted if value is not None]
        given += values
        tests = [f"{name} in ({', '.join([cast] * len(values))})"] if values else []
        tests += [f"{name} is null"] if len(values) < len(wanted) else []
        return f"({' or '.join(tests) or 'false'})"
    given += [value for value in wanted if value is not None]
    tests = [f"{name} {word} {cast}" for word, value in zip((">=", "<"), wanted, strict=True) if value is not None]
    return " and ".join(tests)


def plain(value: Any) -> Any:
    """A value as DuckDB binds it: no NumPy scalar, and an instant in UTC without a zone, as the lake keeps them."""
    value = value.item() if hasattr(value, "item") else value
    return utc(value) if isinstance(value, datetime) else value


def explain_empty(lake: "Lake", name: str, /, **params: Any) -> str:
    """Why a relation has no rows: what its first table holds, and which parameters leave none of it.

    A parameter is to blame where the relation has rows with that one at its default; where none is alone to blame,
    all that were given are named.
    """
    snapshot = lake.snapshot
    made = _planned(snapshot, name, ())
    base = next((t for t in _base_first(name) if t in snapshot.tables), "")
    if not base:
        return "0 rows."
    n_rows = sum(p.n_rows for p in snapshot.pieces_of(base))
    text = f"0 rows. {base} has {n_rows:,} row{'' if n_rows == 1 else 's'}"
    column, least, most = span(snapshot, base)
    is_instant = bool(column) and pa.types.is_timestamp(snapshot.tables[base].column(column).type)
    text += f", {least[:10]} to {most[:10]}" if is_instant else f", {column} {least} to {most}" if column else ""
    if not n_rows:
        return f"{text}."
    changed = [n for n in params if n in made.params and made.params[n].default is not None]
    to_blame = [n for n in changed if len(query(lake, name, **{k: v for k, v in params.items() if k != n}))]
    blamed = to_blame or list(params)
    words = " and ".join(f"`{n}`" for n in blamed) if blamed else f"{name} keeps"
    return f"{text}; {words} {'left ' if blamed else ''}none."


def _base_first(name: str) -> list[str]:
    """The tables that a relation rests on, along its first inputs before others."""
    known = relations()
    if name not in known:
        return [name]
    return [base for read in known[name].reads for base in _base_first(read)]
