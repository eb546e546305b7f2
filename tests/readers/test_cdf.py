"""CDF: frames and rows beside their instants, and records that cannot lead anywhere wrong."""

import struct
from datetime import datetime
from io import BytesIO

import cdflib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from lake.errors import Malformed, Refused, TooLarge
from lake.readers import cdf as reader
from lake.readers import read
from tests.builders.cdf import Given, cdf, patched, records

UNIX_MS = 62_167_219_200_000.0
MINUTE = UNIX_MS + np.array([0.0, 60_000.0, 120_000.5])
FRAMES = np.arange(3 * 4 * 5, dtype=np.uint16).reshape(3, 4, 5)
ON_EPOCH = {"DEPEND_0": "epoch"}
GIVEN = {
    "epoch": Given("epoch", MINUTE),
    "image": Given("u2", FRAMES, ON_EPOCH | {"UNITS": "counts", "FILLVAL": np.uint16(7)}, compress=6),
    "flux": Given("f4", np.array([1, -1e31, 3], np.float32), ON_EPOCH | {"UNITS": "nT", "FILLVAL": np.float32(-1e31)}),
    "n": Given("i4", np.array([1, 2, -1], np.int32), ON_EPOCH | {"FILLVAL": np.int32(-1)}),
    "row": Given("u2", np.arange(4, dtype=np.uint16), varies=False),
    "map": Given("f4", np.ones((4, 5), np.float32), varies=False),
    "height_km": Given("f8", np.float64(110), varies=False),
}
# Records by kind, and where in them a number lies.
GDR, ADR, VXR, Z_VDR, CVVR = 2, 4, 6, 8, 13


@pytest.fixture
def decode(tmp_path):
    """A file of these variables, read through the front door."""

    def go(given, **words):
        return read(cdf(tmp_path / "a.cdf", given, **words))

    return go


@pytest.fixture
def whole(tmp_path):
    """The bytes of a valid file."""
    return cdf(tmp_path / "whole.cdf", GIVEN).read_bytes()


@pytest.fixture
def refuse(monkeypatch):
    """What these bytes are refused for, before the library sees them."""

    def go(data):
        monkeypatch.setattr(cdflib, "CDF", lambda *_, **__: pytest.fail("was opened"))
        with pytest.raises(Refused) as refused:
            reader.read(BytesIO(data), "a.cdf")
        return refused.value

    return go


def test_frames_lie_beside_their_rows_in_one_unnamed_part(decode):
    source = decode(GIVEN, Project="THEMIS")
    part = source.part("")
    assert source.reader == "cdf"
    assert source.keyword("Project") == "THEMIS"
    assert_array_equal(part.pixels, FRAMES)
    assert part.unit("pixels") == "counts"
    assert part.unit("flux") == "nT"
    assert set(part.columns) == {"epoch", "time", "flux", "n"}


def test_an_epoch_is_utc_to_the_microsecond(decode):
    column = decode(GIVEN).part("").columns["time"]
    expected = ["1970-01-01T00:00:00.000000", "1970-01-01T00:01:00.000000", "1970-01-01T00:02:00.000500"]
    assert column.astype(str).tolist() == expected


def test_a_fill_value_is_null_in_columns_and_stays_in_integer_pixels(decode):
    part = decode(GIVEN).part("")
    assert part.columns["flux"].tolist() == [1.0, None, 3.0]
    assert part.columns["n"].tolist() == [1, 2, None]
    assert part.pixels[0, 1, 2] == 7
    assert part.header["image:FILLVAL"] == 7


def test_a_fill_value_is_nan_in_floating_pixels(decode):
    pixels = np.where(FRAMES == 7, -1e31, FRAMES).astype(np.float32)
    image = Given("f4", pixels, ON_EPOCH | {"FILLVAL": np.float32(-1e31)})
    assert np.argwhere(np.isnan(decode(GIVEN | {"image": image}).part("").pixels)).tolist() == [[0, 1, 2]]


