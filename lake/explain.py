"""DuckDB's errors in the lake's words: what was named, what there is, and a line to paste."""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import duckdb

from lake.compose import Statement, plan, quoted
from lake.errors import QueryError
from lake.log import Snapshot
from lake.names import FEW, listed, nearest, unknown
from lake.parameters import Parameter
from lake.relations import no_relation, relations
from lake.views import macro_names, own_names

LONGEST_HINT = 160
NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", re.IGNORECASE)
# What goes wrong while rows are made: a list, a number or a memory that is too small for what was asked.
OF_VALUES = (
    duckdb.ConversionException,
    duckdb.InvalidInputException,
    duckdb.OutOfMemoryException,
    duckdb.OutOfRangeException,
)


def explained(
    error: duckdb.Error,
    snapshot: Snapshot,
    text: str,
    con: duckdb.DuckDBPyConnection | None = None,
    made: Mapping[str, Parameter] | None = None,
    given: Mapping[str, Any] | None = None,
) -> QueryError:
    """DuckDB's error in the lake's words, with the nearest name.

    Parameters
    ----------
    con : where the statement was asked: it knows the columns of relations.
    made, given : parameters of the relation that was asked by name, and the values of all.
    """
    whole = str(error)
    message = re.sub(r"^[A-Z][A-Za-z ]+ Error: ", "", whole.partition("\n")[0]).strip()
    if found := re.search(r"Scalar Function with name (\S+) does not exist", whole):
        near = re.search(r'Did you mean "(\w+)"', whole)
        told = f"; nearest is {near[1]}" if near else ""
        return QueryError(f"no function {found[1]}{told}", _mended(text, found[1], near[1] if near else ""))
    if found := re.search(r'(?:Table|Function|View|Macro) with name "?([\w.$]+)"? does not exist', whole):
        return _no_table(found[1], snapshot, text) or QueryError(message)
    if found := re.search(r"Macro (\w+)\(\) does not support the supplied arguments", whole):
        return _wrong_arguments(_qualified(found[1], text), snapshot, text) or QueryError(message)
    if found := re.search(r'column "([^"]+)" not found|have a column named "([^"]+)"', whole, re.I):
        return _no_column(found[1] or found[2], error, snapshot, text, con)
    if isinstance(error, OF_VALUES):
        if "Lists larger than" in message:
            message = "more bins or steps than the 2^32 that a list holds"
        return _wrong_values(message, snapshot, text, made, given or {})
    if isinstance(error, duckdb.IOException | duckdb.HTTPException):
        return QueryError(message, "lake verify")
    if isinstance(error, duckdb.ParserException) and (line := re.search(r"LINE (\d+)", whole)):
        message = f"{message}, line {line[1]}"
    return QueryError(message)


def check_calls(text: str, snapshot: Snapshot) -> None:
    """That numbers a statement gives to relations keep their bounds; what else it gives is left to DuckDB.

    Raises
    ------
    QueryError
        One does not.
    """
    for name in (n for n in named(text, snapshot) if n in relations()):
        if not (values := _arguments(name, text)):
            continue
        try:
            statement = _statement(name, snapshot)
        except QueryError:
            continue
        called = macro_names(snapshot, statement)
        given = {n: values[called[n]] for n in statement.params if NUMBER.fullmatch(values.get(called[n], ""))}
        try:
            typed = {n: statement.params[n].value(value) for n, value in given.items()}
            for n, value in typed.items():
                statement.params[n].check(value, typed)
        except QueryError as error:
            raise QueryError(f"{name}: {error.message}", f"lake show {name}") from None


def _no_table(name: str, snapshot: Snapshot, text: str) -> QueryError | None:
    """The error for a table that isn't there; None where it is no table of ours that is missing."""
    name = _qualified(name, text)
    known = [*relations(), *snapshot.tables, *own_names()]
    if name in relations():
        try:
            made = _statement(name, snapshot)
        except QueryError as missing:
            return missing
        if needed := [p for p in made.params.values() if p.default is None]:
            words = ", ".join(map(str, needed))
            return QueryError(f"{name}: missing {words}", f"lake query {name} --param {needed[0].name}=")
        return None
    if name in known:
        return QueryError(f"{name}: a table, which takes no arguments", f'lake sql "from {name}"')
    told = no_relation(name, known)
    near = told.hint.removeprefix("lake query ")
    return QueryError(told.message, _mended(text, name, near if near in known else "") or told.hint)


def _wrong_arguments(name: str, snapshot: Snapshot, text: str) -> QueryError | None:
    """The error for a relation that was called with what it does not take; None where it is no relation of ours."""
    if name not in relations():
        return None
    made = _statement(name, snapshot)
    called = macro_names(snapshot, made)
    for argument in _arguments(name, text):
        if argument not in called.values():
            told = unknown(f"{name}: no parameter {argument}", argument, called.values(), otherwise=f"lake show {name}")
            near = nearest(argument, called.values())
            return QueryError(told.message, _mended(text, argument, near) or f"lake show {name}")
    takes = ", ".join(str(p).partition("  ")[0].lstrip("$") for p in made.params.values()) or "none"
    return QueryError(
        f"{name}: arguments do not fit; it takes {takes}, by name as `name := value`", f"lake show {name}"
    )


