"""Rows in the order of their key, and which keys come twice."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


def key_order(rows: pa.Table, key: Sequence[str]) -> tuple[pa.Table, list[int]]:
    """Rows sorted by key with repeats left out, and the places (in the input) of the repeats.

    Of rows with one key the first of the input is kept. Without a key the rows stay as they are.
    """
    if not key or rows.num_rows < 2:
        return rows, []
    ranks = [r for name in key if (r := _ranks(rows[name])) is not None]
    if not ranks:
        return rows.slice(0, 1), list(range(1, rows.num_rows))
    # Compared, not subtracted: differences of unsigned numbers are never below zero.
    if len(ranks) == 1 and (ranks[0][1:] > ranks[0][:-1]).all():
        return rows, []
    order = np.lexsort(ranks[::-1])
    repeated = np.zeros(rows.num_rows, bool)
    repeated[1:] = np.logical_and.reduce([rank[order][1:] == rank[order][:-1] for rank in ranks])
    if not repeated.any() and (np.diff(order) > 0).all():
        return rows, []
    repeats: list[int] = np.sort(order[repeated]).tolist()
    return rows.take(pa.array(order[~repeated])), repeats


def _ranks(column: pa.ChunkedArray) -> NDArray[Any] | None:
    """Numbers that sort as the column does; None where it is constant."""
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        values: NDArray[Any] = column.to_numpy()
        return None if values[0] == values[-1] and (values == values[0]).all() else values
    if pa.types.is_temporal(column.type):
        return _ranks(column.cast(pa.int32() if column.type.bit_width == 32 else pa.int64()))
    encoded = column.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    if len(encoded.dictionary) == 1:
        return None
    place = np.empty(len(encoded.dictionary), np.int64)
    place[pc.sort_indices(encoded.dictionary).to_numpy()] = np.arange(len(place))
    ranks: NDArray[Any] = place[encoded.indices.to_numpy()]
    return ranks
