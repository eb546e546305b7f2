"""netCDF: values as another reader has them, times as UTC, and nothing outside of the file."""

import contextlib
import struct
from io import BytesIO

import h5py
import netCDF4
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from lake.errors import Forbidden, Malformed, Refused, TooLarge
from lake.readers import netcdf as reader
from lake.readers import netcdf_guard, read
from lake.readers.netcdf_classic import classic
from tests.builders.netcdf import classic_claiming, hdf5, netcdf

SINCE = "seconds since 2000-01-01 12:00:00"
FLUX = np.array([1e-7, 2e-7, -9999.0], np.float32)
GIVEN = {
    "time": (("time",), np.array([0.0, 60.5, 120.0]), {"units": SINCE}),
    "flux": (("time",), FLUX, {"units": "W/m2", "_FillValue": np.float32(-9999)}),
    "flag": (("time",), np.array([0, 1, 2], np.int32), {"flag_meanings": "good bad", "flag_values": [0, 1]}),
}
BOTH = pytest.mark.parametrize("kind", ["NETCDF4", "NETCDF3_CLASSIC", "NETCDF3_64BIT_OFFSET"])


@pytest.fixture
def decode(tmp_path):
    """A file of these variables, read through the front door."""

    def go(given, kind="NETCDF4", **attributes):
        return read(netcdf(tmp_path / "a.nc", given, kind, **attributes))

    return go


@pytest.fixture
def refuse(tmp_path):
    """The refusal of an HDF5 file that a function fills."""

    def go(write):
        with pytest.raises(Refused) as refused:
            read(hdf5(tmp_path / "a.h5", write))
        return refused.value

    return go


def times(units, values=(0, 1, 1_000_000), **words):
    """The column of these values in these units."""
    variable = reader.Variable("time", ("time",), np.array(values), {"units": units, **words})
    return reader._decoded(variable, "a.nc")


@BOTH
def test_variables_on_time_are_one_table(decode, kind):
    source = decode(GIVEN, kind, platform="g15", version=2)
    part = source.part("")
    assert source.reader == "netcdf"
    assert (source.keyword("platform"), source.keyword("version")) == ("g15", 2)
    assert list(part.columns) == ["time", "flux", "flag"]
    assert part.unit("flux") == "W/m2"
    assert part.columns["flux"].dtype == np.dtype("=f4")
    assert part.columns["time"].astype(str).tolist() == [
        "2000-01-01T12:00:00.000000",
        "2000-01-01T12:01:00.500000",
        "2000-01-01T12:02:00.000000",
    ]
    assert part.unit("time") == ""


@BOTH
def test_a_fill_value_is_null_and_nothing_else_is(decode, kind):
    column = decode(GIVEN, kind).part("").columns["flux"]
    assert np.ma.getmaskarray(column).tolist() == [False, False, True]
    assert not isinstance(decode(GIVEN, kind).part("").columns["flag"], np.ma.MaskedArray)


@BOTH
def test_scale_and_offset_are_applied_after_the_fill_value(decode, kind):
    words = {"scale_factor": 0.5, "add_offset": 10.0, "_FillValue": np.int16(-1)}
    column = decode({"t": (("time",), np.array([0, 3, -1], np.int16), words)}, kind).part("").columns["t"]
    assert column.tolist() == [10.0, 11.5, None]


@BOTH
def test_other_attributes_stay_with_their_variable(decode, kind):
    header = decode(GIVEN, kind).part("").header
    assert header["flag:flag_meanings"] == "good bad"
    assert header["flag:flag_values"] == "0 1"


@BOTH
def test_scalars_are_header_and_other_dimensions_parts_of_their_own(decode, kind):
    given = GIVEN | {
        "gain": ((), np.float64(2.5), {}),
        "wave": (("channel",), np.array([94.0, 171.0]), {"units": "angstrom"}),
        "counts": (("time", "channel"), np.ones((3, 2)), {}),
        "image": (("time", "y", "x"), np.arange(12, dtype=np.int32).reshape(3, 2, 2), {"units": "DN"}),
    }
    source = decode(given, kind)
    assert source.keyword("gain") == 2.5
    assert source.part("channel").columns["wave"].tolist() == [94.0, 171.0]
    assert source.part("").columns["counts"].shape == (3, 2)
    assert_array_equal(source.part("image").pixels, np.arange(12).reshape(3, 2, 2))
    assert len(source.part("image").columns["time"]) == 3
    assert source.part("image").unit("pixels") == "DN"


def test_text_is_strings(decode):
    text = {"status": (("time",), np.array(["EVENT_START", "", "Tromsø"]), {})}
    assert decode(text).part("").columns["status"].tolist() == ["EVENT_START", "", "Tromsø"]


