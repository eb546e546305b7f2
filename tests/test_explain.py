"""What is said when a question cannot be answered: the thing, what was found, what there is, and a line to paste."""

import pytest

from lake.errors import QueryError
from lake.store import Lake
from tests.builders.lakes import COUNTS, counts, origin
from tests.builders.relations import SQL, counted_lake, use_relations

WIDE = """-- Many columns of each row.
--
-- grain   one row per obs_id, row_id
-- reads   counts

select
    obs_id,
    row_id,
    energy_kev as energy_1_kev,
    energy_kev as energy_2_kev,
    energy_kev as energy_3_kev,
    energy_kev as energy_4_kev,
    energy_kev as energy_5_kev,
    energy_kev as energy_6_kev,
    energy_kev as energy_7_kev
from counts
"""
STEPS = """-- Steps of a second.
--
-- grain   one row per step
-- reads   counts
-- param   $step_s = 1.0  length of a step  [s]  above 0
-- param   $scale = 3     any number

select unnest(range(cast(10 / $step_s as bigint))) * $scale as step
from counts
"""


@pytest.fixture
def lake(tmp_path, monkeypatch) -> Lake:
    use_relations(monkeypatch, {**SQL, "toy.wides": WIDE, "toy.steps": STEPS})
    return counted_lake(tmp_path / "lake")


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("from toy.count", "toy: no relation count; has bright_events, counts, events", "from toy.counts"),
        ("from toy.nothing", "toy: no relation nothing; has bright_events, counts", "lake ls"),
        ("from toys.counts", "no pipeline toys; has lake, other, toy", "from toy.counts"),
        ("from lake.commit", "lake: no relation commit; nearest is commits", "from lake.commits"),
        ("from lake.zzz", "lake: no relation zzz; has columns, commits, datasets, files, lineage, ", "lake ls"),
        ("selec 1", "syntax error", ""),
        ("select $x", "missing $x", "x="),
        ("select 1; select 2", "2 statements found, expected one", ""),
        ("from toy.counts where obs_id > 3.5", "compare", ""),
        ("select cast('a' as integer)", "Could not convert", ""),
        ("select flor(row_id) from toy.counts", "no function flor; nearest is floor", "select floor(row_id)"),
    ],
)
def test_errors_name_what_was_meant(lake, text, message, hint):
    with pytest.raises(QueryError) as caught:
        lake.sql(text)
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (
            "select energ_kev from toy.counts",
            "no column energ_kev; toy.counts has energy_kev, obs_id, row_id",
            'lake sql "select energy_kev from toy.counts"',
        ),
        ("select c.energ_kev from toy.counts as c", "no column energ_kev; toy.counts has", "select c.energy_kev from"),
        ("select foo from toy.counts", "no column foo; toy.counts has energy_kev, obs_id", "lake show toy.counts"),
        ("select foo from toy.totals", "toy.totals has n_rows, obs_id, row_sum", 'lake sql "describe toy.totals"'),
        (
            "select energy_8_kev from toy.wides",
            "no column energy_8_kev; nearest are energy_7_kev, energy_6_kev, energy_5_kev",
            "select energy_7_kev from toy.wides",
        ),
        (
            "select foo from toy.wides",
            "no column foo; toy.wides has obs_id, row_id, energy_1_kev, energy_2_kev, energy_3_kev, energy_4_kev, "
            "energy_5_kev, energy_6_kev and 1 more",
            'lake sql "describe toy.wides"',
        ),
        ("select foo from lake.tags", "no column foo; lake.tags has name, number", "lake show lake.tags"),
    ],
)  # fmt: skip
def test_an_unknown_column_is_told_with_those_there_are(lake, text, message, hint):
    with pytest.raises(QueryError) as caught:
        lake.sql(text)
    assert message in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("from toy.counts(x := 1)", "toy.counts: a table, which takes no arguments", 'lake sql "from toy.counts"'),
        (
            "from toy.totals(least_ev := 3)",
            "toy.totals: no parameter least_ev; has least_kev, scale",
            'lake sql "from toy.totals(least_kev := 3)"',
        ),
        ("from toy.totals(scale := 1, foo := 3)", "no parameter foo; has least_kev, scale", "lake show toy.totals"),
        (
            "from toy.totals(1, 2, 3)",
            "toy.totals: arguments do not fit; it takes least_kev = 1.0, scale = 2, by name as `name := value`",
            "lake show toy.totals",
        ),
        ("from toy.late_events", "toy.late_events: missing $first  first row, kept  [1]", "--param first="),
        ("from toy.late_events()", "toy.late_events: arguments do not fit; it takes first", "lake show toy.late_"),
        ("from toy.total(scale := 3)", "toy: no relation total; has", "from toy.totals(scale := 3)"),
    ],
)  # fmt: skip
def test_a_call_that_does_not_fit_is_told_with_the_parameters_there_are(lake, text, message, hint):
    with pytest.raises(QueryError) as caught:
        lake.sql(text)
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_values_that_nothing_can_be_computed_of_are_told_with_their_bounds(lake):
    with pytest.raises(
        QueryError, match=r"toy.steps: more bins or steps than .*; asked with step_s = 1e-12 \[s\] \(above 0\)"
    ) as caught:
        lake.query("toy.steps", step_s=1e-12)
    assert caught.value.hint == "lake show toy.steps"
    with pytest.raises(
        QueryError, match=r"toy.steps: more bins or steps than .*; asked with step_s = 1e-12 \[s\] \(above 0\)"
    ) as caught:
        lake.sql("from toy.steps(step_s := 1e-12)")
    assert caught.value.hint == "lake show toy.steps"
    with pytest.raises(QueryError, match=r"Could not convert .*; asked with scale = 'a'"):
        lake.sql("from toy.steps(scale := 'a')")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"step_s": "inf"}, "toy.steps: step_s: found 'inf', expected a finite number above 0 [s]"),
        ({"step_s": 0}, "toy.steps: step_s: found 0, expected a finite number above 0 [s]"),
        ({"scale": 0.5}, "toy.steps: scale: found 0.5, expected a whole number"),
    ],
)
def test_values_out_of_bounds_are_refused_before_anything_is_read(lake, params, message):
    with pytest.raises(QueryError) as caught:
        lake.query("toy.steps", **params)
    assert caught.value.message == message
    assert caught.value.hint == "lake show toy.steps"


