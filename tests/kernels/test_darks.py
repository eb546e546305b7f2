"""Exposures of a file: which images they have, in electrons, at what times, and which are not to be analysed."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits
from numpy.testing import assert_allclose, assert_array_equal

from lake.clocks import mjd_to_utc
from lake.errors import SourceError
from lake.kernels.darks import amplifier_gains, exposures, gain_map
from lake.kernels.detectors import DETECTORS, detector_of
from lake.readers import read
from lake.synth.darks import Darks, write_c0m, write_flt, write_ima
from lake.synth.exposures import frame_of, read_times, truth_of

# Areas and readouts of Miles et al. (2021), ApJ 918, 86, and of the program it was made with.
AREAS = {
    "ACS_WFC": 37.749, "ACS_HRC": 4.624, "STIS_CCD": 4.624, "WFC3_UVIS": 37.804, "WFPC2": 5.76, "WFC3_IR": 3.331,
    "NICMOS_NIC1": 1.049, "NICMOS_NIC2": 1.049, "NICMOS_NIC3": 1.049,
}  # fmt: skip
READOUTS = {"ACS_WFC": 50, "ACS_HRC": 15, "STIS_CCD": 15, "WFC3_UVIS": 50, "WFC3_IR": 1, "NICMOS_NIC2": 0}
STIS = Darks("STIS_CCD", "o3st05eaq", 50853.25, 150.0, n_rays=5, seed=1)
HRC = Darks("ACS_HRC", "j8ba01aaq", 52800.5, 1000.0, n_rays=5, seed=1)
WFPC2 = Darks("WFPC2", "u3ba01aaq", 51000.5, 1800.0, n_rays=5, seed=1)
NICMOS = Darks("NICMOS_NIC2", "n3ba01aaq", 51000.5, 240.0, n_rays=5, n_reads=5, seed=1)


@pytest.fixture
def taken(tmp_path):
    """Exposures of a scene's file, its header changed by a function of the open file."""

    def go(scene, change=lambda hdus: None, write=write_flt, **words):
        path = tmp_path / f"{scene.root}_flt.fits"
        write(path, scene, **words)
        with fits.open(path, mode="update") as hdus:
            change(hdus)
        return exposures(read(path))

    return go


@pytest.mark.parametrize("name", DETECTORS)
def test_a_detector_has_the_area_that_its_pixels_cover(name):
    detector = DETECTORS[name]
    assert detector.area_cm2 == AREAS[name]
    chips = detector.n_images * detector.rows * detector.columns * detector.pixel_um**2 * 1e-8
    assert abs(detector.area_cm2 - chips) < 5e-4


def test_the_readout_adds_a_known_time_that_of_wfpc2_depends_on_the_exposure():
    for name, seconds in READOUTS.items():
        assert {DETECTORS[name].readout_of(t) for t in (1.0, 180.0, 1000.0)} == {seconds}
    assert [DETECTORS["WFPC2"].readout_of(t) for t in (0.5, 180.0, 180.1, 1800.0)] == [30, 30, 60, 60]


def test_a_header_names_its_detector_in_any_case_and_others_are_none():
    assert detector_of(" stis ", "ccd") is DETECTORS["STIS_CCD"]
    assert detector_of("WFPC2", "") is detector_of("WFPC2", "3") is DETECTORS["WFPC2"]
    assert [detector_of("NICMOS", str(n)).name for n in (1, 2, 3)] == ["NICMOS_NIC1", "NICMOS_NIC2", "NICMOS_NIC3"]
    for other in (("STIS", "FUV-MAMA"), ("ACS", "SBC"), ("WFPC", ""), ("WFC3", ""), ("", "CCD"), ("NICMOS", "4")):
        assert detector_of(*other) is None


@pytest.mark.parametrize("unit", ["COUNTS", "DN", "COUNTS/S", "DN/S", "ELECTRONS", "ELECTRONS/S"])
def test_pixels_are_electrons_whatever_the_file_s_unit(taken, unit):
    scene = replace(STIS, unit=unit, gains={"": 4.016})
    (found,) = taken(scene)
    truth = frame_of(scene, truth_of(scene), 0)
    (image,) = found.images
    assert_allclose(image.electrons, truth, rtol=3e-7, atol=1e-4)
    assert_allclose(image.errors, np.sqrt(np.maximum(truth, 0) + 16), rtol=1e-5)
    assert image.electrons.min() < 0
    assert image.gains == (() if unit.startswith("E") else (4.016,))


