"""What the header and the tables of an event list mean."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from lake.clocks import Clock
from lake.errors import SourceError
from lake.kernels.event_lists import observation
from lake.kernels.good_times import GoodTimes
from lake.kernels.photons import EventList, photon_columns
from lake.readers import read
from lake.source import Content, Part, Source
from schemas.lightlane import PHOTONS
from tests.builders.photons import event_source, good_times, rows


def test_rows_are_numbered_as_the_file_has_them_whatever_their_times():
    _, _, photons = rows(event_source({"TIME": [5.0, 1.0, 3.0]}, good_times((0, 9))))
    assert [(p["event_id"], p["arrival_s"]) for p in photons] == [(0, 5.0), (1, 1.0), (2, 3.0)]


def test_two_lists_of_one_archive_number_are_two_observations():
    ids = {
        rows(event_source({"TIME": [1.0]}, good_times((0, 9)), OBS_ID="10027", sha256=digit * 64))[0]["obs_id"]
        for digit in "0123456789abcdef"
    }
    assert len(ids) == 16
    assert "chandra-10027-aaaaaaaa" in ids


def test_the_zero_point_is_added_to_photons_and_good_times_alike():
    source = event_source({"TIME": [1.5, 9.5]}, good_times((1, 2)), TIMEZERO=-1.0)
    _, times, photons = rows(source)
    assert (times[0]["start_s"], times[0]["stop_s"]) == (0.0, 1.0)
    assert [(p["arrival_s"], p["is_good_time"]) for p in photons] == [(0.5, True), (8.5, False)]


def test_a_good_time_table_may_have_a_zero_point_of_its_own():
    _, times, _ = rows(event_source({"TIME": [1.0]}, good_times((1, 2), TIMEZERO=10.0), TIMEZERO=-1.0))
    assert times[0]["start_s"] == 11.0


def test_times_in_days_become_seconds():
    _, _, photons = rows(event_source({"TIME": [0.5]}, good_times((0, 1), TIMEUNIT="d"), TIMEUNIT="d", TSTART=0.0))
    assert (photons[0]["arrival_s"], photons[0]["is_good_time"]) == (43200.0, True)


def test_nanoseconds_keep_what_a_float_sum_loses():
    time = np.array([500_000_000.0, np.nextafter(500_000_000.0, np.inf)])
    source = event_source({"TIME": time}, good_times((5e8, 6e8)), TIMEZERO=3.37842846, TSTART=5e8)
    about, _, photons = rows(source)
    step = photons[1]["arrival_ns"] - photons[0]["arrival_ns"]
    assert step == 60  # the spacing of float64 here is 59.6 ns
    assert about["epoch_s"] * 10**9 + photons[0]["arrival_ns"] == 500_000_003_378_428_460


@given(
    time=st.floats(5e8, 5.1e8),
    zero=st.one_of(st.floats(-3, 3), st.floats(-3e8, 3e8)),
)
def test_nanoseconds_are_those_of_the_exact_sum_whatever_the_zero_point(time, zero):
    about, _, photons = rows(event_source({"TIME": [time]}, TIMEZERO=zero, TSTART=5e8, TSTOP=6e8))
    exact = (Fraction(time) + Fraction(zero) - about["epoch_s"]) * 10**9
    assert abs(photons[0]["arrival_ns"] - exact) <= Fraction(1, 2) + Fraction(1, 10**5)


def test_nanoseconds_reach_a_hundred_days():
    days = np.array([0.0, 100.0, -100.0])
    _, _, photons = rows(event_source({"TIME": 5e8 + 86400 * days}, TSTART=5e8, TSTOP=6e8))
    assert [p["arrival_ns"] for p in photons] == [0, 8_640_000 * 10**9, -8_640_000 * 10**9]


def test_a_time_that_no_nanosecond_count_holds_has_none():
    columns = photon_columns(observation(event_source({"TIME": [5e8, 1e300, np.nan]}, TSTART=5e8, TSTOP=6e8)))
    assert np.ma.getmaskarray(columns["arrival_ns"]).tolist() == [False, True, True]


def test_a_row_without_a_time_is_rejected_with_a_reason():
    taken = PHOTONS.fit(photon_columns(observation(event_source({"TIME": [1.0, np.nan]}, good_times((0, 9))))))
    assert taken.rows.num_rows == 1
    assert [(r.reason, r.n_rows) for r in taken.rejected] == [("arrival_s: null or not a number", 1)]


def test_xmm_tables_are_told_apart_by_their_names():
    tables = [good_times((0, 2), name="STDGTI01"), good_times((5, 9), name="STDGTI12")]
    source = event_source(
        {"TIME": [1.0, 1.0, 6.0, 1.0], "CCDNR": [1, 12, 12, 4]}, *tables, TELESCOP="XMM", INSTRUME="EPN"
    )
    about, _, photons = rows(source)
    assert [p["is_good_time"] for p in photons] == [True, False, True, False]
    assert about["warnings"] == "chip 4 has no good times: none of its photons is good"


def test_without_chips_in_the_list_good_is_what_is_good_on_all():
    tables = [good_times((0, 5), CCD_ID=0), good_times((3, 9), CCD_ID=1)]
    _, times, _ = rows(event_source({"TIME": [4.0]}, *tables))
    assert [(t["detector_id"], t["start_s"], t["stop_s"]) for t in times] == [(-1, 3.0, 5.0)]


def test_start_and_stop_may_be_spelled_in_any_case_and_the_first_table_is_the_standard_one():
    first, second = (good_times((a, 9), name="GTI", version=v) for a, v in [(5.0, 1), (0.0, 2)])
    renamed = [
        type(p)(p.name, p.version, p.header, {"Start": p.columns["START"], "Stop": p.columns["STOP"]})
        for p in (first, second)
    ]
    about, _, photons = rows(
        event_source({"Time": [1.0, 6.0]}, *renamed, name="XTE_SE", TELESCOP="XTE", INSTRUME="PCA")
    )
    assert [p["is_good_time"] for p in photons] == [False, True]
    assert "GTI 2: 9 s not used" in about["warnings"]


def test_no_good_time_table_makes_all_good_and_an_empty_one_nothing():
    header = {"TSTART": 0.0, "TSTOP": 9.0}
    about, _, photons = rows(event_source({"TIME": [1.0, 9.5]}, **header))
    assert [p["is_good_time"] for p in photons] == [True, False]
    assert "no good times" in about["warnings"]
    _, _, photons = rows(event_source({"TIME": [1.0]}, good_times(), **header))
    assert not photons[0]["is_good_time"]


def test_a_list_without_start_and_stop_holds_its_own_photons():
    _, _, photons = rows(event_source({"TIME": [1.0, 9.5]}))
    assert all(p["is_good_time"] for p in photons)


def test_a_time_marker_is_no_photon():
    bits = np.zeros((2, 24), bool)
    bits[0, 0] = True
    source = event_source({"TIME": [1.0, 2.0], "Event": bits}, good_times((0, 9)), TELESCOP="XTE", INSTRUME="PCA")
    _, _, photons = rows(source)
    assert [(p["status"], p["is_good_status"]) for p in photons] == [(1 << 23, True), (0, False)]


def test_energies_come_in_electronvolts_and_one_without_a_unit_is_not_guessed():
    fermi = event_source({"TIME": [1.0], "ENERGY": [2.0]}, good_times((0, 9)), TELESCOP="FERMI", INSTRUME="LAT")
    assert rows(fermi)[2][0]["energy_ev"] == 2e6
    assert rows(fermi)[2][0]["wavelength_source"] == "energy"
    kilo = event_source({"TIME": [1.0], "ENERGY": [2.0]}, good_times((0, 9)), units={"ENERGY": "keV"}, TELESCOP="X")
    assert rows(kilo)[2][0]["energy_ev"] == 2e3
    bare = event_source(
        {"TIME": [1.0], "ENERGY": [2.0], "PI": [100]}, good_times((0, 9)), TELESCOP="NICER", INSTRUME="XTI"
    )
    about, _, photons = rows(bare)
    assert (photons[0]["energy_ev"], photons[0]["wavelength_source"]) == (1000.0, "pi")
    assert "ENERGY has no unit" in about["warnings"]


def test_hrc_channels_give_a_wavelength_only_through_a_grating():
    columns = {"TIME": [1.0, 2.0, 3.0], "PI": [87, 400, 847]}
    about, _, photons = rows(event_source(columns, good_times((0, 9)), INSTRUME="HRC"))
    assert [p["wavelength_nm"] for p in photons] == [None] * 3
    assert "no energies" in about["wavelength_note"]
    columns |= {"TG_M": [1, 0, -1], "TG_MLAM": [12.0, 0.0, -30.0]}
    about, _, photons = rows(event_source(columns, good_times((0, 9)), INSTRUME="HRC"))
    assert_allclose([p["wavelength_nm"] or np.nan for p in photons], [1.2, np.nan, 3.0])
    assert [p["wavelength_source"] for p in photons] == ["grating", "none", "grating"]
    assert about["wavelength_note"] is None


@pytest.mark.parametrize(
    ("columns", "wavelength_nm"),
    [({"TG_LAM": 12.0, "TG_M": 2}, 1.2), ({"TG_LAM": 12.0, "TG_M": -1}, 1.2), ({"TG_MLAM": 24.0, "TG_M": 2}, 1.2)],
)
def test_either_column_of_a_grating_gives_the_wavelength_of_its_order(columns, wavelength_nm):
    columns = {"TIME": [1.0]} | {name: [value] for name, value in columns.items()}
    _, _, photons = rows(event_source(columns, good_times((0, 9)), INSTRUME="HRC"))
    assert_allclose(photons[0]["wavelength_nm"], wavelength_nm, rtol=1e-6)


def test_a_photon_that_the_grating_sent_nowhere_keeps_the_wavelength_of_its_energy():
    columns = {"TIME": [1.0], "ENERGY": [1239.841984], "TG_M": [1], "TG_MLAM": [0.0]}
    _, _, photons = rows(event_source(columns, good_times((0, 9)), INSTRUME="ACIS"))
    assert (photons[0]["wavelength_nm"], photons[0]["wavelength_source"]) == (1.0, "energy")


@pytest.mark.parametrize(("columns", "has"), [({"X": [1.0], "Y": [1.0]}, True), ({"X": [1.0]}, False), ({}, False)])
def test_a_position_is_two_columns(columns, has):
    about, _, _ = rows(event_source({"TIME": [1.0], **columns}, good_times((0, 9))))
    assert about["has_position"] is has


def test_channels_outside_their_stated_range_mean_nothing():
    header = {"TTYPE1": "TIME", "TTYPE2": "PI", "TLMIN2": 30, "TLMAX2": 1500, "TELESCOP": "NICER", "INSTRUME": "XTI"}
    columns = {"TIME": [1.0, 2.0, 3.0, 4.0], "PI": [29, 30, 1500, 1501]}
    _, _, photons = rows(event_source(columns, good_times((0, 9)), **header))
    assert [p["energy_ev"] for p in photons] == [None, 300.0, 15000.0, None]


def test_an_empty_list_is_an_observation_without_photons():
    about, _, photons = rows(event_source({"TIME": np.empty(0)}, good_times((0, 9))))
    assert (about["n_photons"], about["good_time_s"], photons) == (0, 9.0, [])


def test_a_chip_without_good_time_takes_none_from_the_others():
    source = event_source({"TIME": [1.0, 1.0], "CCD_ID": [0, 4]}, good_times((0, 9), CCD_ID=0))
    about, _, photons = rows(source)
    assert [p["is_good_time"] for p in photons] == [True, False]
    assert about["good_time_s"] == 9.0
    nowhere, _, _ = rows(event_source({"TIME": [1.0], "CCD_ID": [4]}, good_times((0, 9), CCD_ID=0)))
    assert nowhere["good_time_s"] == 0.0


def test_a_file_without_photons_is_refused_by_what_it_has(data):
    with pytest.raises(SourceError, match="no table of photons; has RATE"):
        observation(read(data("xray/erosita_light_curve.fits")))


@pytest.mark.parametrize("stated", ["abc", float("nan"), float("inf"), True])
def test_a_zero_point_that_is_no_number_refuses_the_file_by_its_keyword(stated):
    with pytest.raises(SourceError, match=r"list.fits: found TIMEZERO = .*, expected a finite number"):
        observation(event_source({"TIME": [1.0]}, TIMEZERO=stated))


@pytest.mark.parametrize("words", [{"MJDREF": "abc"}, {"MJDREFI": 50814, "MJDREFF": "x"}, {"TIMEZERO": "abc"}])
def test_a_clock_of_words_that_are_no_numbers_is_not_known(words):
    assert Clock.of_header({"MJDREF": 50814.0, **words}) is None
    if "TIMEZERO" not in words:
        assert "times have no date" in str(observation(event_source({"TIME": [1.0]}, **words)).warnings)


@pytest.mark.parametrize("where", ["keyword", "column", "good times"])
def test_times_in_an_unknown_unit_are_refused_and_never_taken_for_seconds(where):
    unit = "fortnight"
    table = good_times((0, 9), TIMEUNIT=unit) if where == "good times" else good_times((0, 9))
    header = {"TIMEUNIT": unit} if where == "keyword" else {}
    source = event_source({"TIME": [1.0]}, table, units={"TIME": unit} if where == "column" else {}, **header)
    with pytest.raises(SourceError, match="found times in 'fortnight', expected one of s, sec"):
        observation(source)


def test_times_in_nanoseconds_are_a_billionth_of_seconds():
    _, _, photons = rows(event_source({"TIME": [2e9]}, good_times((0, 9)), units={"TIME": "ns"}, TSTART=0.0))
    assert photons[0]["arrival_s"] == 2.0


def test_times_that_are_text_are_named():
    with pytest.raises(SourceError, match=r"list\.fits: EVENTS TIME: found text, expected numbers"):
        observation(event_source({"TIME": ["a"]}, good_times((0, 9))))


@pytest.mark.parametrize(
    ("header", "is_barycentred"),
    [
        ({"TIMEREF": "SOLARSYSTEM"}, True),
        ({"TIMESYS": "TDB"}, True),
        ({"TIMEREF": "LOCAL", "TIMESYS": "TDB"}, False),
        ({"TIMEREF": "LOCAL"}, False),
    ],
)
def test_what_times_refer_to_is_stated_before_it_is_guessed(header, is_barycentred):
    about, _, _ = rows(event_source({"TIME": [1.0]}, good_times((0, 9)), **header))
    assert about["is_barycentred"] == is_barycentred


@pytest.mark.parametrize(("ra", "dec"), [(0.0, -90.0), (360.0, 90.0), (83.6, 22.0)])
def test_a_place_on_the_sky_may_be_at_its_edges(ra, dec):
    about, _, _ = rows(event_source({"TIME": [1.0]}, good_times((0, 9)), RA_PNT=ra, DEC_PNT=dec))
    assert (about["ra_deg"], about["dec_deg"]) == (ra, dec)


@pytest.mark.parametrize(("ra", "dec"), [(-1e-9, 0.0), (360.001, 0.0), (0.0, 90.001), (0.0, -90.001)])
def test_a_place_beyond_the_sky_is_none(ra, dec):
    about, _, _ = rows(event_source({"TIME": [1.0]}, good_times((0, 9)), RA_PNT=ra, DEC_PNT=dec))
    assert (about["ra_deg"], about["dec_deg"]) == (None, None)


def test_an_exposure_and_a_step_of_nothing_are_stated_as_such():
    about, _, _ = rows(event_source({"TIME": [1.0]}, good_times((0, 9)), EXPOSURE=0.0, TIMEDEL=0.0))
    assert (about["exposure_s"], about["time_step_s"]) == (0.0, 0.0)


def test_columns_of_other_lengths_than_the_times_are_refused():
    times = GoodTimes(np.empty(0, np.int64), np.empty(0), np.empty(0))
    with pytest.raises(ValueError, match=r"x: found times \(2,\), pi \(3,\), expected one shape"):
        EventList("x", "T", "I", np.zeros(2), times, columns={"pi": np.zeros(3)})


def test_the_zero_point_of_a_good_time_table_is_in_timeunit_whatever_its_columns_are_in():
    table = good_times((1, 10), TIMEUNIT="d", TIMEZERO=1.0)
    table = replace(table, units={"START": "s", "STOP": "s"})
    _, times, _ = rows(event_source({"TIME": [1.0]}, table))
    assert (times[0]["start_s"], times[0]["stop_s"]) == (86401.0, 86410.0)


def test_a_good_time_table_with_a_zero_point_that_is_no_number_is_refused():
    with pytest.raises(SourceError, match="found TIMEZERO = 'abc', expected a finite number"):
        observation(event_source({"TIME": [1.0]}, good_times((0, 9), TIMEZERO="abc")))


def test_a_chip_may_be_spelled_in_any_case():
    events = observation(event_source({"TIME": [1.0], "CCD_ID": [7]}, good_times((0, 9), ccd_id=7)))
    assert events.good_times.detector_id.tolist() == [7]


@pytest.mark.parametrize(
    ("header", "fraction"),
    [
        ({"DTCOR": 0.9, "LIVETIME": 50.0, "ONTIME": 100.0}, 0.9),
        ({"DEADC": 1.0}, 1.0),
        ({"LIVETIME": 50.0, "ONTIME": 100.0}, 0.5),
        ({"DTCOR": 0.0}, None),
        ({"DTCOR": 1.5}, None),
        ({"LIVETIME": 50.0}, None),
    ],
)
def test_the_live_fraction_is_stated_or_live_time_over_time_on(header, fraction):
    about, _, _ = rows(event_source({"TIME": [1.0]}, good_times((0, 9)), **header))
    assert about["live_fraction"] == fraction


def test_the_frame_of_xmm_is_stated_in_milliseconds():
    source = event_source({"TIME": [1.0]}, good_times((0, 9)), TELESCOP="XMM", INSTRUME="EPN", FRMTIME=73.4)
    assert_allclose(rows(source)[0]["frame_time_s"], 0.0734)


@pytest.mark.parametrize("n_bits", [5, 8, 13])
def test_bits_of_a_row_are_one_number_the_first_the_highest(n_bits):
    bits = np.zeros((2, n_bits), bool)
    bits[0, -1] = bits[1, 0] = True
    source = event_source({"TIME": [1.0, 2.0], "STATUS": bits}, good_times((0, 9)))
    assert observation(source).columns["status"].tolist() == [1, 1 << (n_bits - 1)]


def test_a_table_of_rates_is_no_list_of_photons():
    part = Part("RATES", 1, {}, {"TIME": np.array([1.0]), "RATE": np.array([3.0])})
    with pytest.raises(SourceError, match="no table of photons; has RATES"):
        observation(Source("list.fits", "0" * 64, 0, "fits", Content({}, (part,))))
