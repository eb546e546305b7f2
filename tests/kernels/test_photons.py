"""Which events of a list are photons, and real lists of four missions."""

from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from astropy.time import Time
from numpy.testing import assert_allclose

from lake.kernels.event_lists import observation
from lake.kernels.good_times import is_good_time
from lake.kernels.photons import is_good_grade, is_good_status, photon_columns
from lake.readers import read
from schemas.lightlane import PHOTONS
from tests.builders.photons import photon_arrays, rows

GOLDEN_LISTS = (
    "m82_chandra_acis_events.fits", "m82_chandra_acis_events_no_energy.fits", "leonid_chandra_acis_evt2.fits.gz",
    "hbc515_chandra_acis_events.fits", "uvcet_chandra_hrc_events.fits", "b1509_rxte_pca_goodxenon.fits",
    "m82ulx_rxte_pca_goodxenon.evt.gz", "4u1636_rxte_pca.evt.gz", "sgr1830_nicer.evt", "j0218_nicer_bary.evt",
    "ngc300ulx_nicer_bary.evt",
)  # fmt: skip


def test_acis_keeps_the_asca_grades():
    grade = np.arange(8)
    assert grade[is_good_grade(grade, "CHANDRA", "ACIS")].tolist() == [0, 2, 3, 4, 6]


@pytest.mark.parametrize(("who", "most"), [
    (("NuSTAR", "FPMA"), 26), (("XMM", "EPN"), 4), (("XMM", "EMOS2"), 12), (("SWIFT", "XRT"), 12),
])  # fmt: skip
def test_other_grades_are_good_up_to_a_limit(who, most):
    assert is_good_grade(np.arange(40), *who).sum() == most + 1


def test_an_instrument_without_a_rule_has_no_bad_grade_and_an_unknown_grade_is_none():
    assert is_good_grade(np.array([0, 99]), "CHANDRA", "HRC").all()
    assert not is_good_grade(np.ma.masked_array([0], [True]), "CHANDRA", "ACIS").any()


def test_a_grade_that_is_no_number_is_unknown_and_a_list_will_do():
    assert is_good_grade([0.0, np.nan, np.inf, 2.5], "CHANDRA", "ACIS").tolist() == [True, False, False, False]
    assert is_good_grade([[0], [7]], "CHANDRA", "ACIS").tolist() == [[True], [False]]
    with pytest.raises(ValueError, match="found <U1, expected bool, int or float"):
        is_good_grade(["0"], "CHANDRA", "HRC")


def test_any_status_bit_tells_against_a_chandra_event_and_only_three_against_a_nicer_one():
    bits = np.array([0, 1, 24, 1 << 31])
    assert is_good_status(bits, "CHANDRA", "ACIS").tolist() == [True, False, False, False]
    assert is_good_status(bits, "NICER", "XTI").tolist() == [True, False, True, True]


@pytest.mark.parametrize("who", [("SWIFT", "XRT"), ("NICER", "XTI")])
def test_an_unknown_status_is_not_good_whatever_the_rule(who):
    assert is_good_status(np.ma.masked_array([8, 8], [False, True]), *who).tolist() == [True, False]
    assert is_good_status([8.0, np.nan], *who).tolist() == [True, False]
    assert not is_good_status([0], *who, first_bit=1).any()


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
