"""What the headers of SQL files say, and how files are joined into one statement."""

import re

import pytest

from lake.compose import bound, plan
from lake.errors import QueryError
from lake.relations import SQL_TYPES, inner_first, parsed, relations
from lake.views import sql_type
from tests.builders.relations import SQL, toy_relations

HEAD = "-- A row.\n--\n-- grain   one row per a\n-- reads   t\n"


def test_a_header_says_what_the_relation_is():
    found = parsed("toy.bright_events", SQL["toy.bright_events"])
    assert found.doc == "Rows above an energy."
    assert (found.grain, found.reads, found.source) == ("obs_id, row_id", ("toy.events",), "A paper, continued.")
    assert str(found.params[0]) == "$least_kev = 1.0  least energy, kept  [keV]"
    assert found.params[0].kind is float


@pytest.mark.parametrize(
    ("default", "kind", "value"),
    [("1", int, 1), ("0.5", float, 0.5), ("1e-3", float, 0.001), ("true", bool, True), ("'it''s'", str, "it's")],
)
def test_a_default_gives_the_type(default, kind, value):
    (param,) = parsed("toy.x", f"{HEAD}-- param   $p = {default}  doc\nselect $p as a from t").params
    assert (param.kind, param.default) == (kind, value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("select 1", r"sql/toy/x.sql: no sentence found"),
        ("-- A row.\n-- grain  one row per a\nselect 1", "0 lines `reads` found, expected one"),
        (f"{HEAD}select $p from t", r"\$p is used, expected a line `-- param"),
        (f"{HEAD}-- param   $p  doc\nselect 1 from t -- $p", r"\$p is declared, but no"),
        (f"{HEAD}-- param   p  doc\nselect 1 from t", "expected `\\$name = default"),
    ],
)
def test_a_broken_header_is_refused_with_its_file(text, message):
    with pytest.raises(QueryError, match=message):
        parsed("toy.x", text)


def test_relations_in_a_circle_are_refused():
    circle = {n: parsed(f"toy.{n}", HEAD.replace("reads   t", f"reads   {r}") + "select 1") for n, r in ("ab", "ba")}
    with pytest.raises(QueryError, match=r"circle: toy.a reads toy.b reads toy.a"):
        inner_first({r.name: r for r in circle.values()}, ["toy.a"])


@pytest.mark.parametrize(("given", "kind_of"), [("abc", "no number"), ([1], "no number"), (True, "no number")])
def test_a_value_of_another_type_is_refused(given, kind_of):
    (param,) = parsed("toy.bright_events", SQL["toy.bright_events"]).params
    with pytest.raises(QueryError, match=kind_of):
        param.value(given)


def test_typed_text_becomes_the_declared_type():
    by_name = {p.name: p for r in toy_relations().values() for p in r.params}
    assert by_name["least_kev"].value("3") == 3.0
    assert by_name["scale"].value("3") == 3
    assert by_name["first"].value("3") == 3
    with pytest.raises(QueryError, match="no whole number"):
        by_name["scale"].value(2.5)


def test_two_defaults_for_one_name_are_refused():
    texts = {**SQL, "toy.twice": SQL["toy.totals"].replace("$scale = 2", "$least_kev = 2.0").replace("$scale", "$least_kev")}  # fmt: skip  # noqa: E501
    with pytest.raises(QueryError, match="one name takes one default"):
        plan(toy_relations(texts), ["toy.counts"], "toy.twice").params  # noqa: B018


def test_a_name_read_in_vain_is_refused_with_who_reads_it():
    with pytest.raises(QueryError, match=r"toy.events reads toy.counts: toy: no relation counts") as caught:
        plan(toy_relations(), ["toy.count"], "toy.totals")
    assert "toy.count" in caught.value.hint


def test_a_chain_stands_in_for_first_inputs_only():
    made = plan(toy_relations(), ["toy.counts"], "toy.totals", ["late_events", "bright_events"])
    assert [name for name, _ in made.spine] == ["toy.events", "toy.late_events", "toy.bright_events", "toy.totals"]
    assert made.tables == {"toy.counts"}
    assert set(made.params) == {"first", "least_kev", "scale"}


@pytest.mark.parametrize("name", list(relations()))
def test_every_relation_is_a_select_that_names_what_it_reads(name):
    relation = relations()[name]
    body = re.sub(r"--[^\n]*", "", relation.text)
    assert re.match(r"\s*(with|select)\b", body)
    for read in relation.reads:
        assert re.search(rf"\b{read.partition('.')[2]}\b", body), f"{name} does not use {read}"


@pytest.mark.parametrize("name", list(relations()))
def test_parameters_of_every_relation_agree(name):
    tables = {r for relation in relations().values() for r in relation.reads} - set(relations())
    made = plan(relations(), sorted(tables), name)
    assert made.select(bound)
    assert all(p.kind in SQL_TYPES or p.default is None for p in made.params.values())


def test_nested_types_have_a_name_in_sql():
    import pyarrow as pa

    assert sql_type(pa.list_(pa.timestamp("us"))) == "TIMESTAMP[]"
