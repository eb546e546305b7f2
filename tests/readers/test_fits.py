"""FITS: what was written is read, what lies is refused, and what is good beside it is kept."""

import contextlib
import gzip
import importlib.util
import struct
import warnings
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from lake.errors import Malformed, Refused, TooLarge
from lake.readers import read
from tests.builders.fits import card, fits_file, image, table, tiled
from tests.conftest import DATA

PIXELS = np.arange(12, dtype=np.int16).reshape(3, 4)
GOOD = table({"TIME": ("D", np.array([1.5, 2.5]))}, EXTNAME="EVENTS", TUNIT1="s")
ENDINGS = (".fits", ".fit", ".fts", ".evt")


@pytest.fixture
def decode(tmp_path):
    """A whole file of these HDUs, read through the front door."""

    def go(*hdus):
        path = tmp_path / "a.fits"
        path.write_bytes(fits_file(*hdus))
        return read(path)

    return go


@pytest.fixture
def refuse(decode):
    """The rule that refuses a file of these HDUs alone, and that leaves a good table before them in peace."""

    def go(*hdus):
        with pytest.raises(Refused) as caught:
            decode(*hdus)
        if not hdus[0].startswith(b"SIMPLE"):
            source = decode(GOOD, *hdus)
            assert_array_equal(source.part("EVENTS").column("TIME"), [1.5, 2.5])
            assert len(source.content.parts) == 1
            assert source.problems[0].place.startswith("HDU 2")
        return caught.value

    return go


def cells(*values, dtype="i4", shape=(-1, 1)):
    return np.array(values, dtype).reshape(shape)


# --- images


@pytest.mark.parametrize("dtype", ["u1", "i2", "i4", "i8", "f4", "f8"])
def test_an_image_reads_back_in_native_order_with_its_shape_and_unit(decode, dtype):
    pixels = np.arange(24).reshape(2, 3, 4).astype(dtype)
    part = decode(image(pixels, BUNIT="DN")).part("")
    assert_array_equal(part.pixels, pixels)
    assert part.pixels.dtype == np.dtype(dtype)
    assert part.unit("pixels") == "DN"


def test_scaled_integers_become_real_numbers_and_their_blanks_nan(decode):
    part = decode(image(cells(1, 2, -99, dtype="i2"), BSCALE=0.5, BZERO=10.0, BLANK=-99)).part("")
    assert_array_equal(part.pixels[:, 0], [10.5, 11, np.nan])
    assert part.pixels.dtype == np.float32


def test_a_declared_blank_makes_real_numbers_and_no_blank_leaves_integers(decode):
    assert decode(image(PIXELS, BLANK=5)).part("").pixels.dtype == np.float32
    assert np.isnan(decode(image(PIXELS, BLANK=5)).part("").pixels[1, 1])
    assert decode(image(PIXELS)).part("").pixels.dtype == np.int16


@pytest.mark.parametrize(("dtype", "zero"), [("i2", 1 << 15), ("i4", 1 << 31), ("i8", 1 << 63)])
def test_an_offset_of_half_the_range_means_unsigned(decode, dtype, zero):
    lowest = np.iinfo(dtype).min
    pixels = decode(image(cells(lowest, 0, -lowest - 1, dtype=dtype), BZERO=zero)).part("").pixels
    assert pixels.dtype == np.dtype(dtype.replace("i", "u"))
    assert pixels[:, 0].tolist() == [0, zero, 2 * zero - 1]


def test_bytes_with_an_offset_of_minus_128_are_signed(decode):
    pixels = decode(image(cells(0, 128, 255, dtype="u1"), BZERO=-128)).part("").pixels
    assert pixels.dtype == np.int8
    assert pixels[:, 0].tolist() == [-128, 0, 127]


@pytest.mark.parametrize("codec", ["RICE_1", "GZIP_1", "GZIP_2", "PLIO_1", "HCOMPRESS_1", "NOCOMPRESS"])
@pytest.mark.parametrize("dtype", ["u1", "i2", "i4"])
def test_every_lossless_codec_gives_the_pixels_back(decode, codec, dtype):
    pixels = np.random.default_rng(3).integers(0, 100, (38, 44)).astype(dtype)
    part = decode(tiled(pixels, codec, tile_shape=(16, 20))).part("")
    assert_array_equal(part.pixels, pixels)
    assert part.pixels.dtype == np.dtype(dtype)
    assert (part.header["NAXIS1"], part.header["NAXIS2"]) == (44, 38)
    assert not {"ZIMAGE", "TFORM1", "TFIELDS"} & set(part.header)


