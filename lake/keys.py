"""Keys: which rows of two sets of files have the same one, and files without some of their rows."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lake.layers import Layers
from lake.log import Piece
from lake.ordering import key_order
from lake.pieces import check_bytes, read_rows
from lake.schema import SOURCE, Table
from lake.storage import Storage


def clashes(
    storage: Storage, key: Sequence[str], new: Sequence[Piece], live: Mapping[str, Piece]
) -> tuple[str, str] | None:
    """A key that is both in the new files and in those of the lake.

    Parameters
    ----------
    live : the files of the lake by path.

    Returns
    -------
    The input that brought the row of the lake, and the key as text; None where every key is new.
    """
    if not key:
        return None
    for fresh in new:
        for piece in _near(key, fresh, live):
            if fresh.path != piece.path:
                columns = [*key, SOURCE]
                mine, theirs = (read_rows(storage, p, columns) for p in (fresh, piece))
                if found := _shared(key, mine, theirs):
                    return found
    return None


def _near(key: Sequence[str], fresh: Piece, live: Mapping[str, Piece]) -> list[Piece]:
    """The files whose span overlaps that of another one in every key column."""
    near: list[Piece]
    if isinstance(live, Layers):
        spans = live.of_bottom(tuple(key), lambda bottom: Spans(bottom.values(), key))
        under = (p for p in spans.overlapping(fresh) if p.path not in live.top and p.path not in live.gone)
        near = [*under, *live.top.values()]
    else:
        near = list(live.values())
    for name in key:
        low, high, _ = fresh.stats.get(name) or (None, None, 0)
        if low is not None:
            near = [p for p in near if not (s := p.stats.get(name)) or (s[0] is None or (s[0] <= high and s[1] >= low))]
    return near


class Spans:
    """The spans of many files in the key column that tells them apart best."""

    def __init__(self, pieces: Iterable[Piece], key: Sequence[str]) -> None:
        found = list(pieces)
        starts = {name: {s[0] for p in found if (s := p.stats.get(name))} for name in key}
        self.column = max(key, key=lambda name: len(starts[name]))
        known = [(*s[:2], p) for p in found if (s := p.stats.get(self.column)) and s[0] is not None]
        known.sort(key=lambda span: span[0])
        self.unknown = [p for p in found if not (s := p.stats.get(self.column)) or s[0] is None]
        self.pieces = [p for _, _, p in known]
        self.lows = [low for low, _, _ in known]
        self.reached = list(accumulate((high for _, high, _ in known), max))

    def overlapping(self, fresh: Piece) -> list[Piece]:
        """The files that may overlap another one: few where files follow one another, never too few."""
        low, high, _ = fresh.stats.get(self.column) or (None, None, 0)
        if low is None:
            return self.unknown + self.pieces
        chosen = slice(bisect_left(self.reached, low), bisect_right(self.lows, high))
        return self.unknown + self.pieces[chosen]


def _shared(key: Sequence[str], mine: pa.Table, theirs: pa.Table) -> tuple[str, str] | None:
    """The source and text of the first key of both tables."""
    import polars as pl

    left, right = (pl.DataFrame(pl.from_arrow(t)) for t in (mine, theirs))
    found = left.select(key).join(right, on=list(key), how="inner").sort(list(key)).head(1)
    if found.is_empty():
        return None
    row = found.row(0, named=True)
    return row[SOURCE] or "", ", ".join(f"{name} {row[name]}" for name in key)


def without(
    storage: Storage,
    table: Table,
    piece: Piece,
    sources: Sequence[str] | None,
    where: Mapping[str, Any],
    keys: pa.Table | None = None,
) -> tuple[pa.Table, pa.Table] | None:
    """A file's rows without those of some inputs, with some values, or with some keys.

    Parameters
    ----------
    sources : the inputs; None for all.
    where : for each column a list of values, or the pair of ends of a span [low, high).
    keys : columns and values that name rows; None names none and forbids none.

    Returns
    -------
    The rows that stay, and the keys of those that go; None where the file stays as it is.
    """
    if sources is not None and not set(piece.sources).intersection(sources):
        return None
    if sources is None and not where and keys is None:
        return None
    check_bytes(storage, piece)
    rows = read_rows(storage, piece)
    chosen = _chosen(rows, sources, where)
    if keys is not None:
        chosen = pc.and_(chosen, _named(rows, keys))
    if not pc.any(chosen).as_py():
        return None
    return rows.filter(pc.invert(chosen)), rows.filter(chosen).select(list(table.key))


def _chosen(rows: pa.Table, sources: Sequence[str] | None, where: Mapping[str, Any]) -> pa.ChunkedArray:
    """Which rows are of these inputs and have these values."""
    chosen = pa.chunked_array([pa.repeat(pa.scalar(True), rows.num_rows)])
    if sources is not None:
        chosen = pc.and_(chosen, pc.is_in(rows[SOURCE], value_set=pa.array(list(sources), pa.string())))
    for name, wanted in where.items():
        # A column that was added later is null in this file.
        column = rows[name] if name in rows.column_names else pa.chunked_array([pa.nulls(rows.num_rows)])
        chosen = pc.and_(chosen, _in_span(column, *wanted) if isinstance(wanted, tuple) else _is_one_of(column, wanted))
    return pc.fill_null(chosen, False)


def _in_span(column: pa.ChunkedArray, low: Any, high: Any) -> pa.ChunkedArray:
    kind = pa.int64() if pa.types.is_integer(column.type) else column.type
    inside = pc.is_valid(column)
    for test, end in ((pc.greater_equal, low), (pc.less, high)):
        if end is not None and not pa.types.is_null(kind):
            inside = pc.and_(inside, test(column, pa.scalar(end, kind)))
    return inside


def _is_one_of(column: pa.ChunkedArray, values: Sequence[Any]) -> pa.ChunkedArray:
    if pa.types.is_null(column.type):
        return pc.is_null(column) if None in values else pc.is_valid(column)
    kind = pa.int64() if pa.types.is_integer(column.type) else column.type
    return pc.is_in(pc.cast(column, kind), value_set=pa.array(values, kind))


def _named(rows: pa.Table, keys: pa.Table) -> pa.Array:
    """Which rows have one of these keys."""
    import polars as pl

    left, right = (pl.DataFrame(pl.from_arrow(t.select(keys.column_names))) for t in (rows, keys))
    found = left.with_row_index("#place").join(right, on=keys.column_names, how="semi")["#place"].to_numpy()
    named = np.zeros(rows.num_rows, bool)
    named[found] = True
    return pa.array(named)


def merged(table: Table, parts: Sequence[pa.Table]) -> pa.Table:
    """Rows of several files as one, in the table's newest columns and the order of its key."""
    schema = pa.schema([*table.arrow, pa.field(SOURCE, pa.string())])
    same = [
        pa.Table.from_arrays(
            [pc.cast(p[f.name], f.type) if f.name in p.column_names else pa.nulls(p.num_rows, f.type) for f in schema],
            schema=schema,
        )
        for p in parts
    ]
    return key_order(pa.concat_tables([schema.empty_table(), *same]), table.key)[0]
