"""A table with a column of every type that tables may have, and rows with everything that is awkward in them."""

from dataclasses import replace
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from lake.schema import INSTANT, Column, Table
from lake.store import Lake
from tests.builders.lakes import origin

# The values of each type: its ends, what is awkward, and null.
VALUES: dict[pa.DataType, list[Any]] = {
    pa.bool_(): [True, False, None],
    pa.int8(): [-128, 127, None],
    pa.int16(): [-32768, 16959, None],
    pa.int32(): [-(2**31), 999_999, None],
    pa.int64(): [-(2**63), 2**63 - 1, None],
    pa.uint8(): [63, 255, None],
    pa.uint16(): [0, 65_535, None],
    pa.uint32(): [999_999, 2**32 - 1, None],
    pa.uint64(): [999_999, 2**63 - 1, None],
    pa.float16(): [np.float16(1.5), np.float16(-0.25), None],
    pa.float32(): [np.float32(0.1), float("nan"), None],
    pa.float64(): [0.1, float("inf"), None],
    pa.string(): ['é🚀, "λ"', "it's; a|b", None],
    pa.large_string(): ["µ", "x" * 100, None],
    pa.binary(): [b"\x00\xff", b"ab", None],
    pa.date32(): [date(1900, 2, 28), date(2100, 1, 1), None],
    pa.timestamp("s"): [datetime(1969, 12, 31, 23, 59, 59), datetime(2016, 12, 31, 23, 59, 59), None],
    pa.timestamp("ms"): [datetime(2020, 1, 1, 0, 0, 0, 999_000), datetime(2000, 2, 29), None],
    pa.timestamp("us"): [datetime(2020, 1, 1, 1, 2, 3, 4), datetime(2016, 12, 31, 23, 59, 59, 999_999), None],
    pa.time64("us"): [time(23, 59, 59, 999_999), time(0, 0), None],
    pa.list_(pa.float64()): [[0.1, None], [], None],
    pa.list_(pa.uint16()): [[65_535], [0, 1], None],
    pa.list_(pa.string()): [["é", None], ["a,b"], None],
}
NO_DELTA = (pa.uint64(), pa.time64("us"))
NO_FITS = (pa.string(), pa.large_string(), pa.list_(pa.string()))


def name_of(kind: pa.DataType) -> str:
    """A column's name for a type."""
    return "v_" + "".join(c if c.isalnum() else "_" for c in str(kind)).strip("_")


FIRST = Table(
    name="toy.things",
    doc="Things of every type.",
    key=("row_id",),
    columns=(
        Column("row_id", pa.int64(), "Row, from 0"),
        Column("site", pa.string(), "Where it was"),
        Column("seen", INSTANT, "When it was"),
        Column("energy_kev", pa.float64(), "Energy of the thing", unit="keV", ucd="em.energy", nullable=True),
        Column("grown", pa.int32(), "A count that outgrew its type", nullable=True),
        Column("refined", pa.float32(), "A real number that needed more digits", nullable=True),
    ),
    partition="site",
)
# What became of it: two columns in wider types, and one of every type.
THINGS = replace(
    FIRST,
    columns=(
        *FIRST.columns[:-2],
        replace(FIRST.column("grown"), type=pa.int64()),
        replace(FIRST.column("refined"), type=pa.float64()),
        *(Column(name_of(kind), kind, f"Values of {kind}", nullable=True) for kind in VALUES),
    ),
)


def without(table: Table, *kinds: pa.DataType) -> Table:
    """The table without the columns of some types."""
    left = {name_of(kind) for kind in kinds}
    return replace(table, columns=tuple(c for c in table.columns if c.name not in left))


def base_rows(first: int, n: int = 3) -> dict[str, Any]:
    """Columns that the table has had from the start."""
    rows = np.arange(first, first + n)
    return {
        "row_id": rows,
        "site": [("north", "south 1", "../east")[i % 3] for i in rows],
        "seen": np.datetime64("2020-01-01", "us") + rows * np.timedelta64(86_400_000_001, "us"),
        "energy_kev": [None if i % 4 == 3 else i * 0.5 for i in rows],
        "grown": pa.array(rows, pa.int32()),
        "refined": pa.array(rows * 0.1, pa.float32()),
    }


def all_rows(table: Table, first: int) -> dict[str, Any]:
    """Three rows of all columns: each type's values, its null last."""
    columns = {name_of(kind): pa.array(values, kind) for kind, values in VALUES.items()}
    wide = {"grown": pa.array([2**40, None, -1], pa.int64()), "refined": pa.array([0.1, None, 1e300])}
    return {**base_rows(first), **wide, **{c.name: columns[c.name] for c in table.columns if c.name in columns}}


def grown_lake(root: Path, table: Table = THINGS) -> Lake:
    """A lake whose table got more columns, and wider ones, at its second commit: six rows in three partitions."""
    lake = Lake.create(root)
    with lake.transaction("first", catalog=False) as tx:
        tx.append(FIRST, base_rows(0), source=origin("first"))
    with lake.transaction("second") as tx:
        tx.append(table, all_rows(table, 3), source=origin("second"))
    return lake


def bare_lake(root: Path, table: Table = THINGS) -> Lake:
    """A lake whose table has no row."""
    lake = Lake.create(root)
    with lake.transaction("declared") as tx:
        tx.declare(table)
    return lake


def wanted_rows(table: Table, n: int = 6) -> list[dict[str, Any]]:
    """The rows of `grown_lake` as they must come back: NaN as null, what a file lacks as null."""
    rows = []
    for columns in (base_rows(0), all_rows(table, 3)):
        plain = {k: v.tolist() if isinstance(v, np.ndarray) else list(v) for k, v in columns.items()}
        plain = {k: [x.as_py() if isinstance(x, pa.Scalar) else x for x in v] for k, v in plain.items()}
        rows += [{c.name: plain[c.name][i] if c.name in plain else None for c in table.columns} for i in range(3)]
    return [{k: None if v != v else v for k, v in row.items()} for row in rows[:n]]