@pytest.mark.parametrize("unit", ["", "FLUX", "COUNTS/MIN", "ERG/S"])
def test_a_unit_that_is_not_known_is_refused(taken, unit):
    with pytest.raises(SourceError, match="BUNIT"):
        taken(STIS, lambda hdus: hdus["SCI"].header.set("BUNIT", unit))


def test_counts_without_a_gain_are_refused(taken):
    with pytest.raises(SourceError, match="no gain is stated"):
        taken(STIS, lambda hdus: hdus[0].header.remove("ATODGAIN"))


def test_each_amplifier_has_its_own_gain_on_the_side_it_reads():
    words = {"ATODGNA": 1.5, "ATODGNB": 1.6, "ATODGNC": 1.7, "ATODGND": 1.8}
    for name in ("ACS_WFC", "WFC3_UVIS"):
        assert amplifier_gains(DETECTORS[name], 1, "ABCD", words) == (1.5, 1.6)
        assert amplifier_gains(DETECTORS[name], 2, "ABCD", words) == (1.7, 1.8)
        assert amplifier_gains(DETECTORS[name], 2, "AD", words) == (1.8,)
    hrc = DETECTORS["ACS_HRC"]
    assert amplifier_gains(hrc, 1, "ABCD", words) == (1.5, 1.6, 1.7, 1.8)
    assert amplifier_gains(hrc, 1, "C", words) == (1.7,)
    assert amplifier_gains(hrc, 1, "", {"ATODGNA": 0.0, "ATODGNC": 2.2}) == (2.2,)
    assert amplifier_gains(DETECTORS["WFPC2"], 3, "", {"ATODGAIN": 7.0}) == (7.0,)
    assert amplifier_gains(DETECTORS["NICMOS_NIC1"], 1, "", {"ADCGAIN": 5.4}) == (5.4,)
    assert amplifier_gains(hrc, 1, "C", {}) == ()


def test_gains_lie_on_halves_and_quadrants_a_and_b_above():
    assert gain_map((2.0,), (4, 6)) == 2.0
    assert_array_equal(gain_map((1.0, 2.0), (2, 4)), [[1, 1, 2, 2]] * 2)
    assert_array_equal(gain_map((1.0, 2.0, 3.0, 4.0), (2, 2)), [[3, 4], [1, 2]])
    with pytest.raises(ValueError, match="3 amplifiers"):
        gain_map((1.0, 2.0, 3.0), (2, 2))