def test_quantised_and_unsigned_tiles_read_as_astropy_reads_them(decode, tmp_path):
    pixels = np.random.default_rng(3).normal(10, 2, (40, 40)).astype("f4")
    pixels[3, 4] = np.nan
    for hdu in (
        tiled(pixels, quantize_method=1, dither_seed=7),
        tiled(pixels, "GZIP_2", quantize_level=0),
        tiled(np.arange(1600, dtype="u2").reshape(40, 40) * 40),
    ):
        found = decode(hdu).part("").pixels
        assert_array_equal(found, fits.getdata(tmp_path / "a.fits", 1))


# --- tables


def test_scaling_nulls_and_units_of_a_column(decode):
    columns = {"PI": ("I", cells(1, -1, 3, dtype="i2")), "RAW": ("J", cells(7, 8, 9))}
    part = decode(table(columns, TSCAL1=0.5, TZERO1=10, TNULL1=-1, TNULL2=8, TUNIT1=" keV ", EXTNAME="EVENTS")).part(
        "EVENTS"
    )
    assert part.column("pi").tolist() == [10.5, None, 11.5]
    assert part.column("raw").tolist() == [7, None, 9]
    assert part.column("raw").dtype == np.int32
    assert (part.unit("PI"), part.unit("RAW")) == ("keV", "")


def test_truths_may_be_absent(decode):
    part = decode(table({"OK": ("L", cells(*b"TF\0", dtype="u1"))})).part("")
    assert part.column("ok").tolist() == [True, False, None]


def test_bits_are_truths_and_the_last_byte_is_cut(decode):
    part = decode(table({"STATUS": ("10X", cells(0b10000001, 0b01000000, dtype="u1", shape=(1, 2)))})).part("")
    assert part.column("status").shape == (1, 10)
    assert np.flatnonzero(part.column("status")[0]).tolist() == [0, 7, 9]


def test_scaling_beyond_the_largest_number_is_infinite(decode):
    assert np.isinf(decode(image(cells(1, dtype="f4"), BSCALE=1e38, BZERO=10**39)).part("").pixels).all()


def test_text_ends_at_a_nul_and_without_blanks(decode):
    part = decode(table({"NAME": ("4A", cells(*b"ab  \0xyzq\0zz\xe9bcd", dtype="u1", shape=(4, 4)))})).part("")
    assert part.column("name").tolist() == ["ab", "", "q", "�bcd"]


def test_text_cells_may_hold_several_words(decode):
    letters = cells(*b"ab c", dtype="u1", shape=(1, 4))
    for cards in ({"TDIM1": "(2,2)"}, {"TFORM1": "4A2"}):
        assert decode(table({"NAME": ("4A", letters)}, **cards)).part("").column("name").tolist() == [["ab", " c"]]


def test_tdim_gives_cells_their_shape_slowest_axis_first(decode):
    part = decode(table({"MAP": ("6E", cells(*range(12), dtype="f4", shape=(2, 6)))}, TDIM1="(3, 2)")).part("")
    assert_array_equal(part.column("map"), np.arange(12).reshape(2, 2, 3))


def test_columns_without_a_name_or_with_a_taken_one_are_kept(decode):
    columns = {c: ("J", cells(i)) for i, c in enumerate("ABCDE")} | {"F": ("0J", cells(dtype="u1", shape=(1, 0)))}
    names = {"TTYPE1": None, "TTYPE2": "TIME", "TTYPE3": "TIME_4", "TTYPE4": "TIME", "TTYPE5": "", "TUNIT4": "s"}
    part = decode(table(columns, **names)).part("")
    assert list(part.columns) == ["col1", "TIME", "TIME_4", "TIME_4_4", "col5", "F"]
    assert part.unit("TIME_4_4") == "s"
    assert part.column("F").shape == (1, 0)


