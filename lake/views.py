"""A snapshot in DuckDB: a schema a pipeline, a view a table, and a view and a macro a relation."""

import logging
import os
import re
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Protocol

import duckdb
import pyarrow as pa

from lake.compose import Statement, as_default, plan, quoted
from lake.log import Piece, Snapshot
from lake.parameters import Parameter
from lake.relations import SQL_TYPES, Relation, inner_first, literal, relations, tokens
from lake.schema import Table

log = logging.getLogger(__name__)
OWN = "lake"
# Nothing is downloaded, a name never means a variable of this program, and a question that outgrows half of the memory
# is put on disk or refused before the machine fails.
CLOSED: dict[str, Any] = {
    "memory_limit": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') // 2**21}MiB",
    "temp_directory": f"{tempfile.gettempdir()}/lightlake-duckdb",
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "python_enable_replacements": False,
}
TYPES = {
    pa.bool_(): "BOOLEAN", pa.int8(): "TINYINT", pa.int16(): "SMALLINT", pa.int32(): "INTEGER", pa.int64(): "BIGINT",
    pa.uint8(): "UTINYINT", pa.uint16(): "USMALLINT", pa.uint32(): "UINTEGER", pa.uint64(): "UBIGINT",
    pa.float16(): "FLOAT", pa.float32(): "FLOAT", pa.float64(): "DOUBLE", pa.date32(): "DATE",
    pa.string(): "VARCHAR", pa.large_string(): "VARCHAR", pa.binary(): "BLOB", pa.large_binary(): "BLOB",
    pa.timestamp("s"): "TIMESTAMP_S", pa.timestamp("ms"): "TIMESTAMP_MS", pa.timestamp("us"): "TIMESTAMP",
    pa.timestamp("ns"): "TIMESTAMP_NS", pa.time64("us"): "TIME",
}  # fmt: skip
Select = Callable[[Table], str]
# Statements that ask what there is see everything.
CATALOG_WORDS = re.compile(r"\b(show|describe|pragma|information_schema|duckdb_\w+|use|search_path)\b", re.I)


def sql_type(kind: pa.DataType) -> str:
    """The DuckDB type of an Arrow type."""
    if pa.types.is_list(kind):
        return f"{sql_type(kind.value_type)}[]"
    return TYPES[kind]


class Files(Protocol):
    """What views need of a storage."""

    def url(self, name: str) -> str:
        """What DuckDB opens to get the bytes of a name."""

    @property
    def filesystem(self) -> Any:
        """The fsspec file system behind it; None for a local folder."""


def opened(storage: Files | None = None, config: Mapping[str, Any] = CLOSED) -> duckdb.DuckDBPyConnection:
    """An empty database in memory that downloads nothing, able to read the storage."""
    con = duckdb.connect(config=dict(config))
    con.execute("set enable_progress_bar = false")
    if storage is not None and storage.filesystem is not None:
        from lake.handles import SharedFiles

        con.register_filesystem(SharedFiles(storage.filesystem))
    return con


def connect(
    snapshot: Snapshot,
    storage: Files,
    *,
    only: Collection[str] | None = None,
    pieces: Mapping[str, Sequence[Piece]] | None = None,
    config: Mapping[str, Any] = CLOSED,
) -> duckdb.DuckDBPyConnection:
    """A database in memory that shows a snapshot; rows come in the order of the files.

    Parameters
    ----------
    only : qualified names of the tables and relations that are wanted, with what they read; None makes all.
    pieces : the files to read of a table; of those left out, all.
    config : DuckDB's settings.
    """
    con = opened(storage, config)
    if only is None or any(name.startswith(f"{OWN}.") for name in only):
        from lake.own_tables import own_tables

        create_own(con, {n: t for n, t in own_tables(snapshot).items() if only is None or f"{OWN}.{n}" in only})

    def rows_of(table: Table) -> str:
        return files_select(table, (pieces or {}).get(table.name, snapshot.pieces_of(table.name)), storage)

    define(con, snapshot, lambda table: f"view {_name(table.name)} as {rows_of(table)}", only=only)
    return con


def create_own(con: duckdb.DuckDBPyConnection, tables: Mapping[str, pa.Table]) -> None:
    """Create the lake's own tables in their schema."""
    con.execute(f"create schema {OWN}")
    for name, rows in tables.items():
        con.register("own_rows", rows)
        con.execute(f"create table {OWN}.{name} as from own_rows")
        con.unregister("own_rows")


def define(
    con: duckdb.DuckDBPyConnection, snapshot: Snapshot, table_as: Select, *, only: Collection[str] | None = None
) -> dict[str, Statement]:
    """Create tables and relations; the statements of the relations that could be made.

    Parameters
    ----------
    table_as : what follows `create` for a table: `view … as …`.
    """
    known = relations()
    wanted = plans(known, snapshot, known if only is None else [name for name in known if name in only])
    needed = {t for p in wanted.values() for t in p.tables}
    names = [n for n in snapshot.tables if only is None or n in only or n in needed]
    for schema in sorted({n.partition(".")[0] for n in (*snapshot.tables, *wanted)}):
        con.execute(f"create schema if not exists {quoted(schema)}")
    for name in names:
        con.execute(f"create {table_as(snapshot.tables[name])}")
    return {name: p for name, p in wanted.items() if _create_relation(con, snapshot, known[name], p)}


def plans(known: Mapping[str, Relation], snapshot: Snapshot, names: Iterable[str]) -> dict[str, Statement]:
    """Statements of those relations whose tables are all there."""
    tables = [*snapshot.tables, *own_names()]
    there = {*tables, *known}
    found = {}
    for name in names:
        reads = {read for inner in inner_first(known, [name]) for read in known[inner].reads}
        if name not in tables and reads <= there:
            found[name] = plan(known, tables, name)
    return found


