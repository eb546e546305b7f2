"""Lists of records: every number and word is found under its name, and what is no such list is refused."""

import json
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from lake.errors import Malformed, TooLarge
from lake.readers import read, recognised, records

NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=5)
NUMBERS = st.none() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False)
# NumPy ends a text at its last character that is not NUL.
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=9)


def columns(text):
    data = text if isinstance(text, bytes) else text.encode("utf-8")
    (part,) = records.read(BytesIO(data), "a.json").parts
    assert part.name == "RECORDS"
    return part.columns


def refused(text, kind=Malformed):
    with pytest.raises(kind) as caught:
        columns(text)
    return caught.value.rule


@settings(deadline=None)
@given(st.dictionaries(NAMES, st.lists(NUMBERS, min_size=4, max_size=4), min_size=1, max_size=4))
def test_numbers_read_back_and_null_is_nan(table):
    rows = [dict(zip(table, values, strict=True)) for values in zip(*table.values(), strict=True)]
    found = columns(json.dumps(rows))
    assert list(found) == list(table)
    for name, values in table.items():
        assert found[name].dtype == np.float64
        assert_array_equal(found[name], np.array([np.nan if v is None else float(v) for v in values]))


@settings(deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=6))
def test_words_read_back_whatever_brackets_quotes_or_backslashes_they_have(words):
    assert columns(json.dumps([{"word": word} for word in words]))["word"].tolist() == words


def test_a_column_with_a_word_in_it_is_text_throughout():
    found = columns('[{"a": 1.50, "b": true}, {"a": "x", "b": false}, {"a": null, "b": {"c": [1]}}]')
    assert found["a"].tolist() == ["1.5", "x", ""]
    assert found["b"].tolist() == ["true", "false", '{"c": [1]}']


def test_names_may_stand_in_another_order_from_record_to_record():
    found = columns('[{"a": 1, "b": 2}, {"b": 20, "a": 10}]')
    assert found["a"].tolist() == [1, 10]
    assert found["b"].tolist() == [2, 20]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
def test_a_number_that_is_none_is_refused(number):
    assert refused(f'[{{"a": 1}}, {{"a": {number}}}]') == "json-number"


def test_a_name_that_comes_twice_in_a_record_is_refused():
    assert refused('[{"a": 1, "a": 2}]') == "json-names"
    assert refused('[{"a": 1}, {"a": {"b": 1, "b": 2}}]') == "json-names"


@pytest.mark.parametrize(
    "text",
    [
        '[{"a": 1}, 2]', '[{"a": 1}, [1]]', '[{"a": 1}, null]', '[{"a": 1}, {}]', '[{"a": 1}, {"b": 1}]',
        '[{"a": 1}, {"a": 1, "b": 2}]',
    ],
)  # fmt: skip
def test_a_list_of_anything_but_records_with_the_same_names_is_refused(text):
    assert refused(text) == "json-records"


@pytest.mark.parametrize(
    "text",
    [
        b'[{"a": 1}', b'[{"a": 1}]]', b'[{"a": 01}]', b"[{'a': 1}]", b'[{"a": "\xff"}]', b'[{"a": "\n"}]',
        rb'[{"a": "\ud800"}]', b'[{"a": ' + b"9" * 5000 + b"}]",
    ],
)  # fmt: skip
def test_what_is_no_json_is_refused_at_the_door(tmp_path, text):
    path = tmp_path / "a.json"
    path.write_bytes(text)
    with pytest.raises(Malformed):
        read(path, apart=True)


def test_brackets_may_lie_64_deep_and_no_deeper():
    assert columns("[" + '{"a": ' + "[" * 62 + "]" * 62 + "}]")["a"].size == 1
    assert refused("[" + '{"a": ' + "[" * 63 + "]" * 63 + "}]", TooLarge) == "json-depth"
    assert refused('[{"a": ' + "[" * 200_000, TooLarge) == "json-depth"


def test_brackets_within_words_neither_count_nor_hide_others():
    assert columns(json.dumps([{"a": "[" * 100}]))["a"].tolist() == ["[" * 100]
    hidden = json.dumps([{"a": "]" * 300}])[:-2] + ', "b": ' + "[" * 300 + "]" * 300 + "}]"
    assert refused(hidden, TooLarge) == "json-depth"
    assert refused(hidden.replace('"b"', r'"\\\"\\"'), TooLarge) == "json-depth"


def test_more_than_64_mebibytes_are_refused():
    data = b'[{"a": 1}' + b" " * (records.MOST - 10) + b"]"
    assert columns(data)["a"].tolist() == [1]
    assert refused(data + b" ", TooLarge) == "json-bytes"


def test_many_values_and_one_long_word_among_many_are_refused_before_they_take_memory():
    assert refused('[{"a":[' + "1," * 2_100_000 + "1]}]", TooLarge) == "json-values"
    assert refused('[{"a":"' + "x" * 1_000_000 + '"}' + ',{"a":""}' * 1_000 + "]", TooLarge) == "json-text"


def test_the_first_bytes_tell_a_list_of_records(tmp_path):
    path = tmp_path / "a"
    for text, name in ((b' \n[ {"a": 1}]', "records"), (b"[1, 2]", None), (b'{"a": 1}', None), (b"[[{", None)):
        path.write_bytes(text)
        assert recognised(path) == name


@pytest.mark.data
def test_real_indices_of_noaa_have_their_months_and_numbers(data):
    path = data("hst/noaa_observed_solar_cycle_indices_truncated.json")
    source = read(path)
    (part,) = source.content.parts
    assert (source.reader, part.n_rows) == ("records", 7)
    rows = json.loads(path.read_text())
    assert part.column("time-tag").tolist() == [row["time-tag"] for row in rows]
    assert part.column("f10.7").tolist() == [row["f10.7"] for row in rows]
