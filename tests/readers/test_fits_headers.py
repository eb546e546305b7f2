"""FITS headers, the parts of a file by name, and what is kept beside damage."""

import contextlib
import io

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lake.errors import Malformed, Refused
from lake.readers import read
from tests.builders.fits import GOOD, PIXELS, card, cells, fits_file, image, table, tiled


def test_a_header_is_plain_python_and_survives_what_cannot_be_parsed(decode):
    extra = (
        b"OSCNMEAN= -nan".ljust(80) + b"RATIO   = 1.2.3 / odd".ljust(80) + b"OPEN    = 'no end".ljust(80)
        + b"no card at all".ljust(80) + b"\xff\xfe\x00".ljust(80) + b"HIERARCH ESO DET NAME = 'CCD'".ljust(80)
        + b"LONG    = 'ab&'".ljust(80) + b"CONTINUE  'cd'".ljust(80)
        + b"COMMENT one".ljust(80) + b"HISTORY two".ljust(80) + b"COMMENT three".ljust(80)
        + card("N", 5) + card("N", 6) + card("Z", b"(1.0, 2.0)") + card("U", None) + card("F", b"1.5D3")
    )  # fmt: skip
    header = decode(image(PIXELS, extra)).header
    assert np.isnan(header["OSCNMEAN"])
    assert (header["RATIO"], header["OPEN"], header["ESO DET NAME"]) == ("1.2.3", "no end", "CCD")
    assert (header["LONG"], header["COMMENT"], header["HISTORY"]) == ("abcd", "one\nthree", "two")
    assert (header["N"], header["Z"], header["U"], header["F"]) == (5, "(1+2j)", None, 1500.0)
    assert {type(value) for value in header.values()} <= {str, int, float, bool, type(None)}


def test_parts_of_one_name_are_told_apart_by_extver_else_by_counting(decode):
    gti = [table({"T": ("D", cells(i, dtype="f8"))}, EXTNAME="GTI") for i in range(3)]
    assert [p.version for p in decode(*gti).parts("gti")] == [1, 2, 3]
    stated = [table({"T": ("D", cells(i, dtype="f8"))}, EXTNAME="GTI", EXTVER=i) for i in (3, 0, 7)]
    source = decode(*stated)
    assert [p.version for p in source.parts("GTI")] == [3, 0, 7]
    assert source.part("GTI", 7).column("T")[0] == 7


def test_a_bare_primary_header_is_the_files_and_a_bare_extension_is_a_part(decode):
    source = decode(image(OBJECT="Sun"), image(primary=False, EXTNAME="ERR", PIXVALUE=3), GOOD)
    assert [p.name for p in source.content.parts] == ["ERR", "EVENTS"]
    assert source.part("ERR").pixels is None
    assert (source.header["OBJECT"], source.part("ERR").header["PIXVALUE"]) == ("Sun", 3)


def test_a_file_of_a_header_alone_has_no_parts_and_no_problems(decode):
    source = decode(image(OBJECT="Sun"))
    assert (source.content.parts, source.problems, source.header["OBJECT"]) == ((), (), "Sun")


def test_a_header_value_that_is_a_path_stays_a_word(decode, tmp_path):
    before = set(tmp_path.parent.rglob("*"))
    source = decode(image(PIXELS, EXTNAME="../../x", FILENAME="/etc/passwd"))
    assert source.part("../../x").pixels is not None
    assert {p.name for p in set(tmp_path.parent.rglob("*")) - before} <= {"a.fits"}


def test_padding_behind_the_last_hdu_is_no_damage_and_junk_is(decode):
    assert decode(GOOD, bytes(2880)).problems == ()
    assert decode(GOOD[:-2800]).problems == ()
    problem = decode(GOOD, b"junk" * 720).problems[0]
    assert (problem.place, problem.reason) == ("HDU 2", "found b'junkjunk' at byte 8640, expected XTENSION")


def test_a_truncated_hdu_is_named_with_the_bytes_found_and_expected(decode):
    cut = image(np.zeros((50, 50), "f8"), primary=False, EXTNAME="SCI")[: 2880 + 1234]
    problem = decode(GOOD, cut).problems[0]
    assert (problem.place, problem.reason) == ("HDU 2 SCI", "found 1234 bytes of data, expected 20000")
    with pytest.raises(Malformed, match=r"a\.fits: HDU 1 SCI: found 1234 bytes of data, expected 20000 \[fits-size\]"):
        decode(cut)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_file_cut_or_changed_anywhere_gives_a_source_or_a_refusal(tmp_path, data):
    whole = fits_file(
        image(PIXELS), GOOD, table({"V": ("PJ", cells(1, 0, shape=(1, 2)))}, bytes(4)), tiled(PIXELS, "GZIP_1")
    )
    damaged = bytearray(whole[: data.draw(st.integers(1, len(whole)), "length")])
    for at in data.draw(st.lists(st.integers(0, len(damaged) - 1), max_size=5), "places"):
        damaged[at] = data.draw(st.integers(0, 255), "byte")
    path = tmp_path / "d.fits"
    path.write_bytes(damaged)
    with contextlib.suppress(Refused):
        assert read(path).content.parts


def test_one_damaged_hdu_in_the_middle_leaves_both_sides(decode):
    source = decode(GOOD, table({"A": ("J", cells(1))}, TDIM1="(7)", EXTNAME="BAD"), image(PIXELS, primary=False))
    assert [p.name for p in source.content.parts] == ["EVENTS", ""]
    assert [p.place for p in source.problems] == ["HDU 2 BAD"]


def test_data_that_differ_from_their_datasum_are_told_of_and_kept(decode):
    out = io.BytesIO()
    with fits.open(io.BytesIO(fits_file(image(PIXELS), GOOD, tiled(PIXELS))), disable_image_compression=True) as hdus:
        for hdu in hdus:
            hdu.add_datasum()
        hdus.writeto(out)
        first, second, third = (hdu.fileinfo()["datLoc"] for hdu in hdus)
    whole = out.getvalue()
    assert decode(whole).problems == ()
    # Of the compressed image a byte of a tile, behind the pointers of three rows.
    for number, at in enumerate((first, second, third + 25)):
        damaged = bytearray(whole)
        damaged[at] ^= 1
        source = decode(bytes(damaged))
        assert [(p.place.split()[1], p.count) for p in source.problems if "DATASUM" in p.reason] == [(str(number), 0)]
        assert len(source.content.parts) == 3


@pytest.mark.parametrize("stated", ["", "unknown", None, "12345678901234567890"])
def test_a_datasum_that_is_no_sum_says_nothing(decode, stated):
    assert decode(image(PIXELS, DATASUM=stated)).problems == ()


def test_a_datasum_of_all_ones_is_that_of_zeros(decode):
    assert decode(image(PIXELS * 0, DATASUM="4294967295")).problems == ()
    assert decode(image(PIXELS * 0, DATASUM="0")).problems == ()


def test_a_header_with_bytes_that_are_no_text_is_told_of(decode):
    problems = decode(image(PIXELS, b"COMMENT \xff\0".ljust(80))).problems
    assert [(p.place, p.count) for p in problems] == [("HDU 0", 0)]
    assert "2 bytes" in problems[0].reason