@pytest.mark.parametrize("pointer", ["P", "Q"])
def test_arrays_of_the_heap_are_one_object_a_row(decode, pointer):
    heap = np.array([1, 2, 3, -1], ">i2").tobytes() + b"Sun "
    where = "i4" if pointer == "P" else "i8"
    columns = {
        "ADC": (f"1{pointer}I(3)", cells(3, 0, 0, 99, 1, 6, dtype=where, shape=(3, 2))),
        "WORD": (f"{pointer}A", cells(4, 8, 0, 0, 3, 8, dtype=where, shape=(3, 2))),
        "BITS": (f"{pointer}X", cells(9, 0, 0, 0, 1, 8, dtype=where, shape=(3, 2))),
    }
    part = decode(table(columns, heap, TNULL1=-1, TSCAL1=2)).part("")
    assert [row.tolist() for row in part.column("adc")] == [[2, 4, 6], [], [None]]
    assert part.column("word").tolist() == ["Sun", "", "Sun"]
    assert [row.tolist() for row in part.column("bits")] == [[False] * 9, [], [False]]


def test_a_heap_may_begin_behind_a_gap(decode):
    part = decode(table({"A": ("PB", cells(2, 0, shape=(1, 2)))}, b"...." + b"\x05\x06", THEAP=12)).part("")
    assert part.column("a")[0].tolist() == [5, 6]


def test_an_ascii_table_reads_as_its_columns_say(decode, tmp_path):
    columns = [
        fits.Column("N", "I4", unit="ct", array=np.array([1, -9, 3]), null="-9"),
        fits.Column("X", "D12.3", array=np.array([1e10, 2.5, -3])),
        fits.Column("NAME", "A5", array=np.array(["a", "bc", ""])),
    ]
    fits.TableHDU.from_columns(columns, name="LIST").writeto(tmp_path / "b.fits")
    part = read(tmp_path / "b.fits").part("LIST")
    assert part.column("n").tolist() == [1, None, 3]
    assert part.column("x").tolist() == [1e10, 2.5, -3]
    assert part.column("name").tolist() == ["a", "bc", ""]
    assert part.unit("N") == "ct"


def test_a_table_without_rows_keeps_its_columns(decode):
    columns = {"A": ("J", cells()), "S": ("4A", cells(dtype="u1", shape=(0, 4))), "V": ("PJ", cells(shape=(0, 2)))}
    part = decode(table(columns, NAXIS1=16)).part("")
    assert [(name, len(values)) for name, values in part.columns.items()] == [("A", 0), ("S", 0), ("V", 0)]


FORMATS = {"B": "u1", "I": "i2", "J": "i4", "K": "i8", "E": "f4", "D": "f8", "C": "c8", "M": "c16"}


@st.composite
def tables(draw):
    """Columns for Astropy to write: format, array and the wanted values."""
    n_rows = draw(st.integers(1, 6))
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    columns = []
    for i in range(draw(st.integers(1, 6))):
        code = draw(st.sampled_from([*FORMATS, "L", "A", "u2", "u4", "PJ", "QD"]))
        repeat = draw(st.integers(1, 3))
        shape = (n_rows,) if repeat == 1 else (n_rows, repeat)
        if code[0] in "PQ":
            dtype = FORMATS[code[1]]
            array = np.empty(n_rows, object)
            for row in range(n_rows):
                array[row] = rng.integers(-99, 99, rng.integers(0, 5)).astype(dtype)
            columns.append(fits.Column(f"c{i}", code, array=array))
        elif code == "A":
            words = ["".join(rng.choice(list("ab z"), repeat)).rstrip() for _ in range(n_rows)]
            columns.append(fits.Column(f"c{i}", f"{repeat}A", array=np.array(words)))
        elif code == "L":
            columns.append(fits.Column(f"c{i}", f"{repeat}L", array=rng.random(shape) < 0.5))
        elif code[0] == "u":
            form, zero = {"u2": ("I", 1 << 15), "u4": ("J", 1 << 31)}[code]
            columns.append(
                fits.Column(f"c{i}", f"{repeat}{form}", bzero=zero, array=rng.integers(0, 60000, shape, code))
            )
        else:
            raw = rng.bytes(int(np.prod(shape)) * np.dtype(FORMATS[code]).itemsize)
            array = np.frombuffer(raw, FORMATS[code]).reshape(shape)
            columns.append(fits.Column(f"c{i}", f"{repeat}{code}", array=np.nan_to_num(array)))
    return columns


