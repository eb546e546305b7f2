"""Questions to a lake: SQL, relations, chains, and what is said when they fail."""

import importlib
import pkgutil
from datetime import datetime, timedelta, timezone

import numpy as np
import pyarrow as pa
import pytest

import schemas
from lake import query
from lake.errors import QueryError
from lake.log import Snapshot
from lake.schema import Array, Column, Table
from lake.storage import storage_at
from lake.store import Lake
from lake.views import connect, define, macro_names, opened, plans
from tests.builders.lakes import COUNTS, FRAMES, counts, images, instants, origin
from tests.builders.relations import SQL, counted_lake, use_relations


@pytest.fixture
def lake(tmp_path, monkeypatch):
    use_relations(monkeypatch)
    return counted_lake(tmp_path / "lake")


def rows(answer):
    return answer.arrow().to_pylist()


def test_a_relation_answers_with_its_default_or_a_given_parameter(lake):
    assert rows(lake.query("toy.totals")) == [
        {"obs_id": "b", "n_rows": 5, "row_sum": 40},
        {"obs_id": "a", "n_rows": 3, "row_sum": 18},
    ]
    assert rows(lake.query("toy.totals", least_kev="2", scale=1)) == [
        {"obs_id": "b", "n_rows": 3, "row_sum": 15},
        {"obs_id": "a", "n_rows": 1, "row_sum": 4},
    ]


def test_a_relation_reads_another_pipeline(lake):
    assert rows(lake.query("other.totals")) == [{"obs_id": "a", "n_both": 8}, {"obs_id": "b", "n_both": 12}]
    assert rows(lake.sql("from other.totals")) == rows(lake.query("other.totals"))


def test_view_macro_and_query_give_the_same_rows(lake):
    expected = rows(lake.query("toy.totals", least_kev=0.5))
    assert rows(lake.sql("from toy.totals(least_kev := 0.5)")) == expected
    assert rows(lake.sql("from toy.totals")) == rows(lake.query("toy.totals"))
    assert rows(lake.sql("from toy.late_events(5)")) == rows(lake.query("toy.late_events", first=5))


def test_a_macro_of_a_relation_that_groups_gives_the_same_rows(lake):
    expected = rows(lake.query("toy.rates", width=3, least_kev=0.5))
    assert len(expected) == 5
    assert rows(lake.sql("from toy.rates(width := 3, least_kev := 0.5)")) == expected
    assert rows(lake.sql("from toy.rates()")) == rows(lake.sql("from toy.rates")) == rows(lake.query("toy.rates"))


def test_a_relation_with_a_required_parameter_has_no_view(lake):
    with pytest.raises(QueryError, match="late_events"):
        lake.sql("from toy.late_events")
    with pytest.raises(QueryError, match=r"missing \$first"):
        lake.query("toy.late_events")


def test_a_macro_parameter_never_takes_a_column_s_place(tmp_path, monkeypatch):
    text = SQL["toy.late_events"].replace("$first", "$row_id").replace("row_id  first", "row_id = 3  first")
    use_relations(monkeypatch, {"toy.events": SQL["toy.events"], "toy.late_events": text})
    lake = counted_lake(tmp_path / "lake")
    expected = rows(lake.query("toy.late_events", row_id=5))
    assert [r["row_id"] for r in expected] == [5, 6]
    assert rows(lake.sql("from toy.late_events(param_row_id := 5)")) == expected
    assert rows(lake.sql("from toy.late_events")) == rows(lake.query("toy.late_events"))


@pytest.fixture
def declared():
    """A snapshot of every table that `schemas/` declares, without a file."""
    modules = [importlib.import_module(f"schemas.{m.name}") for m in pkgutil.iter_modules(schemas.__path__)]
    found = [v for m in modules for v in vars(m).values() if isinstance(v, Table | Array)]
    return Snapshot(declarations={d.name: d for d in found})


def test_every_relation_of_the_project_becomes_a_macro(declared, tmp_path):
    asked = "select schema_name || '.' || function_name from duckdb_functions() where function_type = 'table_macro'"
    with connect(declared, storage_at(tmp_path)) as con:
        macros = {name for (name,) in con.execute(asked).fetchall()}
    wanted = {n for n in query.relations() if n.partition(".")[0] in {d.partition(".")[0] for d in declared.tables}}
    assert wanted <= macros


def test_no_parameter_of_the_project_is_called_like_a_column(declared):
    made = plans(query.relations(), declared, query.relations())
    clashes = {name: c for name, p in made.items() if (c := {k for k, v in macro_names(declared, p).items() if k != v})}
    assert clashes == {}