@pytest.mark.parametrize("name", ["ACS_WFC", "WFC3_UVIS"])
def test_the_first_image_is_chip_2_read_by_c_and_d_the_second_chip_1_by_a_and_b(tmp_path, name):
    path, gains = tmp_path / "a.fits", {"A": 1.5, "B": 1.6, "C": 1.7, "D": 1.8}
    shape = DETECTORS[name].shape
    words = {"INSTRUME": name[:4].strip("_"), "DETECTOR": name.rpartition("_")[2], "CCDAMP": "ABCD", "EXPTIME": 9.0}
    words |= {"EXPSTART": 55000.0} | {f"ATODGN{letter}": gain for letter, gain in gains.items()}
    hdus = [fits.PrimaryHDU(header=fits.Header(words))]
    hdus += [fits.ImageHDU(np.ones(shape, "i2"), fits.Header({"BUNIT": "COUNTS"}), "SCI", ver=v) for v in (1, 2)]
    fits.HDUList(hdus).writeto(path)
    (found,) = exposures(read(path))
    assert [image.chip for image in found.images] == [2, 1]
    corners = [[image.electrons[y, x] for y in (0, -1) for x in (0, shape[1] // 2 - 1, -1)] for image in found.images]
    assert_allclose(corners, [[1.7, 1.7, 1.8] * 2, [1.5, 1.5, 1.6] * 2], rtol=1e-6)
    assert found.facts["gains"] == [1.7, 1.8, 1.5, 1.6]


def test_planes_of_an_old_cube_are_the_chips_and_only_the_first_has_its_coordinates(tmp_path):
    path = tmp_path / "u1_c0f.fits"
    words = {"INSTRUME": "WFPC2", "EXPTIME": 100.0, "EXPSTART": 50000.0, "ATODGAIN": 7.0, "CRPIX1": 425.0}
    cube = np.arange(1, 5, dtype="f4")[:, None, None] * np.ones((800, 800), "f4")
    fits.PrimaryHDU(cube, fits.Header(words)).writeto(path)
    (found,) = exposures(read(path))
    assert [(image.chip, image.electrons.max()) for image in found.images] == [(1, 7), (2, 14), (3, 21), (4, 28)]
    assert [dict(image.wcs) for image in found.images] == [{"CRPIX1": 425.0}, {}, {}, {}]
    assert found.facts["n_flagged"] is None


def test_chips_of_wfpc2_keep_their_numbers_and_have_no_quality(taken):
    (found,) = taken(WFPC2, write=write_c0m)
    truth = truth_of(WFPC2)
    for image in found.images:
        assert_allclose(image.electrons, frame_of(WFPC2, truth, image.chip - 1), rtol=3e-7, atol=1e-4)
        assert image.quality is None
    assert (found.facts["readout_s"], found.facts["integration_s"]) == (60, 1860)


def test_a_flash_and_the_readout_count_as_exposed(taken):
    (found,) = taken(replace(HRC, flash_s=4.5))
    facts = found.facts
    assert (facts["exposure_s"], facts["flash_s"], facts["readout_s"]) == (1000, 4.5, 15)
    assert facts["integration_s"] == 1019.5
    assert facts["read_noise_e"] == 4.7
    (found,) = taken(HRC, lambda hdus: hdus[0].header.remove("FLASHDUR"))
    assert found.facts["integration_s"] == 1015


def test_times_are_those_of_the_file_or_of_its_first_image(taken):
    for scene in (STIS, HRC):
        (found,) = taken(scene)
        facts = found.facts
        assert (facts["exposure_s"], facts["start_mjd"]) == (scene.exposure_s, scene.start_mjd)
        assert facts["stop_mjd"] == scene.start_mjd + scene.exposure_s / 86400
        assert facts["start_time"] == mjd_to_utc(scene.start_mjd)
        assert facts["is_dark"]


@pytest.mark.parametrize("end", [None, 0.0, 50853.0])
def test_without_an_end_after_its_start_an_exposure_is_as_long_as_it_says(taken, end):
    def change(hdus):
        header = hdus["SCI"].header
        header.remove("EXPEND") if end is None else header.set("EXPEND", end)

    (found,) = taken(STIS, change)
    assert found.facts["stop_mjd"] == 50853.25 + 150 / 86400


def test_no_exposure_time_is_refused(taken):
    with pytest.raises(SourceError, match="EXPTIME None"):
        taken(STIS, lambda hdus: hdus["SCI"].header.remove("EXPTIME"))


def pair(hdus):
    """A second exposure behind the first, 193 s later and 100 s long, its pixels doubled."""
    for hdu in [h.copy() for h in hdus[1:]]:
        hdu.header.set("EXTVER", 2)
        if hdu.name == "SCI":
            hdu.header.update({"EXPSTART": 50853.25 + 193 / 86400, "EXPEND": 50853.26, "EXPTIME": 100.0})
            hdu.data = hdu.data * 2
        hdus.append(hdu)


def test_two_exposures_in_a_file_are_no_chips_of_one(taken):
    first, second = taken(STIS, pair)
    assert (first.obs_id, second.obs_id) == ("o3st05eaq_1", "o3st05eaq_2")
    assert [e.facts["archive_id"] for e in (first, second)] == ["o3st05eaq"] * 2
    assert [e.facts["exposure_s"] for e in (first, second)] == [150, 100]
    assert first.facts["start_time"] < second.facts["start_time"]
    assert_array_equal(second.images[0].electrons, 2 * first.images[0].electrons)
    assert first.images[0].quality is not second.images[0].quality


def test_of_two_exposures_each_states_its_own_time_whatever_the_file_says(taken):
    def change(hdus):
        pair(hdus)
        hdus[0].header.update({"EXPTIME": 250.0, "EXPSTART": 50853.0})

    first, second = taken(STIS, change)
    assert [e.facts["exposure_s"] for e in (first, second)] == [150, 100]
    assert first.facts["start_mjd"] == 50853.25


def test_two_exposures_that_start_at_once_are_refused(taken):
    def change(hdus):
        pair(hdus)
        hdus["SCI", 2].header.set("EXPSTART", 50853.25)

    with pytest.raises(SourceError, match="same EXPSTART"):
        taken(STIS, change)


LONG = "LOSS OF LOCK DURING THE EXPOSURE, DATA SUSPECT"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"SUBARRAY": True}, "sub-array"),
        ({"EXPTIME": 0.05}, "0.05 s"),
        ({"QUALITY": "LOCKLOST", "QUALCOM2": LONG}, LONG),
        ({"QUALITY": "OK", "QUALCOM2": LONG}, ""),
        ({"QUALITY": "LOCKLOST", "QUALCOM2": "LOSS OF LOCK"}, ""),
    ],
)
def test_an_exposure_with_a_flaw_says_which(taken, words, told):
    (found,) = taken(HRC, lambda hdus: hdus[0].header.update(words))
    assert told in found.flaw
    assert bool(found.flaw) == bool(told)


