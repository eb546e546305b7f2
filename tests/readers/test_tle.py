"""Two-line elements: whole lines are passed on as they are, broken ones are told of."""

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.errors import Malformed, TooLarge
from lake.readers import read, recognised, tle
from tests.builders.texts import elements, signed

GOOD = elements(np.random.default_rng(5), 3)
LINES = GOOD.decode("ascii").splitlines()


def lines(data):
    content = tle.read(BytesIO(data), "a.txt")
    (part,) = content.parts
    return part.column("line").tolist(), content.problems


def refused(data, kind=Malformed):
    with pytest.raises(kind) as caught:
        lines(data)
    return caught.value.rule


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_lines_come_out_as_they_went_in(end):
    assert lines(GOOD.replace(b"\n", end)) == (LINES, ())
    assert lines(GOOD.rstrip(b"\n")) == (LINES, ())


@settings(deadline=None)
@given(st.integers(0, 68), st.sampled_from("0123456789"))
def test_a_changed_digit_leaves_its_line_out_and_says_which(place, digit):
    line = LINES[4]
    changed = line[:place] + digit + line[place + 1 :]
    found, problems = lines(GOOD.replace(line.encode(), changed.encode()))
    if place < 2 or not line[place].isdigit() or line[place] == digit:
        return
    assert found == LINES[:4] + LINES[5:]
    assert [(p.place, p.count) for p in problems] == [("line 5", 1)]


def test_a_file_that_ends_within_a_line_lacks_that_line_alone():
    for n in (1, 30, 68):
        found, problems = lines(GOOD[: -n - 1])
        assert found == LINES[:-1]
        assert problems[0].place == "line 9"


def test_blanks_behind_a_line_and_names_of_satellites_are_no_fault():
    data = b"0 HST (HUBBLE)   \n" + LINES[1].encode() + b"   \n" + LINES[2].encode() + b"\n"
    assert lines(data) == (["0 HST (HUBBLE)   ", LINES[1] + "   ", LINES[2]], ())


def test_a_file_without_a_whole_line_and_one_that_is_not_ascii_are_refused():
    broken = "\n".join(line[:-1] + str((int(line[-1]) + 1) % 10) for line in LINES if line != "HST")
    assert refused(broken.encode()) == "tle-lines"
    assert refused(GOOD.replace(b"HST", b"HS\xd6")) == "tle-ascii"


def test_64_mebibytes_and_one_long_line_among_many_are_too_much():
    assert refused(GOOD + b"x" * tle.MOST, TooLarge) == "tle-bytes"
    assert refused(GOOD + b"x" * 1_000_000 + b"\n" * 1_000, TooLarge) == "tle-text"


def test_the_first_two_lines_tell_elements_with_or_without_a_name(tmp_path):
    path = tmp_path / "a"
    for data, name in (
        (GOOD, "tle"),
        (GOOD.removeprefix(b"HST\n"), "tle"),
        (GOOD.replace(b"\n", b"\r\n"), "tle"),
        (b"HST\nHST\n" + GOOD, None),
        (b"1 20580 is a number\n2 20580 too\n", None),
    ):
        path.write_bytes(data)
        assert recognised(path) == name


@pytest.mark.data
def test_a_real_file_of_hubble_has_2161_sets_and_no_fault(data):
    source = read(data("hst/hst_tle_2009_2016.txt"), apart=True)
    found = source.part("LINES").column("line")
    assert (source.reader, found.size, source.problems) == ("tle", 2 * 2161, ())
    assert all(line == signed(line[:68]) for line in found.tolist())
