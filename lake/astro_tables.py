"""Rows in astronomy's own formats, ECSV, VOTable and FITS: units, instants as times, and where the rows are from.

None of the three tells empty text from null, and FITS does not tell a real number that is NaN from one that is null.
Lists are JSON, bytes hexadecimal; whole numbers without a sign take the next wider type where a format has only signed.
"""

import io
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lake.errors import QueryError
from lake.export import json_column, origin_of, plain, units_of

UTC = "utc"
# The version whose words are used, as Astropy asks for it.
VOTABLE = {"version": "1.4", "version_1_4_or_later": True}
CARDS = {"lake": "LAKE_ID", "commit": "COMMIT", "dataset": "DATASET", "parameters": "PARAMS", "code": "CODE_VER"}
# Not every one of the three formats has these.
WIDER = {
    pa.int8(): pa.int16(), pa.uint16(): pa.int32(), pa.uint32(): pa.int64(), pa.uint64(): pa.int64(),
    pa.float16(): pa.float32(),
}  # fmt: skip


def ecsv(rows: pa.Table) -> Iterator[bytes]:
    """An ECSV file; its instants are read as `astropy.time.Time`."""
    text = io.StringIO()
    astropy_table(rows, "ecsv").write(text, format="ascii.ecsv")
    yield text.getvalue().encode()


def votable(rows: pa.Table) -> Iterator[bytes]:
    """A VOTable; its instants are ISO text with `xtype="timestamp"` that refers to a TIMESYS of UTC."""
    from astropy.io.votable import from_table, writeto
    from astropy.io.votable.tree import Info, TimeSys

    made = from_table(astropy_table(rows, "votable"))
    for name, value in origin_of(rows).items():
        made.infos.append(Info(name=name, value=value))
    found = made.get_first_table()
    instants = [f for f in found.fields if f.xtype == "timestamp"]
    if instants:
        made.time_systems.append(TimeSys(ID=UTC, timescale="UTC", refposition="UNKNOWN", config=VOTABLE))
    for field in instants:
        field.ref = UTC
    binary = io.BytesIO()
    writeto(made, binary)
    yield binary.getvalue()


def fits(rows: pa.Table) -> Iterator[bytes]:
    """A FITS binary table; its instants are UTC Julian days in two parts, exact to the microsecond."""
    from astropy.io.fits import table_to_hdu

    hdu = table_to_hdu(astropy_table(rows, "fits"))
    for word, value in origin_of(rows).items():
        hdu.header[CARDS[word]] = (value, f"{word} of these rows" if word != "code" else "that wrote them")
    for place, field in enumerate(rows.schema, 1):
        doc = (field.metadata or {}).get(b"doc", b"").decode()
        if doc:
            hdu.header[f"TCOMM{place}"] = doc.encode("ascii", "replace").decode()
    binary = io.BytesIO()
    hdu.writeto(binary)
    yield binary.getvalue()


def astropy_table(rows: pa.Table, form: str) -> Any:
    """The rows as an Astropy table that a format can hold: units, meanings as descriptions, nulls masked.

    Raises
    ------
    QueryError
        A column has a value that the format cannot hold.
    """
    from astropy.table import Table

    units = units_of(rows)
    table = Table(meta=origin_of(rows) if form == "ecsv" else None)
    for field, column in zip(rows.schema, plain(rows).columns, strict=True):
        try:
            table[field.name] = _column(column.combine_chunks(), form)
        except (pa.ArrowInvalid, UnicodeEncodeError) as error:
            dataset = origin_of(rows).get("dataset", "")
            raise QueryError(
                f"{dataset or 'rows'}: {form} cannot hold column {field.name}, {column.type}: {error}",
                f"lake export {dataset} --to parquet" if dataset else "",
            ) from error
        words = {k.decode(): v.decode() for k, v in (field.metadata or {}).items()}
        if form != "fits":
            table[field.name].info.description = words.get("doc")
        if form == "votable" and "ucd" in words:
            table[field.name].meta["ucd"] = words["ucd"]
        if units[field.name] not in ("", "UTC"):
            table[field.name].unit = units[field.name]
    return table


def _column(column: pa.Array, form: str) -> Any:
    """A column in the words of Astropy."""
    from astropy.table import Column, MaskedColumn

    kind = WIDER.get(column.type, column.type)
    if pa.types.is_timestamp(kind) and form != "votable":
        return _times(column)
    mask = column.is_null().to_numpy(zero_copy_only=False)
    if not (pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind)):
        return _texts(column, mask, form)
    if form == "fits" and pa.types.is_boolean(kind) and mask.any():
        kind = pa.int16()
    values = pc.fill_null(pc.cast(column, kind), pa.scalar(0).cast(kind)).to_numpy(zero_copy_only=False)
    if not mask.any():
        return Column(values)
    if form == "fits" and values.dtype.kind in "iu":
        return MaskedColumn(values, mask=mask, fill_value=_absent(values))
    return MaskedColumn(values, mask=mask)


def _absent(values: NDArray[Any]) -> int:
    """A whole number that is not among these: the lowest there is, if it can be."""
    limits = np.iinfo(values.dtype)
    taken = set(values.tolist()) if limits.min in values else set()
    return next(n for n in range(limits.min, limits.max + 1) if n not in taken)


def _times(column: pa.Array) -> Any:
    """Instants as Astropy has them, UTC."""
    from astropy.time import Time

    micros = pc.cast(pc.fill_null(pc.cast(column, pa.timestamp("us")), 0), pa.int64()).to_numpy()
    times = Time(micros.astype("datetime64[us]"), format="datetime64", scale=UTC)
    times.format, times.precision = "isot", 6
    if column.null_count:
        times[column.is_null().to_numpy(zero_copy_only=False)] = np.ma.masked
    return times


def _texts(column: pa.Array, mask: NDArray[np.bool_], form: str) -> Any:
    """Text, and what no format has as text: instants in ISO, bytes in hexadecimal, lists in JSON."""
    from astropy.table import Column, MaskedColumn

    values = ["" if v is None else v if isinstance(v, str) else json.dumps(v) for v in json_column(column)]
    if form == "fits":
        for value in values:
            value.encode("ascii")
    is_instant = pa.types.is_timestamp(column.type)
    meta = {"xtype": "timestamp", "_votable_string_dtype": "char"} if is_instant else None
    data = np.array(values, dtype=str)
    return MaskedColumn(data, mask=mask, meta=meta) if mask.any() else Column(data, meta=meta)