def test_characters_of_a_classic_file_are_strings(decode):
    given = {"name": (("time", "length"), np.array([list(b"ab"), list(b"c\0")], np.uint8).view("S1"), {})}
    assert decode(given, "NETCDF3_CLASSIC").part("").columns["name"].tolist() == ["ab", "c"]


@pytest.mark.parametrize(
    ("units", "last"),
    [
        ("seconds since 1970-01-01 00:00:00.0 UTC", "1970-01-12T13:46:40"),
        ("seconds since 2000-01-01T12:00:00Z", "2000-01-13T01:46:40"),
        ("milliseconds since 1970-1-1", "1970-01-01T00:16:40"),
        ("microseconds since 1970-01-01 00:00:00.5", "1970-01-01T00:00:01.5"),
        ("minutes since 1970-01-01 00:00", "1971-11-26T10:40"),
        ("hours since 1970-01-01 00:00:00", "2084-01-29T16:00"),
        ("days since 1970-01-01", "4707-11-29"),
    ],
)
def test_cf_units_of_time_count_from_their_epoch(units, last):
    assert times(units)[2] == np.datetime64(last)
    assert times(units, (0.0, 1.0, 1e6))[2] == np.datetime64(last)


@given(st.integers(-(10**15), 10**15))
def test_a_float_second_keeps_its_microsecond(us):
    (found,) = times("seconds since 1970-01-01", (us / 1e6,))
    assert abs(int(found.astype(np.int64)) - us) <= 1


@pytest.mark.parametrize(
    ("units", "words"),
    [
        ("months since 1970-01-01", {}),
        ("seconds since yesterday", {}),
        ("seconds since 1970-01-01 00:00:00 +02:00", {}),
        ("seconds since 1970-01-01", {"calendar": "noleap"}),
    ],
)
def test_times_that_are_not_utc_stay_numbers(units, words):
    assert times(units, **words).dtype.kind == "i"


def test_times_beyond_all_instants_are_null():
    assert times(SINCE, (1e300, np.nan, -np.inf, 1.0)).mask.tolist() == [True, True, True, False]


@pytest.mark.parametrize("scale", [0.0, np.nan, np.inf])
def test_a_scale_that_destroys_the_values_is_malformed(decode, scale):
    with pytest.raises(Malformed, match="expected finite numbers"):
        decode({"t": (("time",), np.arange(3), {"scale_factor": scale})})


def test_a_link_to_another_file_is_forbidden(tmp_path, refuse):
    hdf5(tmp_path / "other.h5", lambda file: file.create_dataset("x", data=[1]))
    error = refuse(lambda file: file.__setitem__("x", h5py.ExternalLink(tmp_path / "other.h5", "/x")))
    assert (type(error), error.rule) == (Forbidden, "hdf5-link")


def test_a_link_that_leads_back_to_itself_is_forbidden(refuse):
    assert refuse(lambda file: file.__setitem__("x", h5py.SoftLink("/x"))).rule == "hdf5-link"


def test_data_of_another_file_are_forbidden(tmp_path, refuse):
    (tmp_path / "secret").write_bytes(b"s" * 16)
    external = [(str(tmp_path / "secret"), 0, 16)]
    error = refuse(lambda file: file.create_dataset("x", (16,), "u1", external=external))
    assert (type(error), error.rule) == (Forbidden, "hdf5-external")


def test_a_virtual_dataset_is_forbidden(tmp_path, refuse):
    hdf5(tmp_path / "other.h5", lambda file: file.create_dataset("x", data=np.arange(4)))
    layout = h5py.VirtualLayout((4,), "i8")
    layout[:] = h5py.VirtualSource(tmp_path / "other.h5", "x", (4,))
    assert refuse(lambda file: file.create_virtual_dataset("x", layout)).rule == "hdf5-external"


def test_a_filter_that_is_not_built_in_is_forbidden(refuse):
    error = refuse(lambda file: file.create_dataset("x", data=np.arange(100), chunks=(10,), compression="lzf"))
    assert (type(error), error.rule) == (Forbidden, "hdf5-filter")
    assert "found filter 32000" in error.detail


def test_a_chunk_of_a_quarter_gigabyte_is_too_large(refuse):
    error = refuse(lambda file: file.create_dataset("x", (2**28,), "u1", chunks=(2**28,), compression="gzip"))
    assert (type(error), error.rule) == (TooLarge, "hdf5-chunk")


def test_a_trillion_values_are_too_large(refuse):
    error = refuse(lambda file: file.create_dataset("x", (10**12,), "f8", chunks=(1024,)))
    assert (type(error), error.rule) == (TooLarge, "hdf5-size")


