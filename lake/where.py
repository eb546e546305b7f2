"""Conditions on columns, as `Lake.table` and `Transaction.delete` take them: a value, some values, or a span.

A pair is the span [low, high), either end None where it is open; a list or a set are values, and anything else is one
value, None the null.
"""

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa

from lake.columns import Column
from lake.errors import QueryError
from lake.names import unknown
from lake.parameters import KINDS, as_kind
from lake.schema import Table

Wanted = list[Any] | tuple[Any, Any]


def conditions(table: Table, where: Mapping[str, Any]) -> dict[str, Wanted]:
    """What is wanted of each column, in its type: a list of values, or a pair of ends.

    Raises
    ------
    QueryError
        A column is not in the table, a value is not of its type, or what is meant is not clear.
    """
    columns = {c.name: c for c in table.columns}
    for name in where:
        if name not in columns:
            raise unknown(f"{table.name}: no column {name}", name, columns, otherwise=f"lake show {table.name}")
    return {name: _wanted(table.name, columns[name], value) for name, value in where.items()}


def _wanted(table: str, column: Column, value: Any) -> Wanted:
    if isinstance(value, tuple):
        return _span(table, column, value)
    if isinstance(value, list | set | frozenset | range) or (isinstance(value, np.ndarray) and value.ndim):
        return [_typed(table, column, one) for one in value]
    return [_typed(table, column, value)]


def _span(table: str, column: Column, value: tuple[Any, ...]) -> tuple[Any, Any]:
    """The ends of a span; those of whole numbers as the next whole ones."""
    if len(value) != 2:
        raise _unclear(table, column, f"a tuple of {len(value)}", "a span (low, high), or a list of values")
    is_whole = pa.types.is_integer(column.type)
    low, high = (math.ceil(v) if is_whole and isinstance(v, float) and math.isfinite(v) else v for v in value)
    low, high = (_typed(table, column, end) for end in (low, high))
    if low is None and high is None:
        raise _unclear(table, column, "(None, None)", "a span with a low end, a high one, or both")
    if None not in (low, high) and not low < high:
        raise _unclear(table, column, f"({value[0]}, {value[1]})", "low below high: the span is [low, high)")
    return low, high


def _typed(table: str, column: Column, value: Any) -> Any:
    """A value in the column's type, as Python has it."""
    if isinstance(value, np.datetime64):
        value = value.astype("datetime64[us]")
    value = value.item() if hasattr(value, "item") else value
    kind = _kind(column.type)
    if value is None or kind is None:
        return value
    try:
        return as_kind(value, kind)
    except (ValueError, TypeError, KeyError, OverflowError):
        raise _unclear(table, column, repr(value), KINDS[kind]) from None


def _kind(kind: pa.DataType) -> type | None:
    """The Python type of a column's values; None where DuckDB and Arrow are left to fit them."""
    if pa.types.is_timestamp(kind):
        return datetime
    if pa.types.is_boolean(kind):
        return bool
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return str
    return int if pa.types.is_integer(kind) else float if pa.types.is_floating(kind) else None


def _unclear(table: str, column: Column, found: str, expected: str) -> QueryError:
    unit = f" [{column.unit}]" if column.unit else ""
    return QueryError(f"{table}: {column.name}: found {found}, expected {expected}{unit}", f"lake show {table}")
