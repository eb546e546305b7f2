"""FITS tables: what was written is read, nulls, units and arrays of the heap included."""

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from lake.readers import read
from tests.builders.fits import cells, image, table


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
