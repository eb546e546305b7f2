"""Rows that are worked out of what the lake has already: mapped over items by Dask, staged under their inputs.

What stems from an input is known by that input: working it out again supersedes it, deleting the input deletes it, and
`lake why` leads from a row to the bytes.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from lake.blocks import THREADS, Progress, map_items
from lake.intake import told
from lake.log import Json
from lake.schema import Table
from lake.staging import Staged, stage_rows
from lake.storage import Storage

if TYPE_CHECKING:
    from lake.store import Lake

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Derived:
    """All rows of a table that stem from one input.

    Attributes
    ----------
    source : the record of the input, as the lake has it.
    """

    table: Table
    rows: pa.Table | Mapping[str, Any]
    source: Json


RowsOf = Callable[[Any], Sequence[Derived]]
"""What one item gives: each table once for each input. Pure, and picklable for a cluster."""


def derive(
    lake: "Lake",
    items: Sequence[Any],
    rows_of: RowsOf,
    *,
    run: str = "",
    scheduler: str = THREADS,
    workers: int = 0,
    progress: Progress = told,
) -> list[tuple[Staged, ...]]:
    """Work out rows and stage them; nothing is committed.

    Parameters
    ----------
    items : what a worker needs, such as `StoredFrame`s; one is worth a task.
    progress : called after each item with those done and all.

    Returns
    -------
    What each item gave, in the order of the items, for a transaction to add.

    Raises
    ------
    Exception
        What working out an item raised: an item that can't be worked out is a row that says so.
    """
    words = {"run": run, "given_up": dict(lake.snapshot.deleted), "staged_on": lake.number}
    outcomes = map_items(
        _staged, items, scheduler=scheduler, workers=workers, progress=progress,
        strict=True, storage=lake.storage, rows_of=rows_of, words=words,
    )  # fmt: skip
    return [outcome.value or () for outcome in outcomes]


def _staged(item: Any, *, storage: Storage, rows_of: RowsOf, words: dict[str, Any]) -> tuple[Staged, ...]:
    """What one item gives, on disk."""
    return tuple(
        stage_rows(storage, found.table, found.rows, source=found.source, supersede=True, **words)
        for found in rows_of(item)
    )
