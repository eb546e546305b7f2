"""Rows for other people's tools: CSV, JSON, Parquet, Markdown, Astropy's tables."""

import io
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from lake.errors import QueryError

if TYPE_CHECKING:
    from lake.store import Lake

ENDINGS = {
    ".csv": "csv",
    ".json": "json",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".md": "markdown",
    ".parquet": "parquet",
    ".ecsv": "ecsv",
    ".vot": "votable",
    ".votable": "votable",
    ".xml": "votable",
    ".fits": "fits",
    ".fit": "fits",
}
BATCH = 10_000
# What the words of a signature begin with in the metadata of an Arrow or Parquet schema.
SIGN = "lightlake."


def format_of(path: str | os.PathLike[str]) -> str:
    """The format that a file's ending asks for.

    Raises
    ------
    QueryError
        The ending is none that is known.
    """
    ending = Path(path).suffix.lower()
    if ending not in ENDINGS:
        raise QueryError(f"{path}: the ending {ending or '(none)'} names no format; known are {', '.join(ENDINGS)}")
    return ENDINGS[ending]


def csv(rows: pa.Table) -> Iterator[bytes]:
    """CSV exactly as DuckDB writes it, so that the page, the command and the plain program agree to the byte."""
    import duckdb

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rows.csv")
        with duckdb.connect() as con:
            con.register("answer", plain(rows))
            con.execute(f"copy (from answer) to '{path}' (format csv, header true)")
        with path.open("rb") as file:
            while block := file.read(1 << 16):
                yield block


def plain(rows: pa.Table) -> pa.Table:
    """The same rows without dictionaries, whose encoding some readers refuse."""
    for i, field in enumerate(rows.schema):
        if pa.types.is_dictionary(field.type):
            column = rows.column(i).cast(field.type.value_type)
            rows = rows.set_column(i, pa.field(field.name, column.type, metadata=field.metadata), column)
    return rows


def json_rows(rows: pa.Table) -> Iterator[dict[str, Any]]:
    """Rows as JSON has them: instants `2017-09-10T16:06:00Z`, NaN and null as None, float32 in its own few digits."""
    for batch in plain(rows).to_batches(BATCH):
        columns = [json_column(batch.column(i)) for i in range(batch.num_columns)]
        names = batch.schema.names
        yield from (dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True))


def json_column(column: pa.Array) -> list[Any]:
    """A column's values as JSON has them."""
    kind = column.type
    if pa.types.is_timestamp(kind):
        text = pc.strftime(column.cast(pa.timestamp(kind.unit)), "%Y-%m-%dT%H:%M:%S")
        short = pc.replace_substring_regex(text, r"(\.\d*?)0+$", r"\1")
        return list(pc.binary_join_element_wise(pc.replace_substring_regex(short, r"\.$", ""), "Z", "").to_pylist())
    if pa.types.is_float32(kind):
        column = column.cast(pa.string()).cast(pa.float64())
    return [json_value(value) for value in column.to_pylist()]


def json_value(value: Any) -> Any:
    """One value as JSON has it."""
    import datetime
    import decimal

    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime.datetime):
        return value.isoformat() + ("" if value.tzinfo else "Z")
    if isinstance(value, Mapping):
        return {str(k): json_value(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set):
        return [json_value(v) for v in value]
    if hasattr(value, "item"):
        return json_value(value.item())
    return str(value)


def json_array(rows: pa.Table) -> Iterator[bytes]:
    """One JSON array of row objects, a row a line."""
    start = "["
    for row in json_rows(rows):
        yield f"{start}{json.dumps(row, ensure_ascii=False)}".encode()
        start = ",\n "
    yield b"]\n" if start != "[" else b"[]\n"


def ndjson(rows: pa.Table) -> Iterator[bytes]:
    """One JSON object a line."""
    for row in json_rows(rows):
        yield (json.dumps(row, ensure_ascii=False) + "\n").encode()


def markdown(rows: pa.Table) -> Iterator[bytes]:
    """A Markdown table, the unit in brackets after the name."""
    units = units_of(rows)

    def line(cells: list[str]) -> bytes:
        return ("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |\n").encode()

    names = rows.schema.names
    yield line([f"{n} [{units[n]}]" if units.get(n) else n for n in names])
    yield line(["---"] * len(names))
    for row in json_rows(rows):
        yield line(["" if v is None else str(v) for v in row.values()])


def parquet(rows: pa.Table) -> Iterator[bytes]:
    """One Parquet file, units and meanings in the fields."""
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(rows, buffer, compression="zstd", compression_level=1, row_group_size=122_880)
    yield buffer.getvalue()


def units_of(rows: pa.Table) -> dict[str, str]:
    """The unit of each column that has one; of an instant it is UTC."""
    words = {f.name: (f.metadata or {}).get(b"unit", b"").decode() for f in rows.schema}
    return {f.name: "UTC" if pa.types.is_timestamp(f.type) else words[f.name] for f in rows.schema}


def with_units(rows: pa.Table, units: Mapping[str, str]) -> pa.Table:
    """The same rows, each field carrying its unit."""
    fields = [
        f.with_metadata({**(f.metadata or {}), b"unit": units[f.name].encode()}) if units.get(f.name) else f
        for f in rows.schema
    ]
    return pa.table(rows.columns, schema=pa.schema(fields))


def signed(rows: pa.Table, lake: "Lake", dataset: str, params: Mapping[str, Any] | None = None) -> pa.Table:
    """The same rows, saying where they are from (lake, commit, dataset, parameters, code) and what columns mean."""
    from lake.provenance import code_version

    words = {"lake": lake.id, "commit": str(lake.number), "dataset": dataset, "code": code_version()}
    if params:
        words["parameters"] = json.dumps(params, sort_keys=True, default=str)
    declared = lake.snapshot.tables.get(dataset)
    meanings = {c.name: c.arrow.metadata for c in declared.columns} if declared else {}
    fields = [f.with_metadata({**meanings.get(f.name, {}), **(f.metadata or {})}) for f in rows.schema]
    return pa.table(rows.columns, schema=pa.schema(fields, {f"{SIGN}{word}": v for word, v in words.items()}))


def origin_of(rows: pa.Table) -> dict[str, str]:
    """What rows were signed with; nothing where they were not."""
    words = {k.decode(): v.decode() for k, v in (rows.schema.metadata or {}).items()}
    return {k.removeprefix(SIGN): v for k, v in words.items() if k.startswith(SIGN)}


def _astronomy(form: str, rows: pa.Table) -> Iterator[bytes]:
    from lake import astro_tables

    written: Iterator[bytes] = getattr(astro_tables, form)(rows)
    return written


WRITERS: dict[str, Callable[[pa.Table], Iterator[bytes]]] = {
    "csv": csv,
    "json": json_array,
    "ndjson": ndjson,
    "markdown": markdown,
    "parquet": parquet,
    "ecsv": lambda rows: _astronomy("ecsv", rows),
    "votable": lambda rows: _astronomy("votable", rows),
    "fits": lambda rows: _astronomy("fits", rows),
}


def write(rows: pa.Table, form: str, path: Path) -> int:
    """Write rows to a file that appears whole or not at all; return its bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    size = 0
    staged = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with staged.open("wb") as file:
            for block in WRITERS[form](rows):
                size += file.write(block)
        staged.replace(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        with suppress(OSError):
            staged.unlink(missing_ok=True)
    return size
