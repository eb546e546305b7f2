"""Simulated darks hold what the simulation says, and look like the archive's files."""

from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import label
from scipy.stats import chi2, kstest

from lake.readers import read
from lake.synth.cameras import CAMERAS
from lake.synth.darks import Darks, write_c0m, write_exposure, write_flt, write_group, write_ima, write_telemetry
from lake.synth.exposures import read_times, truth_of

CCDS = ["ACS_WFC", "ACS_HRC", "STIS_CCD", "WFC3_UVIS"]
QUIET = {"dark_e_per_s": 0.0, "read_noise_e": 0.0, "hot_share": 0.0}


def scene(detector="STIS_CCD", **words):
    given = {"shape": (96, 128), "n_rays": 40, "seed": 5, "n_reads": 6}
    return Darks(detector, "odark01aq", 52500.3, 1000.0, **given | words)


def file_of(folder, what, flagged=False):
    truth = write_exposure(folder, what, flagged=flagged)
    return read(folder / what.root / f"{what.root}_{what.camera.product}.fits"), truth


@pytest.mark.parametrize("detector", CAMERAS)
def test_every_camera_writes_files_that_read_back_whole(detector, tmp_path):
    what = scene(detector)
    source, truth = file_of(tmp_path, what)
    assert source.problems == ()
    assert source.header["ROOTNAME"] == what.root
    assert source.header["TARGNAME"] == "DARK"
    science = list(source.parts("SCI"))
    is_ramp = what.camera.product == "ima"
    assert [part.version for part in science] == list(range(1, 1 + (6 if is_ramp else len(what.camera.chips))))
    side = 2 * what.camera.border
    assert {part.pixels.shape for part in science} == {(96 + side, 128 + side)}
    assert {part.unit("pixels") for part in science} == {what.camera.unit}
    assert len(truth) == 40 * len(what.camera.chips)
    telemetry = read(tmp_path / what.root / f"{what.root}_{what.camera.telemetry}.fits")
    assert telemetry.problems == ()
    assert telemetry.header["FILETYPE"] == what.camera.telemetry.upper()


@pytest.mark.parametrize("detector", CCDS)
def test_without_noise_a_frame_is_the_charge_of_its_rays(detector, tmp_path):
    source, truth = file_of(tmp_path, scene(detector, **QUIET))
    for k, part in enumerate(source.parts("SCI"), 1):
        assert_allclose(part.pixels, truth.rays_e(k), rtol=1e-5, atol=1e-3)
        of_chip = truth.sub_image == k
        assert_allclose(part.pixels.sum(dtype=float), truth.inside_e[of_chip].sum(), rtol=1e-5)
        assert (truth.inside_e <= truth.tracks.charge_e * (1 + 1e-9)).all()


def test_noise_adds_what_the_scene_says_and_no_more(tmp_path):
    what = scene(shape=(256, 256), n_rays=0, hot_share=0.0, dark_e_per_s=0.02, read_noise_e=5.0)
    source, _ = file_of(tmp_path, what)
    pixels = source.part("SCI").pixels.astype(float)
    assert abs(pixels.mean() - 20) < 5 * np.sqrt((20 + 25) / pixels.size)
    assert_allclose(pixels.var(), 20 + 25, rtol=5 * np.sqrt(2 / pixels.size))
    assert_allclose(source.part("ERR").pixels.mean(), np.sqrt(45), rtol=0.01)


def test_hot_pixels_are_hot_and_flagged(tmp_path):
    source, truth = file_of(tmp_path, scene(shape=(256, 256), n_rays=0))
    is_hot = truth.is_hot[0]
    assert abs(is_hot.mean() - 0.005) < 5 * np.sqrt(0.005 / is_hot.size)
    assert_array_equal(source.part("DQ").pixels, np.where(is_hot, 16, 0))
    # 0.1 to 10 e/s for 1000 s, over a dark current of 10 e with a noise of 4 e
    assert source.part("SCI").pixels[is_hot].min() > 60
    assert source.part("SCI").pixels[~is_hot].max() < 60


