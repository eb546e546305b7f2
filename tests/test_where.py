"""Conditions on columns mean the same where rows are read and where they are taken away."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from lake.errors import QueryError
from lake.schema import INSTANT, Column, Table
from lake.store import Lake

MIXED = Table("toy.mixed", "A table of many types.", ("n",), (
    Column("n", pa.int16(), "Key"),
    Column("x", pa.float64(), "Number", nullable=True, unit="s"),
    Column("y", pa.float32(), "Number of 32 bits"),
    Column("at", INSTANT, "Instant", nullable=True),
    Column("word", pa.string(), "Text"),
    Column("is_odd", pa.bool_(), "Whether n is odd"),
))  # fmt: skip
START = np.datetime64("2020-01-01", "us")
DAY = np.timedelta64(1, "D")


@pytest.fixture
def lake(tmp_path) -> Lake:
    """Ten rows in two files, the second with a column that the first lacks."""
    lake = Lake.create(tmp_path / "lake")
    n = np.arange(10)
    x = np.where(n == 3, np.nan, n / 2)
    rows = {"n": n, "x": x, "y": n / 10, "at": START + n * DAY, "word": list("abcdefghij"), "is_odd": n % 2 == 1}
    with lake.transaction("first", catalog=False) as tx:
        tx.append(MIXED, {name: values[:5] for name, values in rows.items()})
    newer = replace(MIXED, columns=(*MIXED.columns, Column("z", pa.int64(), "New", nullable=True)))
    with lake.transaction("second", catalog=False) as tx:
        tx.append(newer, {**{name: values[5:] for name, values in rows.items()}, "z": n[5:]})
    return lake


@pytest.mark.parametrize(
    ("where", "kept"),
    [
        ({"n": 3}, [3]),
        ({"n": "3"}, [3]),
        ({"n": np.int32(3)}, [3]),
        ({"n": [1, 3]}, [1, 3]),
        ({"n": {1, 3, 99}}, [1, 3]),
        ({"n": np.array([1, 3])}, [1, 3]),
        ({"n": (1, 3)}, [1, 2]),
        ({"n": (0.5, 2.5)}, [1, 2]),
        ({"n": (-(2**40), 2)}, [0, 1]),
        ({"n": (None, 2)}, [0, 1]),
        ({"n": (8, None)}, [8, 9]),
        ({"n": []}, []),
        ({"x": None}, [3]),
        ({"x": [None, 2.0]}, [3, 4]),
        ({"x": (1.5, None)}, [4, 5, 6, 7, 8, 9]),
        ({"x": (None, 2)}, [0, 1, 2]),
        ({"y": 0.7}, [7]),
        ({"y": (0.7, 0.9)}, [7, 8]),
        ({"at": "2020-01-03"}, [2]),
        ({"at": datetime(2020, 1, 3, tzinfo=UTC)}, [2]),
        ({"at": START + DAY}, [1]),
        ({"at": ("2020-01-03", "2020-01-05")}, [2, 3]),
        ({"word": "c"}, [2]),
        ({"word": ("b", "d")}, [1, 2]),
        ({"is_odd": "true"}, [1, 3, 5, 7, 9]),
        ({"is_odd": True, "n": (2, 6)}, [3, 5]),
        ({"z": None}, [0, 1, 2, 3, 4]),
        ({"z": (6, 8)}, [6, 7]),
        ({"z": [7, None]}, [0, 1, 2, 3, 4, 7]),
    ],
)
def test_what_is_read_is_what_is_deleted(lake, where, kept):
    read = lake.table("toy.mixed", ["n"], where).arrow()["n"].to_pylist()
    assert sorted(read) == kept
    with lake.transaction("delete", catalog=False) as tx:
        tx.delete("toy.mixed", where=where)
    left = lake.table("toy.mixed", ["n"]).arrow()["n"].to_pylist()
    assert sorted([*left, *kept]) == list(range(10))


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({"at": "yesterday"}, "toy.mixed: at: found 'yesterday', expected a UTC time"),
        ({"n": "x"}, "toy.mixed: n: found 'x', expected a whole number"),
        ({"n": 2.5}, "toy.mixed: n: found 2.5, expected a whole number"),
        ({"n": [1, "x"]}, "toy.mixed: n: found 'x', expected a whole number"),
        ({"x": "long"}, "toy.mixed: x: found 'long', expected a number [s]"),
        ({"is_odd": "maybe"}, "toy.mixed: is_odd: found 'maybe', expected true or false"),
        ({"n": (1, 2, 3)}, "toy.mixed: n: found a tuple of 3, expected a span (low, high), or a list of values"),
        ({"n": (3,)}, "toy.mixed: n: found a tuple of 1, expected a span"),
        ({"n": (None, None)}, "toy.mixed: n: found (None, None), expected a span with a low end, a high one, or both"),
        ({"n": (5, 3)}, "toy.mixed: n: found (5, 3), expected low below high: the span is [low, high)"),
        ({"n": (3, 3)}, "toy.mixed: n: found (3, 3), expected low below high"),
        ({"m": 3}, "toy.mixed: no column m; has at, is_odd, n, word, x, y, z"),
    ],
)
def test_a_condition_that_is_not_clear_is_refused_by_both(lake, where, message):
    with pytest.raises(QueryError) as read:
        lake.table("toy.mixed", where=where)
    with pytest.raises(QueryError) as deleted, lake.transaction("no", catalog=False) as tx:
        tx.delete("toy.mixed", where=where)
    assert message in read.value.message
    assert read.value.message == deleted.value.message
    assert read.value.hint in ("lake show toy.mixed", "n")
    assert lake.number == 1


def test_rows_of_a_dataset_that_is_not_there_cannot_be_deleted(lake):
    with pytest.raises(QueryError, match=r"no dataset toy.mixd; has toy.mixed") as caught, lake.transaction("no") as tx:
        tx.delete("toy.mixd", where={"n": 1})
    assert caught.value.hint == "lake show toy.mixed"