@given(columns=tables())
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_table_that_astropy_writes_reads_back(tmp_path, columns):
    path = tmp_path / "t.fits"
    wanted = {c.name: c.array.copy() for c in columns}
    fits.BinTableHDU.from_columns(columns, name="T").writeto(path, overwrite=True)
    part = read(path).part("T")
    assert list(part.columns) == list(wanted)
    for name, values in wanted.items():
        if part.column(name).dtype == bool:
            values = values == ord("T")
        if values.dtype == object:
            assert [row.tolist() for row in part.column(name)] == [row.tolist() for row in values]
        else:
            assert_array_equal(part.column(name), values)
            assert part.column(name).dtype.isnative


# --- headers, names and versions


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


# --- damage


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


# --- attacks


def test_endless_cards_are_refused(refuse):
    assert refuse(b"SIMPLE  =".ljust(80) + b"COMMENT x".ljust(80) * 120_000).rule == "fits-cards"


def test_a_header_without_end_is_refused(refuse):
    assert refuse(image(PIXELS).replace(b"END     ", b"ENDE    ")[:2880]).rule == "fits-end"


def test_a_string_that_never_ends_is_refused(refuse):
    extra = b"LONG    = 'a&'".ljust(80) + b"CONTINUE  'aaaaaaa&'".ljust(80) * 90_000
    assert refuse(image(PIXELS, extra)).rule == "fits-string"


def test_too_many_hdus_are_refused(decode):
    with pytest.raises(TooLarge, match="more than 1024 HDUs"):
        decode(*[image(primary=False)] * 20_000)


@pytest.mark.parametrize(
    ("cards", "kind", "rule"),
    [
        ({"NAXIS1": -4}, Malformed, "fits-header"),
        ({"NAXIS1": 100_000, "NAXIS2": 100_000}, TooLarge, "fits-size"),
        ({"NAXIS1": 1 << 40, "NAXIS2": 1 << 40}, TooLarge, "fits-size"),
        ({"NAXIS1": 1 << 64, "NAXIS2": 0}, Malformed, "fits-header"),
        ({"NAXIS1": 30_000}, Malformed, "fits-size"),
        ({"NAXIS1": 4.0}, Malformed, "fits-header"),
        ({"NAXIS1": True}, Malformed, "fits-header"),
        ({"NAXIS1": "4"}, Malformed, "fits-header"),
        ({"NAXIS": 33}, Malformed, "fits-header"),
        ({"NAXIS": 3}, Malformed, "fits-header"),
        ({"NAXIS": -1}, Malformed, "fits-header"),
        ({"BITPIX": 7}, Malformed, "fits-bitpix"),
        ({"BITPIX": 0}, Malformed, "fits-bitpix"),
        ({"BITPIX": -16}, Malformed, "fits-bitpix"),
        ({"PCOUNT": -1}, Malformed, "fits-header"),
        ({"GCOUNT": 1 << 40}, TooLarge, "fits-size"),
        ({"BSCALE": b"NaN"}, Malformed, "fits-scale"),
        ({"BSCALE": 0.0}, Malformed, "fits-scale"),
        ({"BSCALE": b"1E999"}, Malformed, "fits-scale"),
        ({"BZERO": b"-inf"}, Malformed, "fits-scale"),
        ({"BZERO": "ten"}, Malformed, "fits-scale"),
        ({"BLANK": 1.5}, Malformed, "fits-header"),
    ],
)
def test_an_image_that_lies_about_itself_is_refused(refuse, cards, kind, rule):
    for primary in (True, False):
        error = refuse(image(PIXELS, primary=primary, **cards))
        assert (type(error), error.rule) == (kind, rule)


ONE = {"A": ("PJ", cells(2, 0, 1, 4, shape=(2, 2)))}


@pytest.mark.parametrize(
    ("pointers", "cards"),
    [
        ((2, 1000), {}),
        ((2, -4), {}),
        ((-4, 0), {}),
        ((2**31 - 1, 0), {}),
        ((3, 0), {}),
        ((2, 0), {"THEAP": -100}),
        ((2, 0), {"THEAP": 3}),
        ((2, 0), {"THEAP": 100}),
        ((2, 0), {"TFORM1": "1PJ(1)"}),
        ((2, 0), {"TFORM1": "2PJ"}),
    ],
)
def test_an_array_outside_its_heap_is_refused(refuse, pointers, cards):
    error = refuse(table({"A": ("PJ", cells(*pointers, shape=(1, 2)))}, bytes(8), **cards))
    assert error.rule in ("fits-heap", "fits-header", "fits-tform")


