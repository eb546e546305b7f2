"""What an event list means: energies, wavelengths, good times, good events."""

from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from astropy.time import Time
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from lake.errors import SourceError
from lake.kernels.photons import (
    GoodTimes,
    channel_energy,
    common_good_times,
    dispersed,
    grating_wavelength,
    intersected,
    is_good_grade,
    is_good_status,
    is_good_time,
    is_within,
    merged,
    photon_columns,
    wavelength,
)
from lake.readers import read
from lake.readers.events import observation
from schemas.lightlane import PHOTONS
from tests.builders.photons import event_source, good_times, photon_arrays, rows

GOLDEN_LISTS = (
    "m82_chandra_acis_events.fits", "m82_chandra_acis_events_no_energy.fits", "leonid_chandra_acis_evt2.fits.gz",
    "hbc515_chandra_acis_events.fits", "uvcet_chandra_hrc_events.fits", "b1509_rxte_pca_goodxenon.fits",
    "m82ulx_rxte_pca_goodxenon.evt.gz", "4u1636_rxte_pca.evt.gz", "sgr1830_nicer.evt", "j0218_nicer_bary.evt",
    "ngc300ulx_nicer_bary.evt",
)  # fmt: skip
edges = st.integers(0, 60).map(lambda n: n / 4)
intervals = st.lists(st.tuples(edges, edges), max_size=8).map(lambda pairs: np.array(pairs, float).reshape(-1, 2).T)
grid = np.arange(-4, 260) / 16


def naive(pairs, time):
    """Membership by trying every interval."""
    return np.array([any(start <= t < stop for start, stop in pairs.T) for t in time], bool)


# --- energy and wavelength


@given(energy=st.floats(0.1, 14935.0))
def test_an_acis_channel_holds_the_energy_it_was_made_from(energy):
    channel = np.clip(np.floor(energy / 14.6) + 1, 1, 1024)
    assert abs(channel_energy(channel, "CHANDRA", "ACIS") - energy) <= 7.3 * (1 + 1e-9)


def test_the_middle_of_channel_100_is_a_half_above_its_lower_edge():
    # 14.6 * 99 to 14.6 * 100 eV; half a channel more is a known fault
    assert_allclose(channel_energy(100, "CHANDRA", "ACIS"), 14.6 * 99.5)


@pytest.mark.parametrize(
    ("telescope", "instrument", "energy_ev"),
    [
        ("NICER", "XTI", 1000.0), ("NuSTAR", "FPMA", 5620.0), ("NUSTAR", "FPMB", 5620.0), ("XMM", "epn", 100.0),
        ("XMM", "EMOS1", 100.0), ("SWIFT", "XRT", 1000.0), ("IXPE", "GPD", 4000.0), ("XRISM", "RESOLVE", 50.0),
        ("eROSITA", "MERGED", 100.0), ("SRG", "eROSITA", 100.0),
    ],
)  # fmt: skip
def test_channel_100_of_each_mission_is_its_own_energy(telescope, instrument, energy_ev):
    assert_allclose(channel_energy(100, telescope, instrument), energy_ev)


@pytest.mark.parametrize(("telescope", "instrument"), [("CHANDRA", "HRC"), ("XTE", "PCA"), ("babasone", "INSTRUMO")])
def test_channels_that_mean_no_energy_give_none(telescope, instrument):
    assert np.isnan(channel_energy([0, 100, 255], telescope, instrument)).all()


def test_overflow_and_masked_channels_have_no_energy():
    channels = np.ma.masked_array([0, 1, 1023, 1024, 5], [False, False, False, False, True])
    assert np.isnan(channel_energy(channels, "CHANDRA", "ACIS")).tolist() == [True, False, False, True, True]


@given(energy=st.floats(1e-3, 1e9))
def test_wavelength_and_energy_are_each_others_inverse(energy):
    assert_allclose(wavelength(wavelength(energy)), energy, rtol=1e-12)
    assert_allclose(wavelength(1239.841984), 1.0)


def test_no_energy_is_no_wavelength():
    assert np.isnan(wavelength([0.0, -1.0, np.nan])).all()
    assert wavelength([]).shape == (0,)


@given(length=st.floats(0.1, 20), order=st.sampled_from([-3, -1, 1, 2]))
def test_a_dispersed_photon_has_one_wavelength_in_every_order(length, order):
    assert_allclose(grating_wavelength(order * 10 * length, order), length)


def test_orders_0_and_99_have_no_dispersed_wavelength():
    assert np.isnan(grating_wavelength([0.0, 12.0, 12.0], [0, 0, 99])).all()


