"""Hits on two exposures of Hubble, as the published rules give them: a STIS pair with flags, a WFPC2 without."""

import numpy as np
import pytest
from astropy.io import fits
from numpy.testing import assert_allclose, assert_array_equal

from lake.kernels.hits import flagged, labelled, measured
from lake.kernels.rates import poisson_interval, rate
from lake.kernels.thresholds import threshold_of

WFPC2_GAIN = 7
STIS_S, STIS_CM2 = 165, 4.624


@pytest.fixture(scope="module")
def stis(data):
    """Electrons and data quality of the two exposures."""
    with fits.open(data("hst/o4k19a010_flt.fits.gz")) as file:
        return [(file["SCI", k].data.astype(float), np.array(file["DQ", k].data)) for k in (1, 2)]


@pytest.fixture(scope="module")
def wfpc2(data):
    """Electrons of the four chips."""
    with fits.open(data("hst/u40x010hm_c0f.fits.gz")) as file:
        return np.array(file[0].data, np.float32) * WFPC2_GAIN


def summary(labels, electrons):
    """What the reference table has of a frame: counts, charge, its quartiles, and mean size, shape and pixels."""
    found = measured(labels, electrons)
    quartiles = np.percentile(found["energy_e"], [25, 50, 75])
    means = [np.mean(found[name]) for name in ("size_px", "shape", "n_pixels")]
    return (labels.n_hits, labels.index.size), found["energy_e"].sum(), [*quartiles, *means]


def as_printed(values, table):
    """Values with as many decimals as a printed table has."""
    return " ".join(
        f"{value:.{len(text.partition('.')[2])}f}" for value, text in zip(values, table.split(), strict=True)
    )


@pytest.mark.parametrize(("exposure", "counts", "charge", "others", "histogram", "per_s_cm2"), [
    (0, (1166, 5710), 1_810_351.27, "104.877 175.040 1642.597 0.553826 0.548292 4.89708",
     [515, 207, 119, 91, 82, 54, 25, 73], 1.52826),
    (1, (625, 3495), 1_668_143.49, "798.512 1408.855 2595.982 0.482018 0.415863 5.592",
     [145, 146, 109, 67, 43, 35, 18, 62], 0.81918),
])  # fmt: skip
def test_the_flags_of_stis_hold_the_known_hits(stis, exposure, counts, charge, others, histogram, per_s_cm2):
    electrons, dq = stis[exposure]
    labels = labelled(flagged(dq))
    found = summary(labels, electrons)
    assert found[0] == counts
    assert_allclose(found[1], charge, rtol=0, atol=0.005)
    assert as_printed(found[2], others) == others
    assert_array_equal(np.bincount(np.minimum(labels.n_pixels, 10))[3:], histogram)
    assert_allclose(rate(labels.n_hits, STIS_S, STIS_CM2), per_s_cm2, atol=5e-6)
    low, high = rate(poisson_interval(labels.n_hits), STIS_S, STIS_CM2)
    assert low < per_s_cm2 < high


def test_nine_in_ten_flagged_sets_of_a_stis_exposure_are_too_small_for_a_ray(stis):
    labels = labelled(flagged(stis[0][1]))
    assert (labels.n_components, labels.n_small, labels.n_large) == (12_726, 11_560, 0)


@pytest.mark.parametrize(("exposure", "label", "y", "x", "n", "charge", "size", "shape"), [
    (1, 1, 0.6184, 203.3379, 3, 19.685, 0.479436, 0.561666),
    (1, 10, 15.8566, 292.0169, 12, 41_994.286, 0.312969, 0.455696),
    (1, 617, 1015.4673, 379.4597, 36, 23_872.040, 2.510326, 0.947752),
    (0, 714, 618.1215, 822.9879, 27, 25_754.222, 1.421726, 0.890948),
])  # fmt: skip
def test_single_rays_of_stis_are_as_known(stis, exposure, label, y, x, n, charge, size, shape):
    electrons, dq = stis[exposure]
    hit = {name: column[label - 1] for name, column in measured(labelled(flagged(dq)), electrons, dq=dq).items()}
    assert (hit["label"], hit["n_pixels"]) == (label, n)
    assert_allclose([hit["y_px"], hit["x_px"]], [y, x], rtol=0, atol=5.1e-5)
    assert_allclose(hit["energy_e"], charge, rtol=0, atol=5.1e-4)
    assert_allclose([hit["size_px"], hit["shape"]], [size, shape], rtol=0, atol=5.1e-7)
    assert hit["dq_or"] & 8192


def test_a_threshold_finds_the_stars_of_stis_too(stis):
    electrons = stis[0][0]
    level = threshold_of(electrons).threshold_e
    assert_allclose(level, 52.5207, rtol=0, atol=5e-5)
    counts, charge, others = summary(labelled(electrons > level), electrons)
    assert counts == (3202, 25_898)
    assert_allclose(charge, 4_427_336.65, rtol=0, atol=0.005)
    known = "252.195 467.556 1192.320 0.678767 0.388505 8.08807"
    assert as_printed(others, known) == known


def test_chips_of_wfpc2_stacked_without_a_gap_lose_244_hits(wfpc2):
    stack = wfpc2.reshape(3200, 800)
    level = threshold_of(stack).threshold_e
    assert_allclose(level, 134.8267, rtol=0, atol=5e-5)
    counts, charge, others = summary(labelled(stack > level), stack)
    assert counts == (13_380, 350_483)
    assert_allclose(charge, 362_496_834, rtol=0, atol=0.5)
    known = "1555.07 4079.90 12282.6 0.915238 0.324567 26.1945"
    assert as_printed(others, known) == known
    assert sum(labelled(chip > level).n_hits for chip in wfpc2) == 13_624


@pytest.mark.parametrize(("chip", "level", "counts", "charge"), [
    (0, 42.0234, (2260, 60_066), 21_504_016), (1, 98.794, (3463, 112_275), 107_087_206),
    (2, 145.3788, (4276, 107_986), 108_951_848), (3, 168.6775, (4940, 101_990), 126_036_450),
])  # fmt: skip
def test_each_chip_of_wfpc2_has_its_own_threshold(wfpc2, chip, level, counts, charge):
    found = threshold_of(wfpc2[chip]).threshold_e
    assert_allclose(found, level, rtol=0, atol=5.1e-5)
    assert summary(labelled(wfpc2[chip] > found), wfpc2[chip])[0] == counts
    assert_allclose(summary(labelled(wfpc2[chip] > found), wfpc2[chip])[1], charge, rtol=0, atol=0.5)