def test_pointers_of_64_bits_cannot_overflow(refuse):
    for pair in ((2**62, 2**62), (2**61, 8), (1, 2**63 - 1)):
        assert refuse(table({"A": ("QJ", cells(*pair, dtype="i8", shape=(1, 2)))}, bytes(8))).rule == "fits-heap"


def test_columns_that_all_share_one_heap_are_refused(refuse):
    columns = {f"C{i}": ("PB", cells(100_000, 0, shape=(1, 2))) for i in range(50)}
    assert refuse(table(columns, bytes(100_000))).rule == "fits-heap"


def test_text_columns_that_lie_upon_each_other_are_refused(refuse):
    cards = {"XTENSION": "TABLE", "TBCOL1": 1, "TBCOL2": 1, "TFORM1": "A4", "TFORM2": "A4"}
    hdu = table({"A": ("4A", cells(*b"abcd", dtype="u1", shape=(1, 4))), "B": ("0A", cells(shape=(1, 0)))}, **cards)
    assert refuse(hdu).rule == "fits-tform"


@pytest.mark.parametrize("cards", [{"TBCOL1": 0}, {"TBCOL1": 2}, {"TBCOL1": None}, {"TFORM1": "A0"}, {"TFORM1": "Q4"}])
def test_a_text_column_outside_its_row_is_refused(refuse, cards):
    words = {"XTENSION": "TABLE", "TBCOL1": 1, "TFORM1": "A4"} | cards
    hdu = table({"A": ("4A", cells(*b"abcd", dtype="u1", shape=(1, 4)))}, **words)
    assert refuse(hdu).rule in ("fits-tform", "fits-header")


def test_a_number_that_is_none_is_refused(decode):
    words = {"XTENSION": "TABLE", "TBCOL1": 1, "TFORM1": "I4"}
    with pytest.raises(Malformed, match="ValueError"):
        decode(table({"A": ("4A", cells(*b"abcd", dtype="u1", shape=(1, 4)))}, **words))


def test_rows_that_all_share_one_heap_are_refused(refuse):
    rows = np.tile(np.array([40_000, 0], "i4"), (20_000, 1))
    assert refuse(table({"A": ("PJ", rows)}, bytes(160_000))).rule == "fits-heap"


@pytest.mark.parametrize("tdim", ["(1000,1000)", "(-1,-4)", "(-1,4)", "(4,0)", "4", "()", "(2,2", "(2.0,2)"])
def test_a_tdim_that_does_not_fill_the_cell_is_refused(refuse, tdim):
    assert refuse(table({"A": ("4J", cells(1, 2, 3, 4, shape=(1, 4)))}, TDIM1=tdim)).rule == "fits-tdim"


@pytest.mark.parametrize("tform", ["5J", "4K", "1000000000000J", "9999999999999J", "4Y", "", "-4J", "J4J"])
def test_a_tform_that_does_not_fill_the_row_is_refused(refuse, tform):
    assert refuse(table({"A": ("4J", cells(1, 2, 3, 4, shape=(1, 4)))}, TFORM1=tform)).rule == "fits-tform"


@pytest.mark.parametrize(
    "cards", [{"TSCAL1": 0}, {"TSCAL1": b"NaN"}, {"TZERO1": b"inf"}, {"TNULL1": 1.5}, {"TNULL1": b"nan"}]
)
def test_scaling_that_is_no_number_is_refused(refuse, cards):
    assert refuse(table({"A": ("J", cells(1))}, **cards)).rule in ("fits-scale", "fits-header")


def test_a_null_of_real_numbers_means_nothing(decode):
    assert decode(table({"A": ("E", cells(1, dtype="f4"))}, TNULL1=1)).part("").column("A").tolist() == [1]


def test_rows_of_no_bytes_are_refused(refuse):
    assert refuse(table({}, NAXIS1=0, NAXIS2=10**10)).rule == "fits-tform"


def bomb(tile):
    """A 100 x 100 image whose one tile is these bytes."""
    cards = {"ZIMAGE": True, "ZCMPTYPE": "GZIP_1", "ZBITPIX": 16, "ZNAXIS": 2, "ZNAXIS1": 100, "ZNAXIS2": 100}
    columns = {"COMPRESSED_DATA": ("PB", cells(len(tile), 0, shape=(1, 2)))}
    return table(columns, tile, **cards, ZTILE1=100, ZTILE2=100)