def test_a_chain_hands_each_filter_the_rows_of_the_one_before(lake):
    chained = lake.query("toy.totals", chain=["toy.late_events", "bright_events"], first=4, least_kev=2.5)
    assert rows(chained) == [{"obs_id": "b", "n_rows": 2, "row_sum": 22}]
    assert rows(lake.query("toy.bright_events", chain=["bright_events"])) == rows(lake.query("toy.bright_events"))


def test_filters_of_rows_commute(lake):
    one = lake.query("toy.bright_events", chain=["late_events", "bright_events"], first=3, least_kev=2.0)
    other = lake.query("toy.late_events", chain=["bright_events", "late_events"], first=3, least_kev=2.0)
    assert sorted(map(str, rows(one))) == sorted(map(str, rows(other)))
    assert len(one) == 4


def test_a_chain_may_begin_with_a_table(lake):
    whole = lake.query("toy.late_events", chain=["counts", "late_events"], first=3)
    assert rows(whole) == rows(lake.query("toy.late_events", first=3))


def test_the_cut_flow_counts_each_step(lake):
    flow = query.cut_flow(lake, ["toy.late_events", "toy.bright_events"], first=3, least_kev=2.0)
    found = [(r["step"], r["relation"], r["n_rows_in"], r["n_rows_out"]) for r in rows(flow)]
    assert found == [(1, "toy.late_events", 12, 6), (2, "toy.bright_events", 6, 4)]
    (only,) = rows(query.cut_flow(lake, ["toy.bright_events"]))
    assert (only["n_rows_in"], only["n_rows_out"], only["share_kept"]) == (12, 8, pytest.approx(2 / 3))


def test_statements_take_named_parameters(lake):
    found = lake.sql(
        "select count(*) as n from toy.counts where obs_id = $obs and row_id >= $n", obs="b", n=np.int64(5)
    )
    assert rows(found) == [{"n": 2}]
    assert rows(lake.sql("select count(*) as n from toy.counts where row_id >= $n", n="5")) == [{"n": 2}]


def test_a_table_is_cut_to_columns_and_values(lake):
    found = lake.table("toy.counts", columns=["row_id"], where={"obs_id": "b", "row_id": (2, 4)})
    assert rows(found) == [{"row_id": 2}, {"row_id": 3}]
    assert len(lake.table("toy.counts", where={"energy_kev": None})) == 0
    assert len(lake.table("toy.counts", where={"row_id": (None, 1)})) == 2
    with pytest.raises(QueryError, match="no column row; has energy_kev, obs_id, row_id"):
        lake.table("toy.counts", where={"row": 1})


def test_the_hidden_column_stays_hidden(lake):
    assert lake.sql("from toy.counts").arrow().column_names == ["obs_id", "row_id", "energy_kev"]
    with pytest.raises(QueryError, match="_source"):
        lake.sql("select _source from toy.counts")


def test_a_table_without_a_file_has_its_types(tmp_path):
    lake = counted_lake(tmp_path / "lake")
    with lake.transaction("gone") as tx:
        tx.delete("toy.counts", where={"obs_id": "a"})
        tx.delete("toy.counts", where={"obs_id": "b"})
    found = lake.sql("from toy.counts").arrow()
    assert found.schema.types == [pa.string(), pa.int64(), pa.float64()]
    assert found.num_rows == 0


def test_old_files_get_nulls_and_wider_types(tmp_path):
    narrow = Table(
        "toy.grown", "A table.", ("a",), (Column("a", pa.int32(), "Key"), Column("b", pa.float32(), "Value"))
    )
    wide = Table("toy.grown", "A table.", ("a",), (
        Column("a", pa.int64(), "Key"), Column("b", pa.float64(), "Value"),
        Column("c", pa.string(), "New", nullable=True),
    ))  # fmt: skip
    lake = counted_lake(tmp_path / "lake")
    with lake.transaction("narrow") as tx:
        tx.append(narrow, {"a": [1, 2], "b": [0.5, 1.5]}, source=origin("n"))
    with lake.transaction("wide") as tx:
        tx.append(wide, {"a": [2**40], "b": [0.1], "c": ["x"]}, source=origin("w"))
    found = lake.sql("from toy.grown order by a").arrow()
    assert found.schema.types == [pa.int64(), pa.float64(), pa.string()]
    assert found.to_pydict() == {"a": [1, 2, 2**40], "b": [0.5, 1.5, 0.1], "c": [None, None, "x"]}


def test_rows_come_in_the_order_of_the_files(lake):
    found = lake.table("toy.counts").arrow()
    assert found["row_id"].to_pylist() in ([*range(5), *range(7)], [*range(7), *range(5)])
    assert lake.sql("from toy.counts").arrow().equals(found)


