"""Files are left out only where none of their rows could be in the answer."""

import datetime
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lake.bounds import Bounds
from lake.log import Piece, Snapshot
from lake.pieces import write_rows
from lake.prune import pruned
from lake.schema import INSTANT, Column, Table
from lake.storage import storage_at
from lake.views import connect, mentioned
from lake.where import conditions
from tests.builders.relations import counted_lake, use_relations

MIXED = Table("toy.mixed", "Rows of every kind.", (), (
    Column("row_id", pa.int64(), "Number", nullable=True),
    Column("small", pa.uint8(), "Small number", nullable=True),
    Column("energy_kev", pa.float64(), "Energy", nullable=True),
    Column("width_nm", pa.float32(), "Width", nullable=True),
    Column("obs_id", pa.string(), "Observation", nullable=True),
    Column("time", INSTANT, "Instant", nullable=True),
    Column("is_good", pa.bool_(), "Truth", nullable=True),
))  # fmt: skip
EPOCH = datetime.datetime(2020, 1, 1)
INTEGERS = st.integers(-4, 9) | st.sampled_from([2**53 + 1, -(2**62)])
REALS = st.sampled_from([-1.5, 0.0, 0.1, 0.7, 0.3, 123456789.12345678, 1e300, -2e-300, 0.1 + 0.2, 16777217.0])
WORDS = st.sampled_from(
    ["", "a", "b", "a'b", 'a"b', "x\n(row_id = 1)\ny", "a AND row_id = 1", "é", "optional: b", "zz"]
)
INSTANTS = st.integers(-3, 3).map(lambda n: EPOCH + datetime.timedelta(days=n, microseconds=n))
VALUES = {
    "row_id": INTEGERS,
    "small": st.integers(0, 9),
    "energy_kev": REALS | st.sampled_from([float("inf"), -float("inf"), float("nan")]),
    "width_nm": REALS,
    "obs_id": WORDS,
    "time": INSTANTS,
    "is_good": st.booleans(),
}
FILES = st.lists(
    st.lists(st.fixed_dictionaries({n: st.none() | v for n, v in VALUES.items()}), min_size=1, max_size=3),
    min_size=1,
    max_size=4,
)


def constant(value):
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return f"cast('{value!r}' as double)" if value != value or abs(value) == float("inf") else repr(value)
    if isinstance(value, datetime.datetime):
        return f"timestamp '{value.isoformat(sep=' ')}'"
    return "'" + value.replace("'", "''") + "'"


@st.composite
def leaves(draw):
    name = draw(st.sampled_from(list(VALUES)))
    value = VALUES[name].map(constant)
    form = draw(st.integers(0, 6))
    if form == 0:
        return f"{name} between {draw(value)} and {draw(value)}"
    if form == 1:
        return f"{name} in ({', '.join(draw(st.lists(value, min_size=1, max_size=7)))})"
    if form == 2:
        return f"{name} is {draw(st.sampled_from(['null', 'not null']))}"
    if form == 3 and name in ("row_id", "small", "width_nm"):
        return f"{name} {draw(st.sampled_from(['<', '>=', '=']))} {draw(REALS.map(constant))}"
    if form == 4 and name == "obs_id":
        return f"obs_id like {draw(WORDS.map(lambda w: constant(w + '%')))}"
    word = draw(st.sampled_from(["=", "<>", "<", "<=", ">", ">=", "is distinct from"]))
    return f"{name} {word} {draw(value)}"


PREDICATES = st.recursive(
    leaves(),
    lambda inner: st.tuples(inner, st.sampled_from(["and", "or", "and not"]), inner).map(
        lambda parts: f"({parts[0]} {parts[1]} {parts[2]})"
    ),
    max_leaves=4,
)


def snapshot_of(storage, files):
    found = {}
    for rows in files:
        pieces = list(write_rows(storage, MIXED, pa.Table.from_pylist(rows, schema=MIXED.arrow)))
        assert sum(p.n_rows for p in pieces) == len(rows)
        found |= {p.path: p for p in pieces}
    return Snapshot(declarations={MIXED.name: MIXED}, pieces=found, by_dataset={MIXED.name: found})


def both(snapshot, storage, text, params=None):
    """Rows of a statement over all files and over those that pruning keeps, and how many it keeps."""
    names = mentioned(text, snapshot)
    kept = pruned(snapshot, text, params or {}, names, many=0)
    found = []
    for pieces in (None, kept):
        with connect(snapshot, storage, only=names, pieces=pieces) as con:
            found.append(sorted(map(repr, con.execute(text, params).fetchall())))
    return *found, len(kept.get(MIXED.name, snapshot.pieces))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=FILES, predicate=PREDICATES)
def test_a_pruned_answer_is_the_whole_answer(tmp_path_factory, files, predicate):
    storage = storage_at(tmp_path_factory.mktemp("lake"))
    whole, few, _ = both(snapshot_of(storage, files), storage, f"select * from toy.mixed where {predicate}")
    assert whole == few


ROWS = [[{"row_id": n, "small": n, "energy_kev": n * 1.5, "width_nm": n * 0.1, "obs_id": f"obs{n}", "is_good": n > 4,
          "time": EPOCH + datetime.timedelta(days=n)}] for n in range(10)]  # fmt: skip


@pytest.fixture
def ten(tmp_path):
    storage = storage_at(tmp_path)
    return snapshot_of(storage, ROWS), storage