def test_a_grating_disperses_by_the_sine_of_the_angle():
    assert_allclose(dispersed(8637.0 * np.pi / 6, "LEG"), 9912.16 / 2)
    assert_allclose(dispersed([-1.0, 1.0], "heg").sum(), 0, atol=1e-12)
    with pytest.raises(ValueError, match="not known"):
        dispersed(1.0, "XEG")


# --- good times


@given(pairs=intervals)
def test_membership_is_that_of_trying_every_interval(pairs):
    assert (is_within(grid, *pairs) == naive(pairs, grid)).all()


@given(pairs=intervals)
def test_merged_intervals_cover_the_same_times_and_neither_touch_nor_overlap(pairs):
    start, stop = merged(*pairs)
    assert (is_within(grid, start, stop) == naive(pairs, grid)).all()
    assert (start < stop).all()
    assert (start[1:] > stop[:-1]).all()


@given(one=intervals, two=intervals)
def test_an_intersection_holds_what_both_hold(one, two):
    assert (is_within(grid, *intersected(one, two)) == naive(one, grid) & naive(two, grid)).all()


def test_an_interval_keeps_its_start_and_not_its_stop():
    assert is_within([0.0, 1.0, np.nan], [0.0], [1.0]).tolist() == [True, False, False]


def test_a_chip_goes_by_its_own_table_else_by_that_of_all_else_by_none():
    times = GoodTimes(np.array([3, -1]), np.array([0.0, 10.0]), np.array([1.0, 11.0]))
    time, chip = np.array([0.5, 10.5, 0.5, 10.5]), np.array([3, 3, 5, 5])
    assert is_good_time(time, chip, times).tolist() == [True, False, False, True]
    only = GoodTimes(np.array([3]), np.array([0.0]), np.array([1.0]))
    assert is_good_time(time, chip, only).tolist() == [True, False, False, False]


def test_common_good_times_are_those_of_the_chips_that_have_photons():
    times = GoodTimes(np.array([0, 1, 2]), np.array([0.0, 2.0, 8.0]), np.array([6.0, 9.0, 9.0]))
    assert [edge.tolist() for edge in common_good_times(times, np.array([0, 1, 1]))] == [[2.0], [6.0]]
    assert common_good_times(times)[0].size == 0


# --- grades and status


def test_acis_keeps_the_asca_grades():
    grade = np.arange(8)
    assert grade[is_good_grade(grade, "CHANDRA", "ACIS")].tolist() == [0, 2, 3, 4, 6]


@pytest.mark.parametrize(("who", "most"), [(("NuSTAR", "FPMA"), 26), (("XMM", "EPN"), 4), (("XMM", "EMOS2"), 12)])
def test_other_grades_are_good_up_to_a_limit(who, most):
    assert is_good_grade(np.arange(40), *who).sum() == most + 1


def test_an_instrument_without_a_rule_has_no_bad_grade_and_an_unknown_grade_is_none():
    assert is_good_grade(np.array([0, 99]), "CHANDRA", "HRC").all()
    assert not is_good_grade(np.ma.masked_array([0], [True]), "CHANDRA", "ACIS").any()


def test_any_status_bit_tells_against_a_chandra_event_and_only_three_against_a_nicer_one():
    bits = np.array([0, 1, 24, 1 << 31])
    assert is_good_status(bits, "CHANDRA", "ACIS").tolist() == [True, False, False, False]
    assert is_good_status(bits, "NICER", "XTI").tolist() == [True, False, True, True]


# --- from a file's table to ours


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


def test_channels_outside_their_stated_range_mean_nothing():
    header = {"TTYPE1": "TIME", "TTYPE2": "PI", "TLMIN2": 30, "TLMAX2": 1500, "TELESCOP": "NICER", "INSTRUME": "XTI"}
    _, _, photons = rows(event_source({"TIME": [1.0, 2.0, 3.0], "PI": [29, 30, 1501]}, good_times((0, 9)), **header))
    assert [p["energy_ev"] for p in photons] == [None, 300.0, None]


def test_an_empty_list_is_an_observation_without_photons():
    about, _, photons = rows(event_source({"TIME": np.empty(0)}, good_times((0, 9))))
    assert (about["n_photons"], about["good_time_s"], photons) == (0, 9.0, [])


def test_a_file_without_photons_is_refused_by_what_it_has(data):
    with pytest.raises(SourceError, match="no table of photons; has RATE"):
        observation(read(data("xray/erosita_light_curve.fits")))


# --- real photons