def test_unknown_relations_and_parameters_offer_the_nearest(lake):
    with pytest.raises(QueryError, match="toy: no relation total; has") as caught:
        lake.query("toy.total")
    assert caught.value.hint == "lake query toy.totals"
    with pytest.raises(QueryError, match=r"toy.totals: no parameter least_ev; has least_kev, scale"):
        lake.query("toy.totals", least_ev=3)
    with pytest.raises(QueryError, match=r"no parameter \$y in the statement; has x"):
        lake.sql("select $x as x", x=1, y=2)
    with pytest.raises(QueryError, match="toy: no relation foo; has bright_events, events, late_events") as caught:
        lake.query("toy.totals", chain=["bright_events", "foo"])
    assert caught.value.hint == "lake ls"


def test_a_file_that_is_gone_asks_for_a_check(lake, tmp_path):
    with lake.transaction("more", catalog=False) as tx:
        tx.append(COUNTS, counts("c", 3), source=origin("c"))
    for path in (tmp_path / "lake").rglob("*.parquet"):
        path.unlink()
    with pytest.raises(QueryError, match=r"parquet") as caught:
        lake.sql("from toy.counts")
    assert caught.value.hint == "lake verify"


@pytest.mark.parametrize("value", ["0", "-4", "-1e3"])
def test_a_call_in_sql_keeps_the_bounds_that_a_named_question_keeps(lake, value):
    with pytest.raises(QueryError, match=rf"toy\.steps: step_s: found '{value}', expected a finite number above 0"):
        lake.sql(f"select count(*) from toy.steps(step_s := {value})")
    assert lake.sql("select count(*) as n from toy.steps(step_s := 5)").arrow()["n"].to_pylist() == [24]
    assert lake.sql("select count(*) as n from toy.steps(step_s := 10 / 2)").arrow()["n"].to_pylist() == [24]