def test_pixels_lost_on_the_way_are_counted_whatever_other_bits_they_have(taken):
    def change(hdus):
        hdus["DQ"].data[4, 5:8] |= np.array([2, 18, 2 | 8192], "i2")

    (found,) = taken(HRC, change)
    assert found.flaw == "3 pixels were lost on the way to the ground"
    (found,) = taken(HRC, lambda hdus: hdus["DQ"].data.__ior__(1))
    assert found.flaw == ""


def test_an_image_of_another_size_is_no_good(taken):
    (found,) = taken(replace(HRC, shape=(64, 1024)))
    assert found.flaw == "found 64 x 1024 pixels, expected 1024 x 1024"


@pytest.mark.parametrize(
    ("words", "told"),
    [({"DETECTOR": "FUV-MAMA"}, "STIS FUV-MAMA"), ({"INSTRUME": "COS"}, "COS CCD"), ({"BIASCORR": "PERFORM"}, "raw")],
)
def test_what_is_no_calibrated_image_of_these_detectors_is_refused(taken, words, told):
    with pytest.raises(SourceError, match=told):
        taken(STIS, lambda hdus: hdus[0].header.update(words))


def test_flagged_pixels_are_counted_with_a_signed_sixteenth_bit_too(taken):
    def change(hdus):
        hdus["DQ"].data[:] = 0
        hdus["DQ"].data[0, :3] = [8192, 8208, -32768]

    (found,) = taken(STIS, change)
    assert found.facts["n_flagged"] == 2
    assert found.images[0].quality[0, :3].tolist() == [8192, 8208, 32768]


def test_reads_of_a_ramp_come_in_the_order_of_time_with_the_time_between(taken):
    (found,) = taken(NICMOS, write=write_ima)
    times = read_times(NICMOS)
    assert [image.read for image in found.images] == [0, 1, 2, 3, 4]
    assert_allclose([image.sample_s for image in found.images], times)
    assert_allclose([image.step_s for image in found.images], [0, *np.diff(times)])
    # Rates over all of the time so far; the zeroth read has none.
    assert_array_equal(found.images[0].electrons, 0)
    assert_allclose(np.median(found.images[4].electrons), NICMOS.dark_e_per_s, atol=0.01)


def test_a_ramp_without_sample_times_is_refused(taken):
    with pytest.raises(SourceError, match="SCI 1 states no SAMPTIME"):
        taken(NICMOS, lambda hdus: hdus["SCI", 1].header.remove("SAMPTIME"), write=write_ima)


@pytest.mark.data
def test_the_real_pair_of_stis_has_two_exposures_of_150_s(data):
    first, second = exposures(read(data("hst/o4k19a010_flt.fits.gz")))
    assert [e.facts["integration_s"] for e in (first, second)] == [165, 165]
    assert [e.facts["n_flagged"] for e in (first, second)] == [20020, 10063]
    assert (first.facts["read_noise_e"], first.facts["gains"], first.flaw) == (3.99, [1.0], "")
    assert not first.facts["is_dark"]


@pytest.mark.data
def test_real_raw_acquisitions_are_refused(data):
    with pytest.raises(SourceError, match="no gain"):
        exposures(read(data("hst/spt/o4er06llq_raw.fits")))