@pytest.mark.parametrize("name", GOLDEN_LISTS)
def test_every_real_list_fits_with_no_row_lost(name, data):
    source = read(data(f"xray/{name}"))
    about, times, photons = rows(source)
    assert about["n_photons"] == len(photons) > 0
    assert times
    if about["start_time"] is not None and about["time_scale"] == "TT":
        header = {k.upper(): v for k, v in {**source.header, **source.content.parts[-1].header}.items()}
        zero = Time(header.get("MJDREFI", header.get("MJDREF")), header.get("MJDREFF", 0.0), format="mjd", scale="tt")
        theirs = Time(zero.jd1, zero.jd2 + about["start_s"] / 86400, format="jd", scale="tt").utc
        assert (
            abs((np.datetime64(about["start_time"]) - np.datetime64(theirs.isot)).astype("m8[us]").astype(int)) <= 1000
        )


@pytest.mark.parametrize(
    ("name", "n_photons"), [("xmm_test.fits", 1_708_244), ("monol_testA.evt", 1000), ("nomission.evt", 1000)]
)
def test_stingrays_own_lists_fit_as_well(name, n_photons):
    home = find_spec("stingray")
    path = Path(home.origin).parent / "tests" / "data" / name if home and home.origin else Path(name)
    if not path.exists():
        pytest.skip("stingray came without its test data")
    events = observation(read(path))
    taken = PHOTONS.fit(photon_columns(events))
    assert (taken.rows.num_rows, taken.rejected) == (n_photons, ())


def test_m82_has_its_photons_its_channels_and_its_wavelengths(data):
    with_energy = photon_arrays(read(data("xray/m82_chandra_acis_events.fits")))
    without = photon_arrays(read(data("xray/m82_chandra_acis_events_no_energy.fits")))
    assert len(with_energy["pi"]) == len(without["pi"]) == 4612
    channel = np.clip(np.floor(with_energy["energy_ev"] / 14.6) + 1, 1, 1024)
    assert (channel == with_energy["pi"]).all()
    span = with_energy["wavelength_nm"]
    assert_allclose([span.min(), span.max()], [0.06909, 7.4217], rtol=1e-4)
    known = ~np.isnan(without["energy_ev"])
    assert (np.abs(without["energy_ev"] - with_energy["energy_ev"])[known] <= 7.3 + 1e-3).all()
    assert (without["pi"][~known] == 1024).all()
    # half a channel too high, the average error would be 7.3 eV
    assert abs((without["energy_ev"] - with_energy["energy_ev"])[known].mean()) < 0.5
    assert set(with_energy["obs_id"]).isdisjoint(without["obs_id"])


def test_leonid_has_a_table_for_each_chip_and_its_photons_on_four(data):
    source = read(data("xray/leonid_chandra_acis_evt2.fits.gz"))
    times = observation(source).good_times
    assert list(dict.fromkeys(times.detector_id.tolist())) == [3, 0, 1, 2, 6]
    assert Counter(times.detector_id.tolist()) == {3: 2, 0: 1, 1: 1, 2: 1, 6: 2}
    for chip, gap_s in {3: 3.24098, 6: 3.24096}.items():
        start, stop = times.of(chip)
        assert_allclose(start[1] - stop[0], gap_s, atol=1e-6)
    photons = Counter(photon_arrays(source)["detector_id"].tolist())
    assert [photons[chip] for chip in range(4)] == [161, 62, 594, 489]


def test_a_photon_is_judged_by_its_own_chip(data):
    source = read(data("xray/leonid_chandra_acis_evt2.fits.gz"))
    start, stop = observation(source).good_times.of(3)
    gap = np.array([(stop[0] + start[1]) / 2] * 2)
    assert is_good_time(gap, np.array([3, 0]), observation(source).good_times).tolist() == [False, True]


def test_uv_cet_has_no_wavelength_for_a_reason_and_the_clock_of_the_hrc(data):
    source = read(data("xray/uvcet_chandra_hrc_events.fits"))
    about, _, photons = rows(source)
    assert all(p["wavelength_nm"] is None and p["wavelength_source"] == "none" for p in photons)
    assert "no energies" in about["wavelength_note"]
    steps = np.diff(np.sort([p["arrival_s"] for p in photons]))
    assert_allclose(steps[steps > 0].min(), 1.563e-5, rtol=1e-3)


def test_b1509_goes_by_the_standard_good_times(data):
    about, times, _ = rows(read(data("xray/b1509_rxte_pca_goodxenon.fits")))
    assert about["good_time_s"] == 3500
    assert len(times) == 1
    assert "3510 s not used" in about["warnings"]


def test_j0218_has_42_good_times_with_all_its_photons(data):
    about, times, photons = rows(read(data("xray/j0218_nicer_bary.evt")))
    assert len(times) == 42
    assert_allclose(about["good_time_s"], 6724.43, atol=0.01)
    assert sum(p["is_good_time"] for p in photons) == 3361
    assert (about["is_barycentred"], about["time_scale"]) == (True, "TDB")
