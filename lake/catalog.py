"""`catalog.duckdb`: the newest commit for any DuckDB client, without our code."""

from collections.abc import Iterator
from pathlib import Path

import duckdb

from lake.compose import Statement, quoted
from lake.log import Snapshot
from lake.own_tables import own_tables
from lake.relations import literal, relations
from lake.schema import Table
from lake.storage import Storage
from lake.views import OWN, create_own, define, files_select, opened

CATALOG = "catalog.duckdb"
# What DuckDB 1.x and 2.x both open.
STORAGE_VERSION = "v1.0.0"


def write_catalog(snapshot: Snapshot, storage: Storage) -> None:
    """Write the catalogue of a snapshot in place of the one before it.

    Every table and relation is a view, every relation with parameters a macro as well, and the lake's own tables are
    copied in; `lake.catalog` has the number of the commit. Files are named by absolute paths, so it works from any
    folder; a client that has the old file open keeps it. Only a root that is a folder has one, an object store none.
    """
    if storage.filesystem is not None:
        return
    staged = storage.staging()
    try:
        with storage.step("write", CATALOG), opened() as con:
            # Without a write-ahead log the file is written once, when it is detached.
            options = f"storage_version '{STORAGE_VERSION}', recovery_mode no_wal_writes"
            con.execute(f"attach {literal(str(staged))} as catalog ({options})")
            con.execute("use catalog")
            create_own(con, own_tables(snapshot))
            con.execute(f"create table {OWN}.catalog as select cast({snapshot.number} as bigint) as number")
            made = define(con, snapshot, lambda t: f"view {_name(t.name)} as {_files(t, snapshot, storage)}")
            for statement in _comments(snapshot, made):
                con.execute(statement)
            con.execute("use memory")
            con.execute("detach catalog")
        storage.replace(staged, CATALOG)
    finally:
        storage.discard(staged)


def is_current(snapshot: Snapshot, storage: Storage) -> bool:
    """Whether the catalogue, where there should be one, shows this commit or a later one."""
    if storage.filesystem is not None or snapshot.number < 0:
        return True
    try:
        return catalog_number(storage.url(CATALOG)) >= snapshot.number
    except duckdb.Error:
        return False


def catalog_number(path: str | Path) -> int:
    """The commit that a catalogue shows."""
    with duckdb.connect(str(path), read_only=True) as con:
        ((number,),) = con.execute(f"select number from {OWN}.catalog").fetchall()
    return int(number)


def _comments(snapshot: Snapshot, made: dict[str, Statement]) -> Iterator[str]:
    """What each table, column and relation means, where a client looks for it."""
    for table in snapshot.tables.values():
        yield f"comment on view {_name(table.name)} is {literal(table.doc)}"
        for column in table.columns:
            words = f"{column.doc} [{column.unit}]" if column.unit else column.doc
            yield f"comment on column {_name(table.name)}.{quoted(column.name)} is {literal(words)}"
    for name, plan in made.items():
        kind = "view" if all(p.default is not None for p in plan.params.values()) else "macro table"
        yield f"comment on {kind} {_name(name)} is {literal(relations()[name].doc)}"


def _files(table: Table, snapshot: Snapshot, storage: Storage) -> str:
    return files_select(table, snapshot.pieces_of(table.name), storage)


def _name(name: str) -> str:
    return ".".join(map(quoted, name.split(".")))