def _arguments(name: str, text: str) -> dict[str, str]:
    """Arguments of a call that are given by name, as they are written."""
    called = re.search(rf"\b{_pattern(name)}\s*\(([^()]*)\)", text, re.I)
    pairs = re.findall(r'"?(\w+)"?\s*(?::=|=>)\s*([^,]+)', called[1]) if called else []
    return {argument.lower(): value.strip() for argument, value in pairs}


def _no_column(
    column: str, error: duckdb.Error, snapshot: Snapshot, text: str, con: duckdb.DuckDBPyConnection | None
) -> QueryError:
    """The error for a column that isn't there: the nearest, and what the tables of the statement have."""
    tables = {name: _columns(name, snapshot, con) for name in named(text, snapshot)}
    tables = {name: columns for name, columns in tables.items() if columns}
    listed_ = re.findall(r'"([^"]+)"', str(error).partition("Candidate bindings")[2].partition("\n")[0])
    candidates = [name.rpartition(".")[2] for name in listed_]
    every = [c for columns in tables.values() for c in columns] or candidates
    # Another table of the statement may have it, the one that was asked for it has not.
    known = [c for c in dict.fromkeys(every) if c != column]
    if not known:
        return QueryError(f"no column {column}")
    near = get_close_matches(column, known, 3, 0.6)
    if len(known) <= FEW:
        told = f"has {', '.join(sorted(known))}"
    elif near:
        told = f"nearest {'is' if len(near) == 1 else 'are'} {', '.join(near)}"
    else:
        told = f"has {listed(known)}"
    where = f"{', '.join(tables)} " if tables and told.startswith("has") else ""
    hint = _mended(text, column, near[0]) if near else ""
    first = next(iter(tables), "")
    shown = f'lake sql "describe {first}"' if first in relations() else f"lake show {first}"
    return QueryError(f"no column {column}; {where}{told}", hint or (shown if first else ""))


def _columns(name: str, snapshot: Snapshot, con: duckdb.DuckDBPyConnection | None) -> list[str]:
    if name in snapshot.tables:
        return [c.name for c in snapshot.tables[name].columns]
    try:
        return list(con.sql(f"from {'.'.join(map(quoted, name.split('.')))} limit 0").columns) if con else []
    except duckdb.Error:
        return []


def _wrong_values(
    message: str, snapshot: Snapshot, text: str, made: Mapping[str, Parameter] | None, given: Mapping[str, Any]
) -> QueryError:
    """The error for values that nothing can be computed of, with parameters that may be to blame and their bounds."""
    if made is not None:
        changed = [n for n in made if n in given and given[n] != made[n].default] or [n for n in made if n in given]
        asked = ", ".join(_beside(made[n], given[n]) for n in changed)
        return QueryError(f"{message}; asked with {asked}" if asked else message)
    for name in (n for n in named(text, snapshot) if n in relations()):
        statement = _statement(name, snapshot)
        called, values = macro_names(snapshot, statement), _arguments(name, text)
        asked = ", ".join(_beside(p, values[called[n]]) for n, p in statement.params.items() if called[n] in values)
        takes = ", ".join(map(str, statement.params.values()))
        if takes:
            told = f"asked with {asked}" if asked else f"takes {takes}"
            return QueryError(f"{name}: {message}; {told}", f"lake show {name}")
    return QueryError(message)


def _beside(param: Parameter, value: Any) -> str:
    """A value beside the bounds of its parameter."""
    bounds = ", ".join(map(str, param.bounds))
    unit = f" [{param.unit}]" if param.unit not in ("", "1") else ""
    return f"{param.name} = {value}{unit}{f' ({bounds})' if bounds else ''}"


def named(text: str, snapshot: Snapshot) -> list[str]:
    """Qualified names of tables and relations in a statement, in the order they come."""
    places = {}
    for name in {*relations(), *snapshot.tables, *own_names()}:
        if found := re.search(rf"\b{_pattern(name)}\b", text, re.I):
            places[name] = found.start()
    return sorted(places, key=lambda name: (places[name], name))


def _pattern(name: str) -> str:
    """A regular expression for a qualified name as a statement may spell it."""
    pipeline, _, bare = name.partition(".")
    return rf'{re.escape(pipeline)}"?\s*\.\s*"?{re.escape(bare)}'


def _qualified(name: str, text: str) -> str:
    """A name with the pipeline that stands before it in a statement."""
    found = None if "." in name else re.search(rf'(\w+)"?\s*\.\s*"?{re.escape(name)}\b', text, re.I)
    return f"{found[1].lower()}.{name}" if found else name


def _statement(name: str, snapshot: Snapshot) -> Statement:
    return plan(relations(), [*snapshot.tables, *own_names()], name)


def _mended(text: str, wrong: str, right: str) -> str:
    """The statement with a name put right, to paste; empty where it is long."""
    mended = re.sub(rf"\b{re.escape(wrong)}\b", right, text)
    if not right or mended == text or len(mended) > LONGEST_HINT or "\n" in mended or '"' in mended:
        return ""
    return f'lake sql "{mended}"'