def test_a_gzip_tile_that_inflates_beyond_itself_is_refused(refuse):
    for tile in (
        gzip.compress(bytes(50 << 20)),
        gzip.compress(bytes(20_000)) + gzip.compress(bytes(50 << 20)),
        gzip.compress(bytes(20_000))[:-9],
    ):
        assert refuse(bomb(tile)).rule == "fits-tiles"


@pytest.mark.parametrize(
    "cards",
    [
        {"ZTILE1": 0}, {"ZTILE1": -1}, {"ZTILE2": 1 << 70}, {"ZTILE1": 50}, {"ZNAXIS1": 1 << 20, "ZTILE1": 1 << 20},
        {"ZNAXIS1": 1 << 40}, {"ZNAXIS": 0}, {"ZBITPIX": 7}, {"ZCMPTYPE": "LZMA"}, {"ZCMPTYPE": 5}, {"TTYPE1": "DATA"},
    ],
)  # fmt: skip
def test_tiles_that_are_none_or_too_large_are_refused(refuse, cards):
    hdu = bomb(gzip.compress(bytes(20_000)))
    for key, value in cards.items():
        at = hdu.index(key.ljust(8).encode() + b"=")
        hdu = hdu[:at] + card(key, value) + hdu[at + 80 :]
    assert refuse(hdu).rule in ("fits-header", "fits-size", "fits-tiles", "fits-bitpix")


@pytest.mark.parametrize("setting", [("BLOCKSIZE", 0), ("BLOCKSIZE", -1), ("BYTEPIX", 0), ("BYTEPIX", 3)])
def test_rice_settings_that_would_never_end_are_refused(refuse, setting):
    name, value = setting
    hdu = tiled(PIXELS)
    key = f"ZVAL{1 if name == 'BLOCKSIZE' else 2}"
    at = hdu.index(key.ljust(8).encode() + b"=")
    assert refuse(hdu[:at] + card(key, value) + hdu[at + 80 :]).rule in ("fits-header", "fits-tiles")


@pytest.mark.parametrize("codec", ["RICE_1", "GZIP_1", "GZIP_2", "PLIO_1", "HCOMPRESS_1"])
def test_garbage_in_a_tile_is_refused_or_decodes_to_the_declared_shape(decode, codec):
    rng = np.random.default_rng(8)
    hdu = tiled(rng.integers(0, 99, (40, 40)).astype("i2"), codec, tile_shape=(20, 20))
    for _ in range(20):
        damaged = bytearray(hdu)
        heap = hdu.index(b"END" + b" " * 77) // 2880 * 2880 + 2880 + 4 * 8
        damaged[heap : heap + 200] = rng.bytes(200)
        with contextlib.suppress(Malformed):
            assert decode(bytes(damaged)).part("").pixels.shape == (40, 40)


def test_a_tile_that_no_codec_can_read_names_its_hdu_and_keeps_the_others(decode):
    tile = gzip.compress(bytes(19_999))
    assert decode(GOOD, bomb(tile)).problems[0].place == "HDU 2"
    with pytest.raises(Malformed, match=r"a\.fits: HDU 1: ValueError: .* \[fits-decode\]"):
        decode(bomb(tile))


def test_a_scale_of_tiles_in_the_header_is_refused_as_it_would_be_passed_over(refuse):
    hdu = bomb(gzip.compress(bytes(20_000)))
    end = b"END".ljust(80)
    assert refuse(hdu.replace(end + b" " * 80, card("ZSCALE", 2.0) + end, 1)).rule == "fits-tiles"


def test_a_setting_stated_twice_has_to_be_sound_both_times(refuse):
    hdu = tiled(PIXELS).replace(card("ZNAME2", "BYTEPIX")[:20], card("ZNAME2", "BLOCKSIZE")[:20], 1)
    at = hdu.index(b"ZVAL1   =")
    assert refuse(hdu[:at] + card("ZVAL1", 0) + hdu[at + 80 :]).rule == "fits-header"


def test_an_hcompress_stream_may_not_be_larger_than_its_tile(refuse):
    hdu = tiled(np.zeros((40, 40), "i4"), "HCOMPRESS_1", tile_shape=(20, 20))
    at = hdu.index(b"\xdd\x99")
    assert refuse(hdu[: at + 2] + struct.pack(">ii", 4000, 4000) + hdu[at + 10 :]).rule == "fits-tiles"