@pytest.mark.parametrize(
    ("predicate", "kept"),
    [
        ("row_id = 3", 1),
        ("row_id < 3", 3),
        ("row_id between 3 and 5", 3),
        ("row_id in (1, 5, 8, 9)", 4),
        ("row_id = 1 or row_id = 7", 2),
        ("row_id >= 3 and energy_kev < 7.4", 2),
        ("row_id > 2.5 and row_id < 4.5", 2),
        ("obs_id = 'obs3'", 1),
        ("obs_id like 'obs3%'", 1),
        ("time >= '2020-01-09'", 2),
        ("time >= timestamp '2020-01-09' and time < timestamp '2020-01-10'", 1),
        ("width_nm > 0.75", 2),
        ("width_nm = 0.7", 1),
        ("small = 7", 1),
        ("row_id % 2 = 0", 10),
        ("row_id <> 3", 10),
        ("obs_id is null", 10),
        ("true", 10),
    ],
)
def test_only_files_that_may_match_are_kept(ten, predicate, kept):
    whole, few, n = both(*ten, f"select * from toy.mixed where {predicate}")
    assert whole == few
    assert n == kept


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("select (select min(row_id) from toy.mixed), obs_id from toy.mixed where row_id = 3", 10),
        ("select count(*) from toy.mixed as a join toy.mixed as b using (row_id) where a.row_id = 3", 1),
        ("with m as (from toy.mixed) select 1 from m where row_id = 1 union all select 2 from m where row_id = 2", 2),
        ("select row_id, lead(row_id) over (order by row_id) from toy.mixed qualify row_id = 3", 10),
        ("select a.row_id from toy.mixed as a left join toy.mixed as b on a.row_id = b.row_id and b.small = 3", 10),
        ("select count(*) from toy.mixed where row_id = 3 and row_id = 4", 10),
        ("select * from toy.mixed where row_id = 3 limit 1", 1),
        ("select max(row_id) from toy.mixed", 10),
    ],
)  # fmt: skip
def test_every_scan_of_a_table_keeps_its_files(ten, text, kept):
    whole, few, n = both(*ten, text)
    assert whole == few
    assert n == kept


def test_parameters_prune_as_constants_do(ten):
    text = "select * from toy.mixed where row_id >= $low and obs_id = $obs"
    whole, few, n = both(*ten, text, {"low": 2.5, "obs": "obs4"})
    assert (len(whole), whole == few, n) == (1, True, 1)


def test_filters_reach_the_files_through_relations(tmp_path, monkeypatch):
    use_relations(monkeypatch)
    snapshot = counted_lake(tmp_path / "lake").snapshot
    for text in (
        "from toy.bright_events where obs_id = 'a'",
        "from toy.bright_events(least_kev := 0) where obs_id = 'a'",
    ):
        kept = pruned(snapshot, text, {}, mentioned(text, snapshot), many=1)
        assert len(kept["toy.counts"]) == 1


def test_bounds_that_are_not_known_keep_the_file(ten):
    snapshot, _ = ten
    bare = {path: replace(piece, stats={}) for path, piece in snapshot.pieces.items()}
    text = "select * from toy.mixed where row_id = 3"
    kept = pruned(replace(snapshot, by_dataset={MIXED.name: bare}), text, {}, {"toy.mixed"}, many=0)
    assert len(kept["toy.mixed"]) == 10


def test_a_few_files_are_not_worth_planning(ten):
    assert pruned(ten[0], "select * from toy.mixed where row_id = 3", {}, {"toy.mixed"}) == {}


def test_a_statement_that_cannot_be_planned_prunes_nothing(ten):
    assert pruned(ten[0], "select nothing from toy.mixed", {}, {"toy.mixed"}, many=0) == {}


@pytest.mark.parametrize(
    ("where", "kept"),
    [
        ({"row_id": 3}, 1),
        ({"row_id": np.int32(3)}, 1),
        ({"row_id": "3"}, 1),
        ({"row_id": (2, 4)}, 2),
        ({"row_id": (None, 2)}, 2),
        ({"row_id": (8, None)}, 2),
        ({"width_nm": 0.7}, 1),
        ({"time": "2020-01-03"}, 1),
        ({"time": datetime.datetime(2020, 1, 3, tzinfo=datetime.UTC)}, 1),
        ({"obs_id": "obs3", "row_id": 4}, 0),
        ({"obs_id": None}, 10),
        ({"is_good": True}, 5),
        ({"row_id": [1, 4, 99]}, 2),
        ({"row_id": []}, 0),
    ],
)
def test_files_are_matched_by_values_and_spans(ten, where, kept):
    assert len(ten[0].bounds_of("toy.mixed").matching(MIXED, conditions(MIXED, where))) == kept


def test_a_file_without_bounds_matches():
    piece = Piece("toy.mixed", "p", "", 1, 1, columns={"row_id": "int64"}, stats={"row_id": [None, None, 1]})
    assert Bounds([piece]).matching(MIXED, {"row_id": [3]}) == [piece]


def test_a_file_whose_only_value_is_zero_holds_zero(tmp_path):
    rows = [{c.name: None for c in MIXED.columns} | {"obs_id": "a", "row_id": 0, "width_nm": 0.0}]
    pieces = write_rows(storage_at(tmp_path), MIXED, pa.Table.from_pylist(rows, schema=MIXED.arrow))
    for wanted in ([0.0], (0.0, 1.0)):
        assert Bounds(pieces).matching(MIXED, {"width_nm": wanted}) == pieces
