"""Finding the one file of many that a question needs, beside the time it may take and beside DuckDB given all names."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from lake.bench import Line, in_turn
from lake.bench._samples import filled, instants
from lake.prune import pruned
from lake.schema import INSTANT, Column, Table
from lake.store import Lake
from lake.views import mentioned
from lake.where import conditions

LIMIT_S = 0.02
N_ROWS = 20
SUM = "select count(*) as n, sum(energy_kev) as energy_kev from {} where {}"
EVENTS = Table(
    name="bench.events",
    doc="Events of many observations, a file each.",
    key=("obs_id", "event_id"),
    columns=(
        Column("obs_id", pa.string(), "Observation"),
        Column("event_id", pa.int64(), "Event of the observation, from 0"),
        Column("time", INSTANT, "When it was seen, UTC"),
        Column("energy_kev", pa.float64(), "Energy", unit="keV"),
    ),
)
Where = dict[str, Any]
QUICK = {"rounds": 5, "rounds_whole": 1}


def lines(folder: Path, n: int = 10_000, rounds: int = 15, rounds_whole: int = 5) -> Iterator[Line]:
    """The plan alone by a key and by a span of time, from Python and in SQL; then whole questions."""
    lake = Lake.create(folder / "lake")
    filled(lake, EVENTS, (_rows(place) for place in range(n)))
    name, (start, stop) = f"obs-{n // 2:05d}", map(str, _rows(n // 2)["time"].to_numpy()[[0, -1]])
    key: Where = {"obs_id": name}
    span: Where = {"time": (start, stop)}
    by_key, by_time = f"obs_id = '{name}'", f"time >= timestamp '{start}' and time < timestamp '{stop}'"
    for what, where, text in (("a key", key, by_key), ("a span of time", span, by_time)):
        yield from _plans(lake, n, what, where, SUM.format(EVENTS.name, text), rounds)
    yield from _whole(lake, n, key, by_key, rounds_whole)


def _rows(place: int) -> pa.Table:
    """The events of one observation."""
    times = instants(place * N_ROWS, N_ROWS)
    ids = np.arange(N_ROWS)
    columns = [np.full(N_ROWS, f"obs-{place:05d}"), ids, times, ids * 0.5]
    schema = EVENTS.arrow
    return pa.Table.from_arrays([pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)], schema=schema)


def _plans(lake: Lake, n: int, what: str, where: Where, text: str, rounds: int) -> Iterator[Line]:
    """How long it takes to know the one file."""
    snapshot = lake.snapshot

    def by_table() -> int:
        return len(snapshot.bounds_of(EVENTS.name).matching(EVENTS, conditions(EVENTS, where)))

    def by_sql() -> int:
        return len(pruned(snapshot, text, {}, mentioned(text, snapshot))[EVENTS.name])

    times = in_turn((by_table, by_sql), rounds)
    for door, act, taken in zip(("Lake.table", "SQL"), (by_table, by_sql), times, strict=True):
        of = f"{act():,} of {n:,} files by {what}"
        yield Line(f"plan {door}, {of} / its limit", taken, LIMIT_S, taken / LIMIT_S, "<= 1")


def _whole(lake: Lake, n: int, where: Where, text: str, rounds: int) -> Iterator[Line]:
    """Whole questions; the bare program opens every file's footer."""
    files = [lake.storage.url(p.path) for p in lake.snapshot.pieces_of(EVENTS.name)]

    def bare() -> pa.Table:
        with duckdb.connect() as con:
            return con.sql(SUM.format(f"read_parquet({files})", text)).to_arrow_table()

    acts = (lambda: lake.table(EVENTS.name, where=where), lambda: lake.sql(SUM.format(EVENTS.name, text)), bare)
    by_table, by_sql, peer = in_turn(acts, rounds)
    for door, taken in (("Lake.table", by_table), ("SQL", by_sql)):
        yield Line(f"{door}, 1 of {n:,} files / DuckDB given all names", taken, peer, taken / peer)