def test_a_plio_list_may_not_be_longer_than_what_is_stored(refuse):
    hdu = tiled(np.ones((4, 4), "i2"), "PLIO_1", tile_shape=(4, 4))
    at = hdu.index(struct.pack(">hhh", 0, 7, -100))
    assert refuse(hdu[: at + 6] + struct.pack(">hh", 32767, 100) + hdu[at + 10 :]).rule == "fits-tiles"


def test_what_is_no_image_and_no_table_is_left_out(refuse):
    assert refuse(image(PIXELS, primary=False, XTENSION="FOREIGN")).rule == "fits-kind"
    assert refuse(table({"A": ("J", cells(1))}, ZTABLE=True)).rule == "fits-kind"


# --- the real files


def real_files():
    names = [p.relative_to(DATA).as_posix() for p in sorted(DATA.rglob("*")) if p.is_file()]
    return [name for name in names if name.lower().removesuffix(".gz").endswith(ENDINGS)]


def differences(found, wanted):
    """Where two arrays differ; nulls and the blanks behind words don't count."""
    if wanted.dtype.kind in "SU":
        wanted = np.char.rstrip(np.char.rstrip(np.asarray(wanted)), "\0")
    mask = np.ma.getmaskarray(found)
    equal = np.asarray(found)[~mask] == np.asarray(wanted)[~mask]
    if found.dtype.kind == "f":
        equal |= np.isnan(np.asarray(found)[~mask]) & np.isnan(np.asarray(wanted)[~mask])
    return found.shape != wanted.shape or np.flatnonzero(~equal).size


def stated(header):
    """Keywords and values of an Astropy header that any reader has to agree on."""
    cards = {}
    for own in header.cards:
        with contextlib.suppress(fits.VerifyError):
            if isinstance(own.value, str | int | float) and own.keyword not in (
                "",
                "COMMENT",
                "HISTORY",
                "PCOUNT",
                "GCOUNT",
            ):
                cards.setdefault(own.keyword, own.value)
    return cards


@pytest.mark.data
@pytest.mark.parametrize("name", real_files())
def test_a_real_file_reads_as_astropy_reads_it(data, name):
    path = data(name)
    source = read(path)
    assert source.problems == ()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with fits.open(path, memmap=False, lazy_load_hdus=False) as hdus:
            wanted = [h for i, h in enumerate(hdus) if i or h.header["NAXIS"]]
            assert len(wanted) == len(source.content.parts)
            for part, hdu in zip(source.content.parts, wanted, strict=True):
                assert part.name in (hdu.header.get("EXTNAME", ""), hdu.name)
                for key, value in stated(hdu.header).items():
                    assert part.header[key] == value, key
                if isinstance(hdu, fits.BinTableHDU | fits.TableHDU):
                    assert [n.upper() for n in part.columns] == [n.upper() for n in hdu.columns.names]
                    for column in hdu.columns.names:
                        assert not differences(part.column(column), hdu.data[column]), column
                        assert part.unit(column) == (hdu.columns[column].unit or "").strip()
                elif hdu.data is not None:
                    assert not differences(part.pixels, hdu.data)
                    assert part.pixels.dtype == hdu.data.dtype.newbyteorder("=")


@pytest.mark.data
def test_the_cards_of_a_real_file_that_say_nan_are_nan(data):
    header = read(data("solar-aia/level15/AIA20180820_1248_0193.fits")).part("").header
    assert all(np.isnan(header[key]) for key in ("OSCNMEAN", "OSCNRMS", "RSUN_LF"))
    assert header["WAVELNTH"] == 193


def test_a_long_photon_list_reads_as_its_rows_are_stored():
    found = importlib.util.find_spec("stingray")
    path = Path(found.origin).parent / "tests" / "data" / "xmm_test.fits" if found else Path("absent")
    if not path.exists():
        pytest.skip("no installed Stingray ships xmm_test.fits")
    events = read(path).content.parts[0]
    with fits.open(path, memmap=True) as hdus:
        width, n_rows = hdus[1].header["NAXIS1"], hdus[1].header["NAXIS2"]
        start = hdus[1].fileinfo()["datLoc"]
        dtype = hdus[1].columns.dtype.newbyteorder(">")
    assert dtype.itemsize == width
    stored = np.memmap(path, dtype, "r", start, (n_rows,))
    assert events.n_rows == n_rows > 1_000_000
    for name in ("TIME", "PI"):
        assert_array_equal(events.column(name), stored[name])
        assert events.column(name).dtype.isnative