def test_what_does_not_vary_is_header_or_a_part_of_its_own(decode):
    source = decode(GIVEN)
    assert source.keyword("height_km") == 110
    assert source.part("row").columns["row"].tolist() == [0, 1, 2, 3]
    assert source.part("map").pixels.shape == (4, 5)


def test_several_cubes_are_parts_named_after_them(decode):
    source = decode(GIVEN | {"dark": Given("u2", FRAMES + 1, ON_EPOCH)})
    assert_array_equal(source.part("image").pixels, FRAMES)
    assert_array_equal(source.part("dark").pixels, FRAMES + 1)
    assert_array_equal(source.part("dark").columns["time"], source.part("image").columns["time"])


def test_each_epoch_has_its_own_table(decode):
    given = {
        "epoch": Given("epoch", MINUTE),
        "slow": Given("epoch", MINUTE[:2]),
        "a": Given("f8", np.arange(3.0), ON_EPOCH),
        "b": Given("f8", np.arange(2.0), {"DEPEND_0": "slow"}),
    }
    source = decode(given)
    assert list(source.part("epoch").columns) == ["a", "epoch", "time"]
    assert list(source.part("slow").columns) == ["b", "slow", "time"]


def test_an_empty_epoch_gives_way_to_the_unix_time(decode):
    given = {
        "epoch": Given("epoch", np.array([0.0])),
        "image": Given("u2", FRAMES, ON_EPOCH | {"DEPEND_TIME": "unix"}),
        "unix": Given("f8", np.array([1.5, np.nan, 4.5])),
    }
    part = decode(given).part("")
    instants = [np.datetime64("1970-01-01T00:00:01.5"), None, np.datetime64("1970-01-01T00:00:04.5")]
    for name in ("time", "epoch"):
        assert part.columns[name].tolist() == [v and v.astype("M8[us]").item() for v in instants]


def test_an_epoch_that_was_never_written_is_null(decode):
    epochs = np.array([UNIX_MS, -1e31, 0.0])
    column = decode(GIVEN | {"epoch": Given("epoch", epochs)}).part("").columns["time"]
    assert column.mask.tolist() == [False, True, True]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.datetimes(min_value=datetime(1973, 1, 1), max_value=datetime(2040, 1, 1)))