def test_too_many_objects_are_too_large(refuse, monkeypatch):
    monkeypatch.setattr(netcdf_guard, "MOST_OBJECTS", 5)
    assert refuse(lambda file: [file.create_group(str(n)) for n in range(6)]).rule == "hdf5-objects"


def test_text_that_many_entries_share_is_counted_for_each(refuse, monkeypatch):
    monkeypatch.setattr(reader, "MOST_TEXT", 1_000)
    text = h5py.string_dtype()
    assert refuse(lambda file: file.create_dataset("x", data=["a" * 90] * 20, dtype=text)).rule == "hdf5-text"


def test_a_group_that_holds_itself_is_read_once(tmp_path):
    def write(file):
        group = file.create_group("g")
        group["again"] = group
        group["x"] = [1.0, 2.0]

    assert read(hdf5(tmp_path / "a.h5", write)).part("2").columns["g/x"].tolist() == [1.0, 2.0]


def test_a_compound_is_left_out_and_named(tmp_path):
    def write(file):
        file["pair"] = np.zeros(2, [("a", "f4"), ("b", "i4")])
        file["x"] = [1.0, 2.0]

    source = read(hdf5(tmp_path / "a.h5", write))
    assert [p.place for p in source.problems] == ["pair"]
    assert list(source.part("2").columns) == ["x"]


# The library fills a classic file with zeros up to a whole block, so its own last byte is looked for.
def built(path, kind):
    data = netcdf(path, GIVEN, kind).read_bytes()
    return data if kind == "NETCDF4" else data.rstrip(b"\0")


@pytest.mark.parametrize("kind", ["NETCDF4", "NETCDF3_CLASSIC"])
def test_a_cut_file_is_refused_with_both_lengths(tmp_path, kind):
    whole = built(tmp_path / "a.nc", kind)
    (tmp_path / "b.nc").write_bytes(whole[:-8])
    with pytest.raises(Malformed, match=rf"b\.nc: .*found {len(whole) - 8} bytes, expected {len(whole)}"):
        read(tmp_path / "b.nc")