def test_pixels_of_rays_are_flagged_where_asked_and_only_there(tmp_path):
    what = scene("ACS_WFC", limit_e=100.0, hot_share=0.1)
    plain, _ = file_of(tmp_path, what)
    told, truth = file_of(tmp_path, what, flagged=True)
    for k in (1, 2):
        assert not (plain.part("DQ", k).pixels & 8192).any()
        hit = (told.part("DQ", k).pixels & 8192) > 0
        assert (truth.rays_e(k)[hit] > 100).all()
        assert (truth.rays_e(k)[~hit] < 250).all()
        assert hit.sum() <= truth.n_pixels[truth.sub_image == k].sum() < 1.05 * hit.sum() + 5
        assert_array_equal(told.part("DQ", k).pixels & 16, plain.part("DQ", k).pixels)
        assert_array_equal(told.part("SCI", k).pixels, plain.part("SCI", k).pixels)


def test_each_amplifier_counts_by_its_own_gain(tmp_path):
    what = scene("ACS_WFC", gains={"A": 1.0, "B": 2.0, "C": 4.0, "D": 8.0})
    electrons, counts = (file_of(tmp_path, replace(what, unit=unit))[0] for unit in ("ELECTRONS", "COUNTS"))
    for k, (left, right) in {1: (4, 8), 2: (1, 2)}.items():
        ratio = electrons.part("SCI", k).pixels / counts.part("SCI", k).pixels
        assert_allclose(ratio[:, :64], left, rtol=1e-5)
        assert_allclose(ratio[:, 64:], right, rtol=1e-5)
    assert [electrons.header[f"ATODGN{name}"] for name in "ABCD"] == [1, 2, 4, 8]
    assert [part.header["CCDCHIP"] for part in electrons.parts("SCI")] == [2, 1]
    rates, _ = file_of(tmp_path, replace(what, unit="COUNTS/S"))
    assert_allclose(rates.part("SCI").pixels * 1000, counts.part("SCI").pixels, rtol=1e-5)


def test_wfpc2_counts_by_seven_electrons_and_tells_of_no_quality(tmp_path):
    source, truth = file_of(tmp_path, scene("WFPC2", **QUIET))
    assert {part.name for part in source.content.parts} == {"SCI"}
    assert [part.header["DETECTOR"] for part in source.parts("SCI")] == [1, 2, 3, 4]
    assert source.header["ATODGAIN"] == 7
    for k, part in enumerate(source.parts("SCI"), 1):
        assert_allclose(7 * part.pixels, truth.rays_e(k), rtol=1e-5, atol=1e-3)
    other, _ = file_of(tmp_path, scene("WFPC2", gains={"": 15.0}))
    assert other.header["ATODGAIN"] == 15


def test_the_last_read_of_a_ramp_is_its_first_version(tmp_path):
    source, _ = file_of(tmp_path, scene("WFC3_IR"))
    times = [part.header["SAMPTIME"] for part in source.parts("SCI")]
    steps = [part.header["DELTATIM"] for part in source.parts("SCI")]
    assert_allclose(times, [1000, 800, 600, 400, 200, 0])
    assert_allclose(steps, [200, 200, 200, 200, 200, 0])
    assert [part.header["PIXVALUE"] for part in source.parts("SAMP")] == [5, 4, 3, 2, 1, 0]
    assert not source.part("SCI", 6).pixels.any()
    assert source.header["NSAMP"] == 6


