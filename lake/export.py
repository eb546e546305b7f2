"""Rows for other people's tools: CSV, JSON, Parquet, Markdown, Astropy's tables, Delta by reference."""

import io
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from lake.errors import LakeError, QueryError

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
        columns = [_json_column(batch.column(i)) for i in range(batch.num_columns)]
        names = batch.schema.names
        yield from (dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True))


def _json_column(column: pa.Array) -> list[Any]:
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


def _astropy(rows: pa.Table, form: str) -> Iterator[bytes]:
    from astropy.io import fits
    from astropy.io.votable import from_table, writeto

    table = astropy_table(rows)
    if form == "ecsv":
        text = io.StringIO()
        table.write(text, format="ascii.ecsv")
        yield text.getvalue().encode()
        return
    binary = io.BytesIO()
    if form == "votable":
        writeto(from_table(table), binary)
    else:
        fits.BinTableHDU(table).writeto(binary)
    yield binary.getvalue()


def astropy_table(rows: pa.Table) -> Any:
    """The rows as an Astropy table: units, meanings as descriptions, nulls masked, instants as ISO text with `Z`."""
    import numpy as np
    from astropy.table import MaskedColumn, Table

    units = units_of(rows)
    table = Table()
    for field, column in zip(plain(rows).schema, plain(rows).columns, strict=True):
        is_text = not (
            pa.types.is_floating(field.type) or pa.types.is_integer(field.type) or pa.types.is_boolean(field.type)
        )
        values = [v for batch in column.chunks for v in _json_column(batch)] if is_text else None
        mask = column.is_null().to_numpy()
        if values is not None:
            data = np.array(["" if v is None else str(v) for v in values], dtype=str)
        else:
            empty = False if pa.types.is_boolean(field.type) else 0
            data = pc.fill_null(column, pa.scalar(empty, field.type)).to_numpy()
        doc = (field.metadata or {}).get(b"doc", b"").decode()
        unit = None if units[field.name] in ("", "UTC") else units[field.name]
        table[field.name] = MaskedColumn(data, mask=mask, unit=unit, description=doc or None)
    return table


WRITERS: dict[str, Callable[[pa.Table], Iterator[bytes]]] = {
    "csv": csv,
    "json": json_array,
    "ndjson": ndjson,
    "markdown": markdown,
    "parquet": parquet,
    "ecsv": lambda rows: _astropy(rows, "ecsv"),
    "votable": lambda rows: _astropy(rows, "votable"),
    "fits": lambda rows: _astropy(rows, "fits"),
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
    finally:
        staged.unlink(missing_ok=True)
    return size


def delta(lake: "Lake", dataset: str, folder: Path) -> dict[str, Any]:
    """Register the files of a table as a Delta table by reference: hard links to the same bytes, no row is copied.

    Raises
    ------
    LakeError
        The Delta library is not installed, the files lie elsewhere than in a folder, or the dataset is no table.
    """
    try:
        from deltalake import CommitProperties, Schema
        from deltalake.transaction import AddAction, create_table_with_add_actions
    except ImportError:
        raise LakeError("the Delta library is not installed", "pip install 'lightlake[delta]'") from None
    snapshot = lake.snapshot
    if dataset not in snapshot.tables:
        raise QueryError(f"{dataset}: no table of files, and only those can be registered by reference", "lake ls")
    if "://" in lake.root:
        raise LakeError(f"{lake.root}: registering by reference needs the files and {folder} in one file system")
    pieces = snapshot.pieces_of(dataset)
    actions = []
    for piece in pieces:
        name = Path(piece.path).name
        _link(Path(lake.storage.url(piece.path)), folder / name)
        rows = json.dumps({"numRecords": piece.n_rows})
        actions.append(AddAction(name, piece.n_bytes, {}, 0, True, rows))
    schema = pa.schema([pa.field(f.name, _delta_type(f.type), True) for f in snapshot.tables[dataset].arrow])
    marks = CommitProperties(custom_metadata={"lake_commit": str(snapshot.number)})
    create_table_with_add_actions(
        str(folder), Schema.from_arrow(schema), actions, "overwrite", [], commit_properties=marks
    )
    return {"files": len(pieces), "rows": sum(p.n_rows for p in pieces)}


def _link(file: Path, name: Path) -> None:
    """Give a file a second name."""
    name.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(file, name)
    except FileExistsError:
        if not name.samefile(file):
            raise
    except OSError as error:
        raise LakeError(
            f"{name.parent}: not in the file system of the lake, so its files cannot be linked there"
        ) from error


def _delta_type(kind: pa.DataType) -> pa.DataType:
    """The nearest type that Delta has: it knows no unsigned integers."""
    wider = {pa.uint8(): pa.int16(), pa.uint16(): pa.int32(), pa.uint32(): pa.int64(), pa.uint64(): pa.int64()}
    return wider.get(kind, kind)
