"""What the headers of SQL files say, and how files are joined into one statement."""

import re

import pytest

from lake.compose import bound, plan, values
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


def test_typed_text_becomes_the_declared_type():
    by_name = {p.name: p for r in toy_relations().values() for p in r.params}
    assert by_name["least_kev"].value("3") == 3.0
    assert by_name["scale"].value("3") == 3
    assert by_name["first"].value("3") == 3


def param(line):
    """The parameter of a line of a header."""
    name = line[1:].partition(" ")[0]
    (found,) = parsed("toy.x", f"{HEAD}-- param   {line}\nselect ${name} as a from t").params
    return found


@pytest.mark.parametrize(
    ("line", "given", "expected"),
    [
        ("$p = 1.5  width  [s]", "abc", "p: found 'abc', expected a finite number [s]"),
        ("$p = 1.5  width  [s]", [1], "p: found [1], expected a finite number [s]"),
        ("$p = 1.5  width  [s]", True, "p: found True, expected a finite number [s]"),
        ("$p = 1.5  width  [s]", "inf", "p: found 'inf', expected a finite number [s]"),
        ("$p = 1.5  width  [s]", float("nan"), "p: found nan, expected a finite number [s]"),
        ("$p = 1.5  width  [s]  may be infinite", "nan", "p: found 'nan', expected a number [s]"),
        ("$p = 2  bins", 2.5, "p: found 2.5, expected a whole number"),
        ("$p = 2  bins", 1 << 63, f"p: found {1 << 63}, expected a whole number"),
        ("$p  bins  [1]  whole", "2.5", "p: found '2.5', expected a whole number"),
        ("$p  first  [1]", float("inf"), "p: found inf, expected a value"),
        ("$p = 1.5  width  [s]  above 0", 0, "p: found 0, expected a finite number above 0 [s]"),
        ("$p = 1.5  width  [s]  at least 1", 0.5, "p: found 0.5, expected a finite number at least 1 [s]"),
        ("$p = 0.5  share  [1]  above 0, at most 1", 1.5, "expected a finite number above 0 and at most 1"),
        ("$p = 0.5  share  [1]  below 1e3", "1000", "p: found '1000', expected a finite number below 1000.0"),
        ("$p = true  or not", "maybe", "p: found 'maybe', expected true or false"),
        ("$p = '2020-01-01'  from", "soon", "p: found 'soon', expected a UTC time"),
    ],
)
def test_a_value_that_is_none_or_out_of_bounds_is_refused_with_what_was_expected(line, given, expected):
    with pytest.raises(QueryError) as caught:
        param(line).value(given)
    assert expected in caught.value.message


@pytest.mark.parametrize(
    ("line", "given"),
    [
        ("$p = 1.5  width  [s]  above 0", 1e-300),
        ("$p = 0.5  share  [1]  above 0, at most 1", 1.0),
        ("$p = 1.5  width  [s]  may be infinite", float("inf")),
        ("$p  bins  [1]  whole, at least 1", 1),
        ("$p = 2  bins, above 0 in words", -1),
    ],
)
def test_a_value_within_its_bounds_is_taken(line, given):
    assert param(line).value(given) == given
    assert str(param(line)) == line


PAIR = f"{HEAD}-- param   $low = 1.0  [nm]\n-- param   $high = 2.0  [nm]  above $low\nselect $low, $high from t"


def test_a_bound_may_be_another_parameter():
    params = {p.name: p for p in parsed("toy.x", PAIR).params}
    assert values(params, {"low": 1.5}, "toy.x") == {"low": 1.5, "high": 2.0}
    for given in ({"low": 2}, {"high": 1}, {"low": 5, "high": 4}):
        with pytest.raises(QueryError, match=r"toy.x: high: found .*, expected a finite number above low = .* \[nm\]"):
            values(params, given, "toy.x")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("$p = 1.0  width  [s]  abov 0", r"\$p: bound 'abov 0' found, expected `above N`"),
        ("$p = 1.0  width  [s]  above", "bound 'above' found"),
        ("$p = 1.0  width  [s]  above 0.1.2", "bound 'above 0.1.2' found"),
        ("$p = 1.0  width  [s]  above 1e999", "bound 'above 1e999' found"),
        ("$p = 1.0  width  [s]  above 0 at most 1", "bound 'above 0 at most 1' found"),
        ("$p = 1.0  width  [s]  above $q", r"bound 'above \$q' found, expected one of no other parameter"),
        ("$p = 1.0  width  [s]  above $p", r"bound 'above \$p' found"),
        ("$p = 0.0  width  [s]  above 0", r"default of \$p: found 0.0, expected a finite number above 0"),
        ("$p = 1.5  width  [s]  whole", r"default of \$p: found 1.5, expected a whole number"),
        ("$p = 'a'  name  [1]  above 0", "'above 0' found, expected it of a number only"),
        ("$p = true  name  [1]  whole", "'whole' found, expected it of a number only"),
        ("$p = 1.0  width  [s\n", r"param '\$p = 1.0  width  \[s' found, expected `\$name = default"),
    ],
)
def test_a_wrong_bound_is_refused_when_the_file_is_read(line, message):
    with pytest.raises(QueryError, match=rf"sql/toy/x.sql: .*{message}"):
        param(line)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("$low = 1.0", "$low = 3.0", r"default of \$high: found 2.0, expected a finite number above low = 3.0"),
        ("$low = 1.0", "$low = 'a'", "expected numbers or instants on both"),
        ("$high = 2.0", "$low = 2.0", r"declared twice, expected \$low once"),
    ],
)
def test_bounds_between_parameters_are_looked_at_when_the_file_is_read(old, new, message):
    with pytest.raises(QueryError, match=rf"sql/toy/x.sql: .*{message}"):
        parsed("toy.x", PAIR.replace(old, new))


def test_bounds_of_all_relations_that_share_a_name_hold():
    texts = {
        "toy.one": f"{HEAD}-- param   $p = 1.0  width  [s]  above 0\nselect $p as a from t",
        "toy.two": f"{HEAD[:-2]}one\n-- param   $p = 1.0  width  [s]  at most 9\nselect $p as a from one",
    }
    (found,) = plan(toy_relations(texts), ["toy.t"], "toy.two").params.values()
    assert [str(b) for b in found.bounds] == ["above 0", "at most 9"]


def test_no_sentence_of_the_project_states_a_bound_that_is_not_checked():
    words = re.compile(r"\b(above|below|at least|at most|less than|more than|positive)\b|[(\[]-?\d")
    docs = {f"{r.name} ${p.name}": p.doc for r in relations().values() for p in r.params}
    assert {name: doc for name, doc in docs.items() if words.search(doc)} == {}


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
