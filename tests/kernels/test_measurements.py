"""Hits of images, told by flags, comparison or a threshold, and what an exposure adds up to."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.stats import sigma_clipped_stats
from numpy.testing import assert_allclose, assert_array_equal
from scipy import ndimage
from scipy.stats import chi2

from lake.kernels.darks import exposures
from lake.kernels.detectors import DETECTORS
from lake.kernels.measurements import Finding, compared, image_measured, joined, jump_threshold, ramp_measured, totals
from lake.kernels.rejections import rule_in_force
from lake.readers import read
from lake.synth.darks import Darks, write_ima
from schemas import cosmic_rays as tables
from tests.builders.dark_groups import READ_NOISE_E, dark_group

NICMOS = Darks(
    "NICMOS_NIC2", "n3ba01aaq", 51000.5, 400.0, n_rays=60, n_reads=5, read_noise_e=5.0, hot_share=0.0, seed=4
)
FLAGS = Finding("flags")
# Published files under the published rules: hits, pixels, charge [e], quartiles of charge [e], means of size, shape, n.
STIS = (
    (1166, 5710, 1_810_351.27, (104.877, 175.040, 1642.597), (0.553826, 0.548292, 4.89708)),
    (625, 3495, 1_668_143.49, (798.511, 1408.855, 2595.982), (0.482018, 0.415863, 5.592)),
)
N_PIXELS = ((515, 207, 119, 91, 82, 54, 25, 73), (145, 146, 109, 67, 43, 35, 18, 62))
# The same of each chip of a globular cluster: threshold [e], hits, pixels, charge [e].
CLUSTER = (
    (42.0234, 2260, 60_066, 21_504_016), (98.794, 3463, 112_275, 107_087_206), (145.3788, 4276, 107_986, 108_951_848),
    (168.6775, 4940, 101_990, 126_036_450),
)  # fmt: skip


def frame(*places, bits=8192):
    """A frame of 20 electrons a pixel, with 100 more and the bits at some places."""
    electrons, quality = np.full((20, 30), 20, "f4"), np.zeros((20, 30), "u2")
    for place in places:
        electrons[place] += 100
        quality[place] |= bits
    return electrons, quality


BLOCK = np.s_[3:5, 6:8]


@pytest.mark.data
@pytest.mark.parametrize("number", [0, 1])
def test_the_real_pair_of_stis_has_the_published_hits(data, number):
    exposure = exposures(read(data("hst/o4k19a010_flt.fits.gz")))[number]
    (image,) = exposure.images
    found = image_measured(image.electrons, image.quality, FLAGS)
    n, n_pixels, energy, quartiles, means = STIS[number]
    assert (found.image["n_hits"], found.image["n_pixels_hit"]) == (n, n_pixels)
    assert round(found.image["energy_e"], 2) == energy
    hits = found.hits
    assert_allclose(np.percentile(hits["energy_e"], [25, 50, 75]), quartiles, rtol=1e-6, atol=5e-4)
    assert_allclose([hits[name].mean() for name in ("size_px", "shape", "n_pixels")], means, rtol=1e-6)
    assert tuple(np.bincount(np.minimum(hits["n_pixels"], 10))[3:]) == N_PIXELS[number]
    summed = totals([found.image], exposure.facts["integration_s"], 4.624, 1024**2)
    assert_allclose(summed["rate_per_s_cm2"], (1.52826, 0.81918)[number], atol=5e-6)
    assert found.image["n_components"] == (12_726, 6_315)[number]


@pytest.mark.data
def test_single_hits_of_the_real_pair_are_where_and_what_was_published(data):
    image = exposures(read(data("hst/o4k19a010_flt.fits.gz")))[1].images[0]
    hits = image_measured(image.electrons, image.quality, FLAGS).hits
    names = ("hit_id", "y_px", "x_px", "n_pixels", "energy_e", "size_px", "shape")
    for wanted in (
        (1, 0.6184, 203.3379, 3, 19.685, 0.479436, 0.561666),
        (10, 15.8566, 292.0169, 12, 41994.286, 0.312969, 0.455696),
        (617, 1015.4673, 379.4597, 36, 23872.040, 2.510326, 0.947752),
    ):
        assert_allclose([hits[name][wanted[0] - 1] for name in names], wanted, rtol=1e-6, atol=5e-4)


@pytest.mark.data
def test_a_threshold_finds_in_real_files_what_was_published(data):
    image = exposures(read(data("hst/o4k19a010_flt.fits.gz")))[0].images[0]
    found = image_measured(image.electrons, image.quality, Finding("threshold")).image
    assert (found["n_hits"], found["n_pixels_hit"], round(found["energy_e"], 2)) == (3202, 25_898, 4_427_336.65)
    assert round(found["threshold_e"], 4) == 52.5207
    (cluster,) = exposures(read(data("hst/u40x010hm_c0f.fits.gz")))
    n_all = 0
    for chip, (limit, n, n_pixels, energy) in zip(cluster.images, CLUSTER, strict=True):
        found = image_measured(chip.electrons, None, Finding("threshold")).image
        assert (found["n_hits"], found["n_pixels_hit"], round(found["energy_e"])) == (n, n_pixels, energy)
        assert_allclose(found["threshold_e"], limit, atol=6e-5)
        one = Finding("threshold", threshold_e=134.8267)
        n_all += image_measured(chip.electrons, None, one).image["n_hits"]
    assert n_all == 13_624


def test_flags_make_hits_but_not_on_bad_pixels_and_not_where_there_is_no_number():
    electrons, quality = frame(BLOCK, np.s_[10, 10:14], np.s_[15, 2:5])
    quality[10, 11] |= 4
    electrons[15, 3] = np.nan
    found = image_measured(electrons, quality, FLAGS)
    assert found.image["n_hits"] == 1
    assert (found.image["n_components"], found.image["n_small"]) == (5, 4)
    assert found.image["n_pixels"] == 20 * 30 - 2
    assert_allclose([found.hits[n][0] for n in ("y_px", "x_px", "energy_e", "energy_net_e")], [3.5, 6.5, 480, 400])
    assert found.hits["n_pixels"].tolist() == [4]


def test_bad_pixels_are_left_out_of_what_a_comparison_tells_too():
    electrons, quality = frame(BLOCK, np.s_[10, 10:14], bits=0)
    quality[10, 11] |= 4
    electrons[4, 6] = np.nan
    found = image_measured(electrons, quality, Finding("rejection"), is_rejected=electrons != 20)
    assert found.hits["n_pixels"].tolist() == [3]
    assert found.image["n_pixels"] == 20 * 30 - 2


def test_hot_and_saturated_pixels_stay_in_a_hit_and_are_told():
    electrons, quality = frame(BLOCK, np.s_[10, 10:14], np.s_[0, 0:3])
    quality[3, 6] |= 16
    quality[10, 10] |= 256
    hits = image_measured(electrons, quality, FLAGS).hits
    assert hits["n_pixels"].tolist() == [3, 4, 4]
    assert hits["has_hot_pixel"].tolist() == [False, True, False]
    assert hits["is_saturated"].tolist() == [False, False, True]
    assert hits["is_at_edge"].tolist() == [True, False, False]


def test_a_threshold_needs_no_quality_and_counts_no_infinite_pixel():
    electrons, _ = frame(BLOCK, np.s_[10, 10:14])
    electrons[10, 11:13] = np.inf
    found = image_measured(electrons, None, Finding("threshold", threshold_e=119))
    assert (found.image["n_hits"], found.image["threshold_e"]) == (1, 119)
    assert np.isfinite(found.image["energy_e"])
    assert image_measured(electrons, None, Finding("threshold", threshold_e=120)).image["n_hits"] == 0
    assert not found.hits["has_hot_pixel"].any()


def test_a_higher_threshold_and_a_narrower_span_of_sizes_never_find_more():
    rng = np.random.default_rng(3)
    electrons = ndimage.gaussian_filter(rng.exponential(40, (200, 200)), 1).astype("f4")
    n_pixels = [
        image_measured(electrons, None, Finding("threshold", n)).image["n_pixels_hit"] for n in (0.0, 1.0, 3.0, 5.0)
    ]
    assert n_pixels == sorted(n_pixels, reverse=True)
    whole = image_measured(electrons, None, Finding("threshold", 2.0, more_than=0)).image
    less = image_measured(electrons, None, Finding("threshold", 2.0, more_than=2, fewer_than=20)).image
    assert whole["n_hits"] == whole["n_components"] == less["n_hits"] + less["n_small"] + less["n_large"]
    assert less["n_small"] > 0
    assert less["n_large"] > 0


def test_an_image_without_a_number_has_no_hit_and_no_threshold():
    found = image_measured(np.full((5, 5), np.nan, "f4"), None, Finding("threshold")).image
    assert (found["n_hits"], found["n_pixels"], found["energy_e"]) == (0, 0, 0)
    assert np.isnan(found["threshold_e"])


@pytest.mark.parametrize(
    "words",
    [
        {"method": "guess"}, {"n_spreads": -1.0}, {"n_spreads": float("nan")}, {"threshold_e": -5.0},
        {"more_than": 5, "fewer_than": 6},
    ],
)  # fmt: skip
def test_a_way_of_finding_that_means_nothing_is_refused(words):
    with pytest.raises(ValueError, match="expected"):
        Finding(**words)


@pytest.mark.parametrize("method", ["flags", "rejection", "auto"])
def test_a_method_without_its_flags_is_refused(method):
    with pytest.raises(ValueError, match=f"hits by {method}: found no flags"):
        image_measured(frame()[0], None, Finding(method))


def test_images_and_hits_fit_their_tables_and_each_hit_has_its_pixels():
    parts = []
    for chip, places in ((1, (BLOCK,)), (2, ()), (4, (BLOCK, np.s_[10, 10:14]))):
        found = image_measured(*frame(*places), FLAGS)
        common = {"obs_id": "a", "chip": chip, "read_id": 0}
        assert (
            tables.IMAGES.fit({n: [v] for n, v in {**common, "integration_s": 1.0, **found.image}.items()}).rejected
            == ()
        )
        parts.append((common, found.hits))
    columns = joined(parts)
    taken, details = (t.fit({c.name: columns[c.name] for c in t.columns}) for t in (tables.HITS, tables.HIT_DETAILS))
    rows = [one | other for one, other in zip(taken.rows.to_pylist(), details.rows.to_pylist(), strict=True)]
    assert taken.rejected == details.rejected == ()
    assert [(r["chip"], r["hit_id"], r["n_pixels"]) for r in rows] == [(1, 1, 4), (4, 1, 4), (4, 2, 4)]
    assert (rows[1]["pixels_y"], rows[1]["pixels_x"]) == ([3, 3, 4, 4], [6, 7, 6, 7])
    assert (rows[2]["pixels_y"], rows[2]["pixels_e"]) == ([10] * 4, [120.0] * 4)
    assert all(sum(row["pixels_e"]) == row["energy_e"] for row in rows)


@pytest.fixture(scope="module")
def ramp(tmp_path_factory):
    """A simulated ramp: its truth, and its images by time."""
    path = tmp_path_factory.mktemp("ramp") / "n3ba01aaq_ima.fits"
    truth = write_ima(path, NICMOS)
    (found,) = exposures(read(path))
    return truth, found


def reads(exposure, quality=True):
    """What `ramp_measured` finds, by read."""
    images = exposure.images
    bits = [image.quality if quality else None for image in images]
    times = ([image.sample_s for image in images], [image.step_s for image in images])
    return dict(ramp_measured(exposure.detector, [image.electrons for image in images], bits, *times))


def test_a_read_of_a_ramp_has_the_rays_that_the_read_before_had_not(ramp):
    truth, exposure = ramp
    found = reads(exposure)
    assert list(found) == [1, 2, 3, 4]
    for k, measured in found.items():
        new = truth.is_hit(1, NICMOS.limit_e, k) & ~truth.is_hit(1, NICMOS.limit_e, k - 1)
        labels, n = ndimage.label(new, np.ones((3, 3)))
        sizes = ndimage.sum_labels(new, labels, range(1, n + 1))
        assert measured.image["n_hits"] == (sizes > 2).sum() > 5
        assert measured.image["n_pixels_hit"] == sizes[sizes > 2].sum()
        assert new[measured.hits["y"], measured.hits["x"]].all()


def test_the_charge_of_a_read_is_what_it_gathered_since_the_one_before(ramp):
    truth, exposure = ramp
    for k, measured in reads(exposure).items():
        hits = measured.hits
        step_e = truth.rays_e(1, k) - truth.rays_e(1, k - 1)
        wanted = np.add.reduceat(step_e[hits["y"], hits["x"]], hits["offsets"][:-1])
        noise = np.sqrt(2 * 5.0**2 * np.diff(hits["offsets"]) + 10)
        assert (np.abs(hits["energy_e"] - wanted) < 5 * noise + 1e-3 * wanted).all()


def test_what_gathered_before_a_read_is_none_of_its_charge():
    rates, times = [np.full((256, 256), 5, "f4") for _ in range(4)], np.array([0.0, 10.0, 30.0, 60.0])
    bits = [np.zeros((256, 256), "u2") for _ in range(4)]
    rates[2][9, 7:10], bits[2][9, 7:10] = 5 + 100 / 3, 8192
    rates[3][9, 7:10], bits[3][9, 7:10] = 5 + 50 / 3, 8192
    found = dict(ramp_measured(DETECTORS["NICMOS_NIC3"], rates, bits, times, np.diff(times, prepend=0)))
    assert_allclose([found[k].image["background_e"] for k in (1, 2, 3)], [50, 100, 150])
    assert [found[k].image["n_hits"] for k in (1, 2, 3)] == [0, 1, 0]
    assert_allclose(found[2].hits["energy_e"], 3 * (1150 - 50), rtol=1e-6)


def test_bad_and_unstable_pixels_of_a_ramp_are_never_hit(ramp):
    _, exposure = ramp
    for bits in (4, 32):
        images = tuple(replace(image, quality=image.quality | np.uint16(bits)) for image in exposure.images)
        assert all(
            m.image["n_hits"] == m.image["n_pixels"] == 0 for m in reads(replace(exposure, images=images)).values()
        )


def test_a_ramp_without_flags_has_hits_where_charge_jumps(ramp):
    truth, exposure = ramp
    for k, measured in reads(exposure, quality=False).items():
        step_e = truth.rays_e(1, k) - truth.rays_e(1, k - 1)
        limit = measured.image["threshold_e"]
        kept = np.sort(np.float64(exposure.images[k].electrons) * exposure.images[k].sample_s, axis=None)[-1]
        assert 0 < limit < kept
        # Two pixels and more make a hit; noise alone reaches 5 sigma nowhere near another that does.
        assert (step_e[measured.hits["y"], measured.hits["x"]] > limit - 6 * 7.1).all()
        assert set(measured.hits["n_pixels"].tolist()) <= set(range(2, 100))
        assert measured.image["n_hits"] > 5


def test_reference_pixels_of_an_infrared_ramp_are_no_hits_and_places_count_from_the_file_s_corner():
    detector = DETECTORS["WFC3_IR"]
    last, bits = np.zeros(detector.shape, "f4"), np.zeros(detector.shape, "u2")
    for place in (np.s_[0, 100:104], np.s_[-1, 0:4], np.s_[5, 5:9], np.s_[500, 600:603]):
        last[place], bits[place] = 50.0, 8192
    none = np.zeros_like(bits)
    ((k, found),) = ramp_measured(detector, [np.zeros_like(last), last], [none, bits], [0.0, 10.0], [0.0, 10.0])
    assert (k, found.image["n_hits"], found.image["n_pixels"]) == (1, 2, 1014**2)
    assert_array_equal(found.hits["y_px"], [5, 500])
    assert_array_equal(found.hits["x_px"], [6.5, 601])
    assert found.hits["y"].tolist() == [5] * 4 + [500] * 3
    assert_array_equal(found.hits["energy_e"], [2000, 1500])


def test_a_jump_is_five_sigma_above_the_median_of_what_is_above_zero():
    rng = np.random.default_rng(1)
    quiet = np.concatenate([rng.normal(100, 3, 20_000), rng.exponential(500, 300)]).astype("f4")
    _, median, sigma = sigma_clipped_stats(quiet.astype(float), sigma=3, maxiters=2)
    assert_allclose(jump_threshold(np.concatenate([quiet, -quiet])), median + 5 * sigma, rtol=1e-12)
    assert jump_threshold(-quiet) == np.inf


@pytest.mark.parametrize("n", [2, 4])
def test_what_one_of_a_group_has_alone_is_told_whatever_was_flagged_before(n):
    group = dark_group(np.random.default_rng(5), n, side=96, rays=8)
    bits = [np.zeros((96, 96), "u2") for _ in range(n)]
    words = (group.images, bits, group.errors, group.exposure_s, None, rule_in_force("STIS_CCD", n))
    flags = compared(*words)
    bright = group.struck > 8 * np.sqrt(READ_NOISE_E**2 + group.images.clip(0))
    assert flags[bright].mean() > 0.97
    assert flags[group.struck < 1].mean() < 0.01
    again = compared(group.images, [b | np.uint16(8192) for b in bits], *words[2:])
    assert_array_equal(flags, again)


def test_a_group_without_quality_or_noise_is_refused():
    images = [np.zeros((8, 8), "f4")] * 2
    bits, rule = [np.zeros((8, 8), "u2")] * 2, rule_in_force("STIS_CCD", 2)
    with pytest.raises(ValueError, match="no quality flags"):
        compared(images, [], [], [1.0, 1.0], 4.0, rule)
    with pytest.raises(ValueError, match="errors or a read noise"):
        compared(images, bits, [], [1.0, 1.0], None, rule)


def test_chips_add_up_and_the_rate_has_its_poisson_interval():
    one = {"n_hits": 3000, "n_hits_corrected": 3010.0, "n_pixels": 900, "energy_e": 1e6}
    other = {"n_hits": 4639, "n_hits_corrected": 4700.0, "n_pixels": 1000, "energy_e": 2e6}
    found = totals([one, other], 1000.0, 37.748, 1000)
    assert (found["n_hits"], found["n_hits_corrected"], found["energy_e"]) == (7639, 7710, 3e6)
    assert found["live_fraction"] == 0.95
    names = ("rate_low_per_s_cm2", "rate_per_s_cm2", "rate_high_per_s_cm2")
    wanted = [chi2.ppf(0.025, 2 * 7639) / 2, 7639, chi2.ppf(0.975, 2 * 7640) / 2]
    assert_allclose([found[name] * 37748 for name in names], wanted, rtol=1e-9)


def test_nothing_measured_is_null_and_no_time_is_no_rate():
    assert set(totals([], 1000.0, 4.6, 100).values()) == {None}
    image = {"n_hits": 2, "n_hits_corrected": 2.0, "n_pixels": 100, "energy_e": 5.0}
    assert np.isnan(totals([image], 0.0, 4.6, 100)["rate_per_s_cm2"])
    none = totals([image | {"n_hits": 0}], 10.0, 1.0, 100)
    assert (none["rate_per_s_cm2"], none["rate_low_per_s_cm2"]) == (0, 0)
    assert_allclose(none["rate_high_per_s_cm2"], 0.36889, rtol=1e-4)