@pytest.mark.parametrize("detector", ["WFC3_IR", "NICMOS_NIC3"])
def test_a_ray_is_in_a_ramp_from_its_read_on(detector, tmp_path):
    what = scene(detector, **QUIET)
    source, truth = file_of(tmp_path, what)
    gain = 5.4 if detector == "NICMOS_NIC3" else 1.0
    charges = [gain * part.pixels * part.header["SAMPTIME"] for part in source.parts("SCI")][::-1]
    bits = [part.pixels & 8192 for part in source.parts("DQ")][::-1]
    times = read_times(what)
    for k in range(1, 6):
        came = (truth.time_s > times[k - 1]) & (truth.time_s <= times[k])
        assert_allclose((charges[k] - charges[k - 1]).sum(), truth.inside_e[came].sum(), rtol=1e-4)
        assert ((bits[k] & bits[k - 1]) == bits[k - 1]).all()
        assert_array_equal(bits[k] > 0, truth.is_hit(1, 25.0, k))
        assert (truth.first_read[came] == k).all()
    assert not bits[0].any()


def test_every_read_of_a_ramp_has_the_noise_of_its_own_and_of_the_zeroth(tmp_path):
    source, _ = file_of(tmp_path, scene("WFC3_IR", shape=(256, 256), **{**QUIET, "n_rays": 0, "read_noise_e": 14.0}))
    last, before = (source.part("SCI", k).pixels.astype(float) * (1200 - 200 * k) for k in (1, 2))
    assert_allclose(np.cov(last.ravel(), before.ravel()), [[392, 196], [196, 392]], rtol=0.05)
    errors = source.part("ERR", 1).pixels * 1000, source.part("ERR", 6).pixels
    assert_allclose(np.sqrt(np.mean(errors[0].astype(float) ** 2)), np.sqrt(392), rtol=0.15)
    assert errors[0].min() > 19.7
    assert not errors[1].any()


def test_charge_lies_halfway_along_the_track_in_the_frame_of_the_file():
    truth = truth_of(scene("WFC3_IR", n_rays=300))
    rays, found = truth.tracks, truth.deposits
    whole = truth.inside_e > 0.9999 * rays.charge_e
    way = 0.5 * rays.length_px * np.array([np.sin(np.radians(rays.azimuth_deg)), np.cos(np.radians(rays.azimuth_deg))])
    # how far pixels wider than a cloud pull its centroid
    pull = np.exp(-2 * (np.pi * 0.3) ** 2) / np.pi
    for start, half, at in ((rays.y_px, way[0], found.y), (rays.x_px, way[1], found.x)):
        centre = np.bincount(found.track, found.charge_e * at, len(truth)) / truth.inside_e
        assert_allclose(centre[whole], (start + half)[whole], rtol=0, atol=pull + 0.01)
    assert whole.mean() > 0.9


def test_reference_pixels_see_no_ray_and_no_dark_current(tmp_path):
    source, truth = file_of(tmp_path, scene("WFC3_IR", read_noise_e=0.0, n_rays=300))
    frame = source.part("SCI").pixels
    assert frame[5:-5, 5:-5].any(axis=None)
    border = np.ones(frame.shape, bool)
    border[5:-5, 5:-5] = False
    assert not frame[border].any()
    assert truth.tracks.y_px.min() >= 4.5


def test_the_number_of_rays_is_poissons_of_flux_area_and_time():
    what = scene("ACS_WFC", n_rays=None, shape=(256, 256), flux_per_s_cm2=1.165)
    # 256 x 256 pixels of 15 um, twice; 1000 s and 50 s of readout
    mean = 1.165 * 2 * 256**2 * 15e-4**2 * 1050
    found = np.array([len(truth_of(replace(what, number=k))) for k in range(200)])
    assert abs(found.mean() - mean) < 4 * np.sqrt(mean / 200)
    assert 1e-3 < chi2(200).cdf(((found - mean) ** 2).sum() / mean) < 1 - 1e-3
    low, high = chi2.ppf(0.025, 2 * found) / 2, chi2.ppf(0.975, 2 * found + 2) / 2
    assert 0.92 <= np.mean((low <= mean) & (mean <= high)) <= 0.98


