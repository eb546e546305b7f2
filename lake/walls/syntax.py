"""The second wall: what a statement may say, read from DuckDB's own syntax tree before anything is run.

All that is permitted is listed, so a word that a later DuckDB adds is refused.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import duckdb

from lake.errors import Forbidden, QueryError
from lake.names import nearest
from lake.walls.functions import FUNCTIONS

CLASSES = {
    "BETWEEN", "CASE", "CAST", "COLLATE", "COLUMN_REF", "COMPARISON", "CONJUNCTION", "CONSTANT", "FUNCTION", "LAMBDA",
    "OPERATOR", "PARAMETER", "POSITIONAL_REFERENCE", "STAR", "SUBQUERY", "TYPE", "WINDOW",
}  # fmt: skip
PARTS = {
    "SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE",
    "BASE_TABLE", "EMPTY", "EXPRESSION_LIST", "JOIN", "PIVOT", "SUBQUERY", "TABLE_FUNCTION",
    "DISTINCT_MODIFIER", "LIMIT_MODIFIER", "LIMIT_PERCENT_MODIFIER", "ORDER_MODIFIER",
    "ASCENDING", "DESCENDING", "ORDER_DEFAULT",
}  # fmt: skip
TABLE_FUNCTIONS = {"generate_series", "range", "unnest"}
# A name of a CTE counts wherever it is used, so none may be one of DuckDB's own, and none the name of a file.
CTE_NAME = re.compile(r"(?!(?:duckdb|pg|pragma|sqlite)_)[a-z_][a-z0-9_]*")
WORDS = "one select, with CTEs if need be, over what `lake ls` lists"
FUNCTION_WORDS = "functions of values, aggregates, windows, range, generate_series, unnest, relations with parameters"
CTE_WORDS = "CTEs named by letters, digits and _, with no name of DuckDB's own"
SHOWN = 200
Node = dict[str, Any]


def checked(text: str, tables: Collection[str], macros: Collection[str]) -> set[str]:
    """The tables and relations that a statement reads, once nothing in it is more than it may be.

    Parameters
    ----------
    tables : qualified names that it may read.
    macros : qualified names that it may call with parameters.

    Raises
    ------
    Forbidden
        It is not one select, or something in it is not permitted; the message says what.
    QueryError
        It is no SQL.
    """
    nodes = list(_nodes(_tree(text)))
    ctes = {name for node in nodes for name in _cte_names(node)}
    for name in ctes:
        if not CTE_NAME.fullmatch(name):
            raise _refused("sql-cte", f"found a CTE named {name[:SHOWN]}", CTE_WORDS)
    read = set()
    for node in nodes:
        _check_kind(node)
        kind = node.get("type")
        if kind == "BASE_TABLE":
            read |= _table(node, tables, ctes)
        elif kind == "TABLE_FUNCTION":
            read |= _table_function(node["function"], macros)
        elif node.get("class") in ("FUNCTION", "WINDOW") and not node.get("is_table"):
            _check_function(node)
    return read


def _tree(text: str) -> Any:
    """The syntax tree of a statement; DuckDB makes one of selects only."""
    with duckdb.connect(config={"threads": 1, "enable_external_access": False}) as con:
        ((found,),) = con.execute("select json_serialize_sql(?)", [text]).fetchall()
    try:
        tree = json.loads(found)
    except RecursionError:
        raise QueryError("sql: too many brackets within brackets") from None
    if tree["error"]:
        said = " ".join(str(tree.get("error_message", "")).split())[:SHOWN]
        if tree.get("error_type") in ("parser", "syntax"):
            raise QueryError(said)
        raise _refused("sql-statement", f"found another statement than a select ({said})", WORDS)
    if len(tree["statements"]) != 1:
        raise _refused("sql-statement", f"found {len(tree['statements'])} statements, expected one", WORDS)
    return tree


def _nodes(value: Any) -> Iterator[Node]:
    """Every object of a tree; the function of a table function is marked, as it goes by other rules."""
    stack = [value]
    while stack:
        found = stack.pop()
        if isinstance(found, dict):
            if found.get("type") == "TABLE_FUNCTION":
                found["function"]["is_table"] = True
            yield found
            stack += found.values()
        elif isinstance(found, list):
            stack += found


def _cte_names(node: Node) -> Iterator[str]:
    """Names that a node gives to CTEs, in lower case as DuckDB compares them."""
    ctes = node.get("cte_map")
    if isinstance(ctes, dict):
        yield from (_lower(cte["key"]) for cte in ctes["map"])
    for key in ("cte_name", "ctename"):
        if isinstance(node.get(key), str):
            yield _lower(node[key])


def _check_kind(node: Node) -> None:
    kind = node.get("class", node.get("type"))
    if not isinstance(kind, str) or kind.endswith("_TYPE_INFO"):
        return
    if kind not in (CLASSES if "class" in node else PARTS):
        raise _refused("sql-syntax", f"found {kind.lower().replace('_', ' ')}", WORDS)


def _table(node: Node, tables: Collection[str], ctes: Collection[str]) -> set[str]:
    """The table that a name means; none where it is a CTE's."""
    path = _path(node, "table_name", "schema_name", "catalog_name")
    name = ".".join(path)
    if len(path) == 1 and name in ctes:
        return set()
    if len(path) == 2 and name in tables:
        return {name}
    near = nearest(name[:SHOWN], tables)
    more = f"; nearest is {near}" if near else ""
    raise _refused("sql-table", f"found {name[:SHOWN]}, expected a table or relation of the lake{more}", "lake ls")


def _table_function(node: Node, macros: Collection[str]) -> set[str]:
    path = _path(node, "function_name", "schema", "catalog")
    name = ".".join(path)
    if len(path) == 1 and name in TABLE_FUNCTIONS:
        return set()
    if len(path) == 2 and name in macros:
        return {name}
    raise _refused("sql-function", f"found {name[:SHOWN]}() in place of a table", FUNCTION_WORDS)


def _check_function(node: Node) -> None:
    """That a function is one of values; in which schema it is looked for makes no difference to a listed name."""
    name = _path(node, "function_name", "schema", "catalog")[-1]
    if name not in FUNCTIONS:
        raise _refused("sql-function", f"found {name[:SHOWN]}()", FUNCTION_WORDS)


def _path(node: Mapping[str, Any], *keys: str) -> list[str]:
    """The parts of a name, outermost first.

    DuckDB 2 gives a path, and of one with four parts the keys that 1.x has leave out the second.
    """
    found = (node.get("qualified_name") or {}).get("path") or [node.get(key) for key in reversed(keys)]
    return [_lower(part) for part in found if part]


def _lower(name: str) -> str:
    """A name as DuckDB compares it: only ASCII letters have no case."""
    return "".join(c.lower() if c.isascii() else c for c in name)


def _refused(rule: str, found: str, hint: str) -> Forbidden:
    return Forbidden("sql", rule, found, hint if hint.startswith("lake ") else f"permitted: {hint}")