@pytest.mark.parametrize("kind", ["NETCDF4", "NETCDF3_CLASSIC"])
def test_a_cut_anywhere_is_refused(tmp_path, kind):
    whole = built(tmp_path / "a.nc", kind)
    for end in range(0, len(whole) - 1, max(3, len(whole) // 150)):
        (tmp_path / "b.nc").write_bytes(whole[:end])
        with pytest.raises(Refused):
            read(tmp_path / "b.nc")


def test_records_of_a_file_that_was_being_written_are_counted(tmp_path):
    whole = built(tmp_path / "a.nc", "NETCDF3_CLASSIC")
    content = reader.read(BytesIO(whole[:4] + b"\xff" * 4 + whole[8:]), "a.nc")
    assert content.parts[0].columns["flag"].tolist() == [0, 1, 2]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(place=st.integers(0, 600), noise=st.binary(min_size=1, max_size=8), kind=st.sampled_from(["a.nc", "b.nc"]))
def test_damaged_bytes_are_refused_or_read_but_nothing_else(tmp_path, place, noise, kind):
    path = tmp_path / kind
    if not path.exists():
        netcdf(path, GIVEN, "NETCDF4" if kind == "a.nc" else "NETCDF3_CLASSIC")
    data = path.read_bytes()
    (tmp_path / "c.nc").write_bytes(data[:place] + noise + data[place + len(noise) :])
    with contextlib.suppress(Refused):
        assert read(tmp_path / "c.nc").content.parts is not None


@pytest.mark.parametrize("n_values", [10**6, 2**31 - 8, 2**32 - 4])
def test_a_classic_dimension_past_the_end_is_refused(n_values):
    with pytest.raises(Malformed, match="netcdf-length"):
        reader.read(BytesIO(classic_claiming(n_values)), "a.nc")


def test_a_classic_dimension_that_fits_is_read():
    content = reader.read(BytesIO(classic_claiming(8)), "a.nc")
    assert content.parts[0].columns["v"].shape == (8,)


@pytest.mark.parametrize(
    ("head", "rule"),
    [
        (b"CDF\5" + bytes(60), "netcdf-version"),
        (b"CDF\1" + struct.pack(">III", 0, 10, 2**31), "netcdf-header"),
        (b"CDF\1" + struct.pack(">IIII", 0, 10, 1, 2**31) + bytes(8), "netcdf-header"),
        (b"CDF\1" + struct.pack(">III", 0, 99, 1), "netcdf-header"),
        (b"\x89HDF\r\n\x1a\n" + bytes([9] * 60), "hdf5-superblock"),
        (b"nothing", "netcdf-magic"),
    ],
)
def test_a_head_that_lies_is_malformed(head, rule):
    with pytest.raises(Malformed) as refused:
        reader.read(BytesIO(head), "a.nc")
    assert refused.value.rule == rule


def test_time_runs_on_through_the_leap_second(data):
    instants = read(data("solar/xrs/goes_13_leap_second.nc")).part("").columns["time"]
    steps = np.diff(instants) / np.timedelta64(1, "s")
    assert instants[-1] == np.datetime64("2015-06-30T23:59:59.965")
    assert (steps > 2.04).all()
    assert (steps < 2.06).all()


def test_real_files_equal_those_of_an_independent_reader(data):
    paths = sorted(data("solar/xrs").glob("*.nc"))
    assert len(paths) == 13
    for path in paths:
        source = read(path)
        part = source.part("")
        assert source.problems == ()
        with netCDF4.Dataset(path) as other:
            other.set_auto_mask(False)
            for name, variable in other.variables.items():
                if name == "time":
                    expected = netCDF4.num2date(variable[:], variable.units, only_use_python_datetimes=True)
                    off = part.columns["time"] - np.array(expected, "M8[us]")
                    assert np.abs(off).max() <= np.timedelta64(1, "us"), path.name
                    continue
                values, fill = variable[:], getattr(variable, "_FillValue", None)
                column = part.columns[name]
                assert_array_equal(np.ma.getdata(column), values, f"{path.name} {name}")
                assert_array_equal(np.ma.getmaskarray(column), False if fill is None else values == fill)
            assert source.keyword("title") == other.title


def chunked(file):
    values = np.arange(40.0)
    file.create_dataset("flux", data=values, chunks=(8,), fletcher32=True, compression="gzip")


def test_a_chunk_index_that_lies_is_malformed_before_the_library_believes_it(tmp_path):
    path = hdf5(tmp_path / "a.h5", chunked)
    whole = path.read_bytes()
    with h5py.File(path) as file:
        chunks = [file["flux"].id.get_chunk_info(i) for i in range(5)]
    sizes = [whole.index(struct.pack("<IIQQ", c.size, 0, c.chunk_offset[0], 0)) for c in chunks]
    lies = {
        "no bytes": (sizes[1], struct.pack("<I", 0)),
        "a sum left out": (sizes[1] + 4, struct.pack("<I", 2)),
        "off the grid": (sizes[4] + 8, struct.pack("<Q", 80)),
        "twice": (sizes[1] + 8, struct.pack("<Q", 16)),
        "past the end": (sizes[1] + 24, struct.pack("<Q", len(whole) - 1)),
    }
    for lie, (at, number) in lies.items():
        path.write_bytes(whole[:at] + number + whole[at + len(number) :])
        with pytest.raises(Malformed) as refused:
            read(path)
        assert refused.value.rule == "hdf5-index", lie


def test_what_was_never_written_is_null(tmp_path):
    def write(file):
        file.create_dataset("half", (10, 3), "f4", chunks=(5, 2))[:5, :2] = 1
        file.create_dataset("none", (10,), "i4")
        file.create_dataset("all", data=np.arange(10))

    part = read(hdf5(tmp_path / "a.h5", write)).part("10")
    assert part.columns["half"].tolist() == [[1.0, 1.0, None]] * 5 + [[None] * 3] * 5
    assert part.columns["none"].tolist() == [None] * 10
    assert part.columns["all"].tolist() == list(range(10))
    assert not np.ma.isMaskedArray(part.columns["all"])


@pytest.mark.parametrize(
    ("at", "to"),
    [
        (lambda data: data.index(b"flux"), b"flag"),
        (lambda data: data.index(b"flux") + 4 + 88, None),
    ],
)
def test_classic_variables_that_share_a_name_or_a_place_are_malformed(tmp_path, at, to):
    path = netcdf(tmp_path / "a.nc", {"flux": GIVEN["flux"], "flag": GIVEN["flag"]}, "NETCDF3_CLASSIC")
    data = path.read_bytes()
    first, second = (int(v.begin) for v, _ in classic(data, "a.nc")[1])
    place = at(data) if to else data.rindex(struct.pack(">I", second), 0, first)
    path.write_bytes(data[:place] + (to or struct.pack(">I", first)) + data[place + 4 :])
    with pytest.raises(Malformed, match="netcdf-header"):
        read(path)


@pytest.mark.parametrize(("calendar", "kind"), [({}, "i"), ({"calendar": "proleptic_gregorian"}, "M")])
def test_days_from_before_the_reform_are_dated_in_the_calendar_that_had_none(calendar, kind):
    assert np.ma.getdata(times("days since 1582-10-14", **calendar)).dtype.kind == kind
    assert np.ma.getdata(times("days since 1582-10-15", **calendar)).dtype.kind == "M"