def test_an_empty_answer_says_what_there_is_and_which_parameter_left_none(lake):
    assert len(lake.query("toy.totals", least_kev=99, scale=3)) == 0
    told = query.explain_empty(lake, "toy.totals", least_kev=99, scale=3)
    assert told == "0 rows. toy.counts has 12 rows, obs_id a to b; `least_kev` left none."
    assert query.explain_empty(lake, "toy.late_events", first=99).endswith("`first` left none.")


def test_the_lake_s_own_tables_tell_of_commits_sources_and_files(lake):
    (commit,) = rows(lake.sql("from lake.commits"))
    assert (commit["number"], commit["reason"], commit["n_files_added"], commit["n_rows"]) == (0, "first", 2, 12)
    assert lake.sql("from lake.commits").arrow().schema.field("time").type == pa.timestamp("us")
    assert rows(lake.sql("select uri, reader from lake.sources order by uri")) == [
        {"uri": "archive/a", "reader": "toy"},
        {"uri": "archive/b", "reader": "toy"},
    ]
    joined = "select count(*) as n from lake.lineage join lake.files using (path) join lake.sources on sha256_1 = 1"
    assert rows(lake.sql(joined.partition(" join lake.sources")[0])) == [{"n": 2}]
    assert rows(lake.query("lake.datasets"))[0]["n_rows"] == 12
    assert {r["unit"] for r in rows(lake.sql("from lake.columns where name = 'energy_kev'"))} == {"keV"}
    for name in ("runs", "rejected", "tags"):
        assert len(lake.sql(f"from lake.{name}")) == 0


def test_tables_can_be_listed_and_described(lake):
    names = {r["name"] for r in rows(lake.sql("show all tables"))}
    assert {"counts", "totals", "commits"} <= names
    assert [r["column_name"] for r in rows(lake.sql("describe toy.counts"))] == ["obs_id", "row_id", "energy_kev"]


def test_a_relation_that_duckdb_refuses_does_not_hide_the_others(tmp_path, monkeypatch, caplog):
    use_relations(monkeypatch, {**SQL, "toy.broken": SQL["toy.events"].replace("energy_kev", "energy_ev")})
    lake = counted_lake(tmp_path / "lake")
    with connect(lake.snapshot, lake.storage) as con:
        assert con.execute("select count(*) from toy.events").fetchall() == [(12,)]
    assert "relation=toy.broken left out" in caplog.text
    with pytest.raises(QueryError, match="no column energy_ev"):
        lake.query("toy.broken")


def test_only_what_is_asked_for_is_defined(lake):
    with opened() as con:
        made = define(con, lake.snapshot, lambda t: f"view {t.name} as select 1 as obs_id, 2 as row_id, 3 as energy_kev", only={"toy.events"})  # fmt: skip  # noqa: E501
        names = {n for (n,) in con.execute("select view_name from duckdb_views() where not internal").fetchall()}
    assert set(made) == {"toy.events"}
    assert names == {"counts", "events"}


def test_a_pinned_lake_answers_as_it_did(lake):
    with lake.transaction("more") as tx:
        tx.append(COUNTS, counts("c", 3), source=origin("c"))
    assert rows(lake.sql("select count(*) as n from toy.counts")) == [{"n": 15}]
    assert rows(lake.at(0).sql("select count(*) as n from toy.counts")) == [{"n": 12}]


@pytest.mark.parametrize("name", ["wanted", "text", "relations", "duckdb"])
def test_a_name_never_means_a_variable_of_this_program(lake, name):
    with pytest.raises(QueryError, match=name):
        lake.sql(f"from {name}")


@pytest.mark.parametrize("text", ["create table t as select 1", "drop view toy.counts", "delete from toy.counts"])
def test_sql_asks_and_never_changes(lake, text):
    with pytest.raises(QueryError, match="SQL only asks"):
        lake.sql(text)


def test_an_instant_means_the_same_in_every_zone(tmp_path):
    lake = Lake.create(tmp_path / "lake")
    with lake.transaction("test", catalog=False) as tx:
        frames = {"time": instants(0, 3600), "exposure_s": 1.0}
        tx.append_frames(FRAMES, images(2), frames, source=origin("a"))
    wanted = datetime(2020, 1, 1, 2, tzinfo=timezone(timedelta(hours=1)))
    for moment in (wanted, wanted.isoformat(), "2020-01-01T01:00:00", datetime(2020, 1, 1, 1)):
        assert len(lake.table("toy.images_frames", where={"time": moment})) == 1
    assert len(lake.sql("from toy.images_frames where time = $t", t=wanted)) == 1
    assert lake.sql("from toy.images_frames where time = $t", t=wanted).arrow()["exposure_s"].to_pylist() == [1.0]