@pytest.mark.parametrize(
    ("detector", "flux", "expected"),
    [("ACS_WFC", 1.165, 46_200), ("WFC3_UVIS", 1.199, 47_600), ("WFPC2", 1.189, 7260), ("ACS_HRC", 1.013, 4750),
     ("STIS_CCD", 0.956, 4490)],
)  # fmt: skip
def test_a_thousand_seconds_bring_as_many_rays_as_real_darks_have(detector, flux, expected):
    what = Darks(detector, "odark01aq", 52500.3, 1000.0)
    assert what.camera.flux_per_s_cm2 == flux
    assert_allclose(flux * what.area_cm2 * len(what.camera.chips) * what.integration_s, expected, rtol=0.003)


def test_wfpc2_reads_out_longer_after_long_exposures():
    assert scene("WFPC2").integration_s == 1060
    assert replace(scene("WFPC2"), exposure_s=180.0).integration_s == 210


def test_rays_come_at_any_time_of_the_exposure():
    assert kstest(truth_of(scene(n_rays=5000)).time_s / 1000, "uniform").pvalue > 1e-3


def test_a_group_has_one_sky_of_hot_pixels_and_rays_of_its_own(tmp_path):
    what = replace(scene("ACS_WFC"), root="jdark00zq")
    truths = write_group(tmp_path, what, 3)
    roots = ["jdark00zq", "jdark010q", "jdark011q"]
    sources = [read(tmp_path / root / f"{root}_flt.fits") for root in roots]
    for k in (0, 1):
        assert_array_equal(truths[0].is_hot[k], truths[2].is_hot[k])
        assert not np.array_equal(truths[0].is_hot[0], truths[0].is_hot[1])
    assert not np.isin(truths[0].tracks.y_px, truths[1].tracks.y_px).any()
    starts = np.array([source.header["EXPSTART"] for source in sources])
    stops = np.array([source.header["EXPEND"] for source in sources])
    assert (starts[1:] > stops[:-1]).all()
    noise = [source.part("SCI").pixels - truth.rays_e(1) for source, truth in zip(sources, truths, strict=True)]
    cold = ~truths[0].is_hot[0]
    assert abs(np.corrcoef(noise[0][cold], noise[1][cold])[0, 1]) < 0.05
    with pytest.raises(ValueError, match="at most"):
        write_group(tmp_path, replace(what, root="jdark0zzq"), 1300)