def own_names() -> list[str]:
    """Qualified names of the lake's own tables."""
    from lake.own_tables import SCHEMAS

    return [f"{OWN}.{name}" for name in SCHEMAS]


def _create_relation(con: duckdb.DuckDBPyConnection, snapshot: Snapshot, relation: Relation, made: Statement) -> bool:
    """A macro, and a view where every parameter has a default; False where DuckDB will not have it."""
    name = _name(relation.name)
    head = f"create macro {name}({', '.join(_arguments(snapshot, made))}) as table"
    try:
        try:
            con.execute(f"{head} {macro_body(snapshot, made)}")
        except duckdb.BinderException:
            con.execute(f"{head} {macro_body(snapshot, made, is_apart=True)}")
        if all(p.default is not None for p in made.params.values()):
            con.execute(f"create view {name} as {made.select(as_default)}")
    except duckdb.Error as error:
        log.warning("relation=%s left out: %s", relation.name, str(error).partition("\n")[0])
        return False
    return True


def macro_names(snapshot: Snapshot, made: Statement) -> dict[str, str]:
    """What each parameter is called in the macro: `param_<name>` where any text or table below uses its bare name.

    DuckDB puts an argument wherever a macro's body has that name without a table before it, so a parameter that is
    called like a column would take the column's place.
    """
    words = {c.name for t in made.tables for c in _columns(snapshot, t)}
    for step in made.steps:
        words |= {part for found in tokens(step.relation.text) for part in (found["word"] or "").split(".")}
        words |= {found["quoted"] for found in tokens(step.relation.text) if found["quoted"]}
    return {name: f"param_{name}" if name in words else name for name in made.params}


def macro_body(snapshot: Snapshot, made: Statement, *, is_apart: bool = False) -> str:
    """The statement with the macro's parameters in place.

    Parameters
    ----------
    is_apart : select the parameters in a CTE of their own. DuckDB checks a macro with its parameters as columns, which
        a select that groups may not use; this form passes, but keeps filters from reaching the files.
    """
    called = macro_names(snapshot, made)

    def typed(param: Parameter) -> str:
        name = quoted(called[param.name])
        return f"cast({name} as {SQL_TYPES[param.kind]})" if param.kind else name

    if not is_apart or not made.params:
        return made.select(typed)
    given = ", ".join(f"{typed(p)} as {quoted(f'${n}')}" for n, p in made.params.items())
    text = made.select(lambda p: f'(select "${p.name}" from "$")')
    return text.replace("with ", f'with "$" as (select {given}),\n', 1)


def _arguments(snapshot: Snapshot, made: Statement) -> Iterator[str]:
    """Required parameters first, as DuckDB wants them."""
    called = macro_names(snapshot, made)
    for name, param in sorted(made.params.items(), key=lambda item: item[1].default is not None):
        start = quoted(called[name])
        yield start if param.default is None else f"{start} := {literal(param.default)}"


def _columns(snapshot: Snapshot, table: str) -> Sequence[Any]:
    if table in snapshot.tables:
        return snapshot.tables[table].columns
    from lake.own_tables import SCHEMAS

    return list(SCHEMAS[table.partition(".")[2]])


def files_select(table: Table, pieces: Sequence[Piece], storage: Files, columns: Sequence[str] = ()) -> str:
    """A select of the declared columns over files: those a file lacks are null, narrower types are cast."""
    wanted = [c for c in table.columns if not columns or c.name in columns]
    groups: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for piece in pieces:
        groups.setdefault(tuple(piece.columns.items()), []).append(storage.url(piece.path))
    selects = [f"select {_casts(wanted, dict(has))} from {_files(urls)}" for has, urls in groups.items()]
    if not selects:
        nulls = (f"cast(null as {sql_type(c.type)}) as {quoted(c.name)}" for c in wanted)
        return f"select {', '.join(nulls)} where false"
    return " union all ".join(selects)


def _casts(wanted: Sequence[Any], has: Mapping[str, str]) -> str:
    parts = []
    for column in wanted:
        name = quoted(column.name)
        if has.get(column.name) == str(column.type):
            parts.append(name)
        else:
            parts.append(f"cast({name if column.name in has else 'null'} as {sql_type(column.type)}) as {name}")
    return ", ".join(parts)


def _files(urls: Sequence[str]) -> str:
    names = ", ".join(literal(url) for url in urls)
    return f"read_parquet([{names}], hive_partitioning = false)"


def _name(name: str) -> str:
    return ".".join(map(quoted, name.split(".")))


def mentioned(text: str, snapshot: Snapshot) -> set[str] | None:
    """Qualified names of tables and relations that a statement may use; None where it may use any."""
    if CATALOG_WORDS.search(text):
        return None
    known = {*relations(), *snapshot.tables, *own_names()}
    words = set()
    plain = re.sub(r"\s*\.\s*", ".", text.replace('"', "")).lower()
    for found in re.finditer(r"[a-z_]\w*(?:\.[a-z_]\w*)+", plain):
        parts = found[0].split(".")
        words |= {".".join(pair) for pair in pairwise(parts)}
    return with_inputs(words & known, snapshot)


def with_inputs(names: Collection[str], snapshot: Snapshot) -> set[str]:
    """These tables and relations, and the tables that the relations read."""
    made = plans(relations(), snapshot, [n for n in names if n in relations()])
    return {*names, *(t for p in made.values() for t in p.tables)}
