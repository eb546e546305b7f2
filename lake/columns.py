"""One declared quantity, and how given values are fitted to it."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lake.errors import SchemaError
from lake.source import Coded, Ragged

IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,62}")


@dataclass(frozen=True)
class Column:
    """One quantity: its name, type, unit and meaning, and where a file keeps it.

    Attributes
    ----------
    name : lower case, ending in its unit (`peak_flux_w_m2`).
    type : Arrow type; an instant is `timestamp[us]`, UTC without a zone.
    doc : one sentence.
    unit : as Astropy writes it; empty for a pure number.
    source : column or header keyword of the file that holds it; `#row` numbers the rows from 0.
    nullable : whether a row may do without it.
    at_least, at_most : bounds, both kept.
    ucd : IVOA unified content descriptor.
    """

    name: str
    type: pa.DataType
    doc: str
    unit: str = ""
    source: str = ""
    nullable: bool = False
    at_least: float | None = None
    at_most: float | None = None
    ucd: str = ""

    def __post_init__(self) -> None:
        if not IDENTIFIER.fullmatch(self.name):
            raise SchemaError(f"column {self.name!r}: a name is lower-case ASCII, digits and _, starting with a letter")
        if not self.doc:
            raise SchemaError(f"column {self.name}: no sentence says what it means")

    @property
    def arrow(self) -> pa.Field:
        """The Arrow field, unit and meaning in its metadata."""
        words = {"unit": self.unit, "doc": self.doc, "ucd": self.ucd}
        return pa.field(self.name, self.type, self.nullable, {k: v for k, v in words.items() if v})


def column_json(column: Column) -> dict[str, Any]:
    """The declaration as the log keeps it; what is empty is left out."""
    words = {"name": column.name, "type": str(column.type), "doc": column.doc}
    for name in ("unit", "nullable", "at_least", "at_most", "ucd"):
        value = getattr(column, name)
        if value is not None and value is not False and value != "":
            words[name] = value
    return words


def column_from_json(words: Mapping[str, Any]) -> Column:
    """The declaration from the log."""
    return Column(**{**words, "type": arrow_type(words["type"])})


def arrow_type(name: str) -> pa.DataType:
    """An Arrow type from its printed name; lists, instants and the plain types are known.

    Raises
    ------
    SchemaError
        The name is none of these.
    """
    if found := re.fullmatch(r"list<\w+: (.+)>", name):
        return pa.list_(arrow_type(found[1]))
    if found := re.fullmatch(r"timestamp\[(s|ms|us|ns)\]", name):
        return pa.timestamp(found[1])
    try:
        return pa.type_for_alias(name)
    except ValueError:
        raise SchemaError(f"type {name!r} is not one that tables here may have") from None


def common_length(name: str, given: Mapping[str, Any]) -> int:
    """The common length of the columns; a scalar has none."""
    lengths = {n: len(v) for n, v in given.items() if hasattr(v, "__len__") and not isinstance(v, str | bytes)}
    if len(set(lengths.values())) > 1:
        raise SchemaError(f"{name}: columns differ in length: " + json.dumps(lengths))
    return next(iter(lengths.values()), 1 if given else 0)


Unfit = Iterable[tuple[NDArray[np.bool_], str]]


def fitted(table: str, column: Column, values: Any, n: int) -> tuple[pa.Array, Unfit]:
    """A column in its declared type, and which rows do not fit and why."""
    if values is None:
        return pa.nulls(n, column.type), ()
    array = _as_arrow(values, n)
    if len(array) != n:
        raise SchemaError(f"{table}: {column.name} has {len(array)} values, the table has {n} rows")
    unfit: list[tuple[NDArray[np.bool_], str]] = []
    if pa.types.is_floating(array.type) and array.null_count < n:
        not_a_number = pc.fill_null(pc.is_nan(array), False)
        if pc.any(not_a_number).as_py():
            array = pc.if_else(not_a_number, pa.scalar(None, array.type), array)
    if array.type != column.type:
        nulls_before = array.null_count
        array, lossy = _cast(table, column, array)
        if array.null_count > nulls_before:
            unfit.append((lossy, f"does not fit {column.type}"))
    if array.null_count and not column.nullable:
        unfit.append((_mask(pc.is_null(array)), "null or not a number"))
    if column.at_least is not None:
        unfit.append((_mask(pc.less(array, _scalar(column.at_least, column))), f"below {column.at_least:g}"))
    if column.at_most is not None:
        unfit.append((_mask(pc.greater(array, _scalar(column.at_most, column))), f"above {column.at_most:g}"))
    return array, unfit


def _as_arrow(values: Any, n: int) -> pa.Array:
    if isinstance(values, pa.ChunkedArray):
        return values.combine_chunks() if values.num_chunks != 1 else values.chunk(0)
    if isinstance(values, pa.Array):
        return values
    if isinstance(values, Coded):
        return pa.DictionaryArray.from_arrays(values.index, list(values.kinds)).cast(pa.string())
    if isinstance(values, Ragged):
        return pa.ListArray.from_arrays(values.offsets, values.values)
    if isinstance(values, str | bytes) or not hasattr(values, "__len__"):
        return pa.repeat(pa.scalar(values.item() if isinstance(values, np.generic) else values), n)
    if isinstance(values, np.ma.MaskedArray):
        return pa.array(np.ascontiguousarray(values.data), mask=np.ma.getmaskarray(values))
    if isinstance(values, np.ndarray) and values.dtype.kind == "S":
        values = np.char.decode(values, "ascii", "replace")
    if isinstance(values, np.ndarray) and not values.dtype.isnative:
        values = values.astype(values.dtype.newbyteorder("="))
    return pa.array(values)


def _cast(table: str, column: Column, array: pa.Array) -> tuple[pa.Array, NDArray[np.bool_]]:
    """The values in the declared type, null where they do not fit, and where that is."""
    try:
        # Digits beyond those of the declared type are dropped; what would become infinite is not.
        rounded = pa.types.is_float32(column.type) and pa.types.is_floating(array.type)
        rounded |= pa.types.is_timestamp(column.type) and pa.types.is_timestamp(array.type)
        cast = pc.cast(array, column.type, safe=not rounded)
        if not (rounded and pa.types.is_floating(cast.type)):
            return cast, np.zeros(len(array), bool)
        lossy = _mask(pc.and_(pc.is_inf(cast), pc.is_finite(array)))
        return (pc.if_else(pa.array(lossy), pa.scalar(None, cast.type), cast) if lossy.any() else cast), lossy
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        if not (pa.types.is_integer(column.type) and pa.types.is_primitive(array.type)):
            raise SchemaError(f"{table}: {column.name} is {array.type}, declared {column.type}: {error}") from error
    limits = np.iinfo(column.type.to_pandas_dtype())
    values = pc.cast(array, pa.float64(), safe=False)
    whole = pc.and_(pc.equal(pc.floor(values), values), pc.and_(
        pc.greater_equal(values, float(limits.min)), pc.less(values, float(limits.max) + 1)))  # fmt: skip
    lossy = _mask(pc.invert(whole))
    kept = pc.if_else(pa.array(lossy), pa.scalar(None, array.type), array)
    return pc.cast(kept, column.type), lossy


def _scalar(value: float, column: Column) -> pa.Scalar:
    return pa.scalar(int(value) if pa.types.is_integer(column.type) else value, column.type)


def _mask(values: pa.Array) -> NDArray[np.bool_]:
    mask: NDArray[np.bool_] = pc.fill_null(values, False).to_numpy(zero_copy_only=False)
    return mask


def wider_type(name: str, old: pa.DataType, new: pa.DataType) -> pa.DataType:
    """The wider of two types of one kind.

    Raises
    ------
    SchemaError
        They are of different kinds, so one cannot hold the other.
    """
    if old == new:
        return old
    for kind in (pa.types.is_signed_integer, pa.types.is_unsigned_integer, pa.types.is_floating):
        if kind(old) and kind(new):
            return old if old.bit_width > new.bit_width else new
    raise SchemaError(f"{name} changed from {old} to {new}; make a new column")