@pytest.mark.parametrize("detector", ["STIS_CCD", "WFPC2", "WFC3_IR"])
def test_the_same_scene_writes_the_same_bytes_and_another_does_not(detector, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_exposure(tmp_path / name, scene(detector, seed=seed))
    root, what = "odark01aq", CAMERAS[detector]
    for suffix in (what.product, what.telemetry):
        one, same, other = ((tmp_path / name / root / f"{root}_{suffix}.fits").read_bytes() for name in "abc")
        assert one == same
        assert (one == other) == (suffix == what.telemetry)


def test_stis_tells_of_time_in_its_science_header(tmp_path):
    source, _ = file_of(tmp_path, scene())
    science = source.part("SCI").header
    assert "EXPTIME" not in source.header
    assert (science["EXPTIME"], source.header["TEXPTIME"]) == (1000.0, 1000.0)
    assert datetime.fromisoformat(f"{science['DATE-OBS']}T{science['TIME-OBS']}") == datetime(2002, 8, 14, 7, 12)
    assert_allclose(science["EXPEND"] - science["EXPSTART"], 1000 / 86400, rtol=1e-6)


def test_a_scene_has_the_last_word_on_keywords(tmp_path):
    source, _ = file_of(tmp_path, scene("ACS_HRC", keywords={"SUBARRAY": True, "QUALITY": "LOST"}, flash_s=3.5))
    assert source.header["SUBARRAY"] is True
    assert source.header["QUALITY"] == "LOST"
    assert source.header["FLASHDUR"] == 3.5
    gains = [source.header[f"ATODGN{name}"] for name in "ABCD"]
    assert [gain > 0 for gain in gains] == [False, False, True, False]


def test_keywords_are_those_of_real_files(data, tmp_path):
    real = {
        "STIS_CCD": read(data("hst/o4k19a010_flt.fits.gz")),
        "WFPC2": read(data("hst/u40x010hm_c0f.fits.gz")),
    }
    support = read(data("hst/spt/ocoa03q2q_spt.fits"))
    for detector, file in real.items():
        source, _ = file_of(tmp_path, scene(detector))
        # the old layout of WFPC2 is one HDU without extensions
        assert set(source.header) - set(file.header) <= {"NEXTEND"}
        if detector == "STIS_CCD":
            for name in ("SCI", "ERR", "DQ"):
                assert set(source.part(name).header) <= set(file.part(name).header)
                assert source.part(name).pixels.dtype == file.part(name).pixels.dtype
    written = read(tmp_path / "odark01aq" / "odark01aq_spt.fits")
    assert set(written.header) <= set(support.header)
    assert set(written.part("UDL").header) <= set(support.part("UDL").header)


@pytest.mark.parametrize("days", [0, 1, 7])
def test_telemetry_states_one_orbit_whatever_its_epoch(days, tmp_path):
    path = tmp_path / "spt.fits"
    write_telemetry(path, replace(scene(), start_mjd=55927.01), days=days)
    words = read(path).header
    assert words["EPCHTIME"] == (55927 - days - 46066) * 86400
    after = (55927.01 - 46066) * 86400 - words["EPCHTIME"]
    mean = words["MEANANOM"] + 2 * np.pi * words["FDMEANAN"] * after
    true = mean + words["ECCENTX2"] * np.sin(mean) + 0.5 * words["ESQDX5D2"] * np.sin(2 * mean)
    radius = words["SEMILREC"] / (1 + words["ECCENTRY"] * np.cos(true)) / 1000
    node = 2 * np.pi * (words["RASCASCN"] + words["RCASCNRV"] * after)
    along = 2 * np.pi * (words["ARGPERIG"] + words["RCARGPER"] * after) + true
    up = np.array([words["COSINCLI"], words["SINEINCL"]]) * np.sin(along)
    x = np.cos(node) * np.cos(along) - np.sin(node) * up[0]
    y = np.sin(node) * np.cos(along) + np.cos(node) * up[0]
    assert_allclose(radius * np.array([x, y, up[1]]), [5459.8292, -4087.8101, 1296.8629], rtol=0, atol=1e-3)


def test_what_can_not_be_is_refused(tmp_path):
    for words, told in (
        ({"n_reads": 1}, "2 reads"),
        ({"unit": "JANSKY"}, "unit"),
        ({"hot_share": 1.5}, "hot"),
        ({"detector": "sextant"}, "not known"),
    ):
        with pytest.raises(ValueError, match=told):
            scene(**words)
    with pytest.raises(ValueError, match="9 characters"):
        replace(scene(), root="short")
    with pytest.raises(ValueError, match="above 0"):
        replace(scene(), exposure_s=0.0)
    for write, detector in ((write_flt, "WFPC2"), (write_c0m, "WFC3_IR"), (write_ima, "ACS_HRC")):
        with pytest.raises(ValueError, match="expected"):
            write(tmp_path / "file.fits", scene(detector))


@pytest.mark.slow
def test_a_whole_wide_field_is_written_and_read_back(tmp_path):
    what = Darks("ACS_WFC", "jdark01aq", 52500.3, 1000.0)
    source, truth = file_of(tmp_path, what, flagged=True)
    assert abs(len(truth) - 46_176) < 5 * np.sqrt(46_176)
    assert source.part("SCI", 2).pixels.shape == (2048, 4096)
    labels = sum(label(source.part("DQ", k).pixels & 8192, np.ones((3, 3)))[1] for k in (1, 2))
    # rays that overlap are one label
    assert_allclose(labels / len(truth), 43_200 / 46_000, rtol=0.005)
    hit = np.mean([(source.part("DQ", k).pixels & 8192 > 0).mean() for k in (1, 2)])
    assert 0.015 < hit < 0.03