def test_a_terrestrial_time_is_the_utc_it_was_made_from(instant):
    words = [instant.year, instant.month, instant.day, instant.hour, instant.minute, instant.second]
    us = instant.microsecond
    count = cdflib.cdfepoch.compute_tt2000([[*words, us // 1_000, us % 1_000, 0]])
    (found,) = reader._instants(np.atleast_1d(np.asarray(count, np.int64)), reader.TT2000)
    assert found == np.datetime64(instant, "us")


def test_a_leap_second_keeps_its_date_and_the_order_of_instants(decode):
    words = [[2016, 12, 31, 23, 59, second, 500, 0, 0] for second in (59, 60)] + [[2017, 1, 1, 0, 0, 1, 500, 0, 0]]
    counts = np.array([np.ravel(cdflib.cdfepoch.compute_tt2000([w]))[0] for w in words], np.int64)
    assert_array_equal(np.diff(counts), [10**9, 2 * 10**9])
    column = decode(GIVEN | {"epoch": Given("tt2000", counts)}).part("").columns["time"]
    assert column.astype(str).tolist() == [
        "2016-12-31T23:59:59.500000",
        "2016-12-31T23:59:59.999999",
        "2017-01-01T00:00:01.500000",
    ]


def test_a_fill_value_of_terrestrial_time_is_null(decode):
    counts = np.array([0, np.iinfo(np.int64).min, np.iinfo(np.int64).min + 1])
    column = decode(GIVEN | {"epoch": Given("tt2000", counts)}).part("").columns["time"]
    assert column.mask.tolist() == [False, True, True]


def test_an_epoch_of_picoseconds_is_rounded_to_microseconds():
    values = np.array([complex(UNIX_MS / 1e3 + 1, 123_456_789_000), complex(-1e31, -1e31)])
    column = reader._instants(values, reader.EPOCH16)
    assert column.astype(str).tolist() == ["1970-01-01T00:00:01.123457", None]


def test_text_is_strings_without_their_padding(decode):
    given = {"epoch": Given("epoch", MINUTE), "word": Given("text", np.array(["ab", "c ", "  "]), ON_EPOCH)}
    assert decode(given).part("").columns["word"].tolist() == ["ab", "c", ""]


def test_a_file_compressed_as_a_whole_reads_the_same(decode, tmp_path):
    plain, packed = decode(GIVEN), read(cdf(tmp_path / "b.cdf", GIVEN, compressed=True))
    assert (tmp_path / "b.cdf").read_bytes()[4:8] == reader.PACKED
    assert_array_equal(plain.part("").pixels, packed.part("").pixels)
    assert plain.header == packed.header


def test_a_whole_that_declares_too_much_is_refused(tmp_path, refuse):
    data = cdf(tmp_path / "b.cdf", GIVEN, compressed=True).read_bytes()
    assert refuse(patched(data, 10, 20, ">q", 1 << 40)).rule == "cdf-compression"
    error = refuse(patched(data, 10, 20, ">q", 100))
    assert (type(error), error.rule) == (TooLarge, "cdf-inflate")


@pytest.mark.parametrize(("kind", "at"), [(ADR, 12), (Z_VDR, 12), (VXR, 12)], ids=["attribute", "variable", "index"])
def test_a_chain_that_leads_back_is_refused(whole, refuse, kind, at):
    place = next(place for place, found in records(whole) if found == kind)
    assert refuse(patched(whole, kind, at, ">q", place)).rule == "cdf-loop"


@pytest.mark.parametrize(("kind", "at"), [(GDR, 12 + 8), (Z_VDR, 12), (Z_VDR, 28), (VXR, 12)])
def test_an_offset_outside_of_the_file_is_refused(whole, refuse, kind, at):
    error = refuse(patched(whole, kind, at, ">q", len(whole) + 5))
    assert (type(error), error.rule) == (Malformed, "cdf-offset")
    assert str(len(whole)) in error.detail


@pytest.mark.parametrize("size", [0, -1, 5, 1 << 40])
def test_a_record_longer_than_the_file_or_shorter_than_its_head_is_refused(whole, refuse, size):
    assert refuse(patched(whole, Z_VDR, 0, ">q", size)).rule == "cdf-size"


def test_an_offset_to_a_record_of_another_kind_is_refused(whole, refuse):
    place = next(place for place, found in records(whole) if found == VXR)
    assert refuse(patched(whole, GDR, 20, ">q", place)).rule == "cdf-kind"


def test_more_records_than_the_blocks_hold_are_refused(whole, refuse):
    error = refuse(patched(whole, Z_VDR, 24, ">i", 2**31 - 2))
    assert (type(error), error.rule) == (Malformed, "cdf-records")
    assert error.detail.endswith("found 3 records, expected 2147483647")


def test_more_values_than_deflate_can_pack_are_too_large(whole, refuse):
    lengths = next(place for place, kind in records(whole) if kind == Z_VDR) + 340
    lie = whole[:lengths] + struct.pack(">ii", 1, 1 << 30) + whole[lengths + 8 :]
    error = refuse(patched(lie, VXR, 24, ">i", 0))
    assert (type(error), error.rule) == (Malformed, "cdf-records")
    error = refuse(patched(patched(lie, VXR, 24, ">i", 0), Z_VDR, 48, ">i", 1))
    assert (type(error), error.rule) == (TooLarge, "cdf-size")


@pytest.mark.parametrize("at", [44, 48, 60], ids=["variables", "attributes", "z variables"])
@pytest.mark.parametrize("count", [1 << 24, 0x7FFFFFFF])
def test_a_count_that_its_chain_does_not_have_is_refused(whole, refuse, at, count):
    assert refuse(patched(whole, GDR, at, ">i", count)).rule == "cdf-count"


def test_very_many_dimensions_are_refused(whole, refuse):
    assert refuse(patched(whole, GDR, 56, ">i", 0x7FFFFFFF)).rule == "cdf-variable"


def test_a_block_shorter_than_its_records_is_refused(tmp_path, refuse):
    data = cdf(tmp_path / "b.cdf", {"flux": GIVEN["flux"]}).read_bytes()
    entries = next(place for place, kind in records(data) if kind == VXR) + 28
    n_entries = struct.unpack_from(">i", data, entries - 8)[0]
    last = entries + 4 * n_entries
    assert refuse(data[:last] + struct.pack(">i", 1_000) + data[last + 4 :]).rule == "cdf-block"


def test_a_block_that_inflates_to_more_than_it_declares_is_too_large(tmp_path, refuse):
    given = {"image": GIVEN["image"]}
    data = cdf(tmp_path / "b.cdf", given).read_bytes()
    assert any(kind == CVVR for _, kind in records(data))
    lengths = next(place for place, kind in records(data) if kind == Z_VDR) + 344
    lie = data[:lengths] + (1).to_bytes(4, "big") + data[lengths + 4 :]
    assert refuse(lie).rule == "cdf-inflate"


def test_a_cut_anywhere_is_refused(whole, tmp_path):
    ends = [place + 1 for place, _ in records(whole)]
    for end in [0, 4, 8, *ends[1:], len(whole) - 1]:
        path = tmp_path / "b.cdf"
        path.write_bytes(whole[:end])
        with pytest.raises(Refused, match=r"b\.cdf"):
            read(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)
@given(place=st.integers(8, 20_000), noise=st.binary(min_size=1, max_size=8))
def test_damaged_bytes_are_refused_or_read_but_nothing_else(whole, tmp_path, place, noise):
    place %= len(whole)
    path = tmp_path / "b.cdf"
    path.write_bytes((whole[:place] + noise + whole[place + len(noise) :])[: len(whole)])
    try:
        content = read(path).content
    except Refused:
        return
    assert content.parts is not None


@pytest.mark.parametrize(
    ("name", "variable", "shape", "mean", "low", "high"),
    [
        ("thg_l1_asf_gako_2011010617_v01.cdf", "thg_asf_gako", (23, 256, 256), 3388.149176, 2223, 65535),
        ("thg_l1_ast_gako_20110505_v01.cdf", "thg_ast_gako", (1075, 32, 32), 1077.139028, 324, 3481),
    ],
)
def test_real_files_have_the_known_counts_and_equal_those_of_the_library(data, name, variable, shape, mean, low, high):
    path = data(f"aurora/themis_cdf/{name}")
    part = read(path).part("")
    assert part.pixels.shape == shape
    assert part.pixels.mean() == pytest.approx(mean, abs=1e-6)
    assert (part.pixels.min(), part.pixels.max()) == (low, high)
    assert_array_equal(part.pixels, cdflib.CDF(path).varget(variable))


def test_real_full_frames_start_a_little_after_the_nominal_time(data):
    part = read(data("aurora/themis_cdf/thg_l1_asf_gako_2011010617_v01.cdf")).part("")
    late_s = part.columns["time"].astype(np.int64) / 1e6 - part.columns["thg_asf_gako_time"]
    assert part.columns["time"][0] == np.datetime64("2011-01-06T17:00:00.053")
    assert (late_s > 0.005).all()
    assert (late_s < 0.06).all()


def test_real_thumbnails_take_their_instants_from_the_unix_time(data):
    source = read(data("aurora/themis_cdf/thg_l1_ast_gako_20110505_v01.cdf"))
    steps = np.diff(source.part("").columns["time"]) / np.timedelta64(1, "s")
    assert source.part("").columns["time"][0] == np.datetime64("2011-05-05T09:14:15")
    assert sorted(set(np.rint(steps))) == [3, 6]
    assert (np.rint(steps) == 6).sum() == 2
    assert source.part("range_epoch").columns["range_epoch"][1] == np.datetime64("2011-05-05T10:08:03")
