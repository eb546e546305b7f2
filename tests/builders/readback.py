"""Rows as they come back from other people's readers, in the lake's own types."""

import json
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from astropy.table import Table as AstropyTable
from astropy.time import Time

from lake.schema import Table
from lake.views import sql_type

Rows = list[dict[str, Any]]


def by_key(rows: Rows) -> Rows:
    """Rows in the order of their key, NaN as null."""
    plain = [{k: None if v != v else v for k, v in row.items()} for row in rows]
    return sorted(plain, key=lambda row: row["row_id"])


def from_text(value: Any, kind: pa.DataType) -> Any:
    """A value that a format keeps as text or as another number."""
    if isinstance(value, str) and pa.types.is_timestamp(kind):
        return datetime.fromisoformat(value.removesuffix("Z"))
    if isinstance(value, str) and (pa.types.is_binary(kind) or pa.types.is_large_binary(kind)):
        return bytes.fromhex(value)
    if isinstance(value, str) and kind in (pa.date32(), pa.time64("us")):
        return (date if kind == pa.date32() else time).fromisoformat(value)
    if isinstance(value, str) and pa.types.is_list(kind):
        return json.loads(value)
    if value is not None and pa.types.is_boolean(kind):
        return bool(value)
    return float(np.float32(value)) if value is not None and pa.types.is_float32(kind) else value


def json_rows(text: str, table: Table) -> Rows:
    return [{c.name: from_text(row[c.name], c.type) for c in table.columns} for row in json.loads(text)]


def csv_rows(path: Path, table: Table) -> Rows:
    kinds = {c.name: sql_type(c.type) for c in table.columns}
    with duckdb.connect() as con:
        read = con.read_csv(str(path), header=True, columns=kinds, allow_quoted_nulls=False)
        return read.to_arrow_table().to_pylist()


def astropy_rows(read: AstropyTable, table: Table) -> Rows:
    """Rows of an Astropy table; an empty text is a null."""

    def values(column: Any, kind: pa.DataType) -> list[Any]:
        if isinstance(column, Time):
            nothing = np.broadcast_to(column.mask, column.shape)
            micros = np.array(column[~nothing].datetime64, "datetime64[us]").tolist()
            known = iter(micros if isinstance(micros, list) else [micros])
            return [None if gone else next(known) for gone in nothing]
        found = column.tolist()
        texts = [v.decode() if isinstance(v, bytes) else v for v in found]
        return [from_text(None if v == "" else v, kind) for v in texts]

    columns = {c.name: values(read[c.name], c.type) for c in table.columns}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
