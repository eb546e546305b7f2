"""Rules of rejection as tables have them, the sky of an image, and the bit of a cosmic ray."""

from dataclasses import replace
from math import floor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from lake.kernels.rejections import COSMIC_RAY, IN_FORCE, Rule, flags_set, rule_of, sky_mode
from lake.readers import read

TABLES = {
    "ACS_WFC": "29p1548cj_crr_WFC.fits", "ACS_HRC": "n4e12510j_crr_HRC.fits", "STIS_CCD": "j3m1403io_crr.fits",
    "WFC3_UVIS": "n9i1435li_crr_UVIS.fits", "WFC3_IR": "u6a1748ri_crr_IR.fits",
}  # fmt: skip


@pytest.fixture
def table(data):
    """Columns of a real table by detector."""
    return lambda detector: read(data(f"hst/crrejtab/{TABLES[detector]}")).content.parts[0].columns


def rows(**columns):
    """A table of two rows."""
    return {
        "CRSPLIT": [2, 4], "MEANEXP": [np.nan, np.nan], "SCALENSE": np.array(["30.0", "3.0"]),
        "INITGUES": np.array(["minimum", "median "]), "SKYSUB": np.array(["mode", "none"]),
        "CRSIGMAS": np.array(["6.5,5.5, 4.5", "4"]), "CRRADIUS": [2.0, 1.5], "CRTHRESH": [0.5, 0.75],
        "BADINPDQ": [39, 0], "CRMASK": [True, True], **columns,
    }  # fmt: skip


def test_a_row_is_read_as_it_is_written_and_percent_become_a_fraction():
    assert rule_of(rows(), 2, 100.0) == Rule((6.5, 5.5, 4.5), "minimum", "mode", 2.0, 0.5, 0.3, 39)
    assert rule_of(rows(), 4, 100.0) == Rule((4.0,), "median", "none", 1.5, 0.75, 0.03, 0)


def test_more_exposures_than_the_table_has_go_by_its_largest_number():
    assert rule_of(rows(), 12, 100.0) == rule_of(rows(), 4, 100.0)
    with pytest.raises(ValueError, match="no row for 3 exposures"):
        rule_of(rows(), 3, 100.0)


@pytest.mark.data
@pytest.mark.parametrize(("n", "exposure_s", "sigmas", "initial", "spill"), [
    (2, 4.4, (5.0,), "minimum", 0.8), (2, 4.5, (4.0,), "minimum", 0.875), (2, 28.6, (4.0,), "minimum", 0.875),
    (2, 150.0, (4.0,), "minimum", 0.75), (3, 328.0, (5.0, 4.0), "minimum", 0.75), (3, 145.0, (4.0,), "median", 0.75),
    (6, 1521.0, (5.0, 4.0), "minimum", 0.75), (7, 1521.0, (4.0,), "median", 0.75),
    (30, 4000.0, (6.0, 5.0, 4.0), "minimum", 0.75),
])  # fmt: skip
def test_stis_goes_by_number_and_mean_exposure(table, n, exposure_s, sigmas, initial, spill):
    rule = rule_of(table("STIS_CCD"), n, exposure_s)
    assert (rule.sigmas, rule.initial, rule.excluded) == (sigmas, initial, 0)
    assert_allclose(rule.spill, spill, rtol=1e-6)


@pytest.mark.data
def test_no_row_of_stis_is_for_longer_exposures_than_its_last(table):
    with pytest.raises(ValueError, match="no row for 2 exposures of 300001"):
        rule_of(table("STIS_CCD"), 2, 300001.0)


@pytest.mark.data
@pytest.mark.parametrize("detector", IN_FORCE)
def test_rules_in_force_differ_from_the_tables_in_sigmas_initial_image_and_the_spill_of_stis(table, detector):
    own, force = rule_of(table(detector), 12, 1000.0), IN_FORCE[detector]
    assert (own.sky, own.excluded, own.scale_noise) == (force.sky, force.excluded, force.scale_noise)
    assert_allclose(own.radius_px, force.radius_px, rtol=1e-6)
    assert_allclose(own.spill, 0.75 if detector == "STIS_CCD" else force.spill, rtol=1e-6)


@pytest.mark.data
@pytest.mark.parametrize(("detector", "sigmas"), [("ACS_WFC", (5, 4, 3)), ("WFC3_UVIS", (6.5, 5.5, 4.5))])
def test_a_chip_goes_by_its_own_rows(table, detector, sigmas):
    assert rule_of(table(detector), 4, 1000.0, chip=2).sigmas == sigmas
    with pytest.raises(ValueError, match="chip 3"):
        rule_of(table(detector), 4, 1000.0, chip=3)


def test_the_chip_of_a_row_counts():
    assert rule_of(rows(CRSPLIT=[2, 2], CCDCHIP=[1, 2]), 2, 100.0, chip=2).sigmas == (4.0,)
    assert rule_of(rows(CRSPLIT=[2, 2], CCDCHIP=[1, 2]), 2, 100.0).sigmas == (6.5, 5.5, 4.5)


@pytest.mark.data
def test_rows_for_reads_of_a_ramp_are_for_no_group_of_images(table):
    assert rule_of(table("WFC3_IR"), 12, 1000.0).sigmas == (6.5, 5.5, 4.5)


@pytest.mark.parametrize(("n", "exposure_s", "columns", "words"), [
    (1, 100.0, {}, "1 exposures"), (2, 0.0, {}, "of 0.0 s"), (2, np.nan, {}, "of nan s"),
    (2, 1.0, {"SKYSUB": np.array(["mean", "mean"])}, "minimum and mean"),
    (2, 1.0, {"CRSIGMAS": np.array(["", ""])}, "float"), (2, 1.0, {"CRRADIUS": [-1.0, -1.0]}, "0 or more"),
])  # fmt: skip
def test_what_makes_no_rule_is_refused(n, exposure_s, columns, words):
    with pytest.raises(ValueError, match=words):
        rule_of(rows(**columns), n, exposure_s)


def test_a_table_without_a_column_is_refused_by_its_name():
    short = {name: column for name, column in rows().items() if name != "CRRADIUS"}
    with pytest.raises(ValueError, match="missing CRRADIUS"):
        rule_of(short, 2, 1.0)


@pytest.mark.parametrize("change", [
    {"sigmas": ()}, {"sigmas": (4.0, 0.0)}, {"initial": "mean"}, {"sky": "median"}, {"radius_px": -1.0},
    {"spill": np.nan}, {"scale_noise": -0.1}, {"excluded": -1},
])  # fmt: skip
def test_a_rule_that_compares_nothing_is_refused(change):
    with pytest.raises(ValueError, match="expected"):
        replace(IN_FORCE["ACS_WFC"], **change)


def mode_by_hand(values):
    """The mode by counting values one by one."""
    first = max(int(min(0, *values)) - 1, -1000)
    last = 2 * int(max(sum(values) / len(values), 0) + 1)
    n = dict.fromkeys(range(first, last), 0)
    for value in values:
        if first <= value < last:
            n[floor(value)] += 1
    top = max(n, key=lambda bin_: (n[bin_], -bin_))
    before, after = n.get(top - 1, 0), n.get(top + 1, 0)
    bend = abs(2 * n[top] - before - after)
    return top + 0.5 + (0.5 * (n[top] - before - (n[top] - after)) / bend if bend else 0)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), centre=st.floats(-20, 200), width=st.floats(0.5, 30))
def test_the_mode_is_that_of_counting_values_one_by_one(seed, centre, width):
    image = np.random.default_rng(seed).normal(centre, width, (20, 20))
    if (image > -1000).any() and (image < 2 * max(image.mean(), 0) + 2).any():
        assert sky_mode(image, np.ones((20, 20), bool)) == mode_by_hand(image.ravel().tolist())


def test_the_mode_is_the_sky_though_a_tenth_of_the_image_is_stars():
    rng = np.random.default_rng(2)
    image = rng.normal(21.8, 5, (500, 500))
    stars = rng.random(image.shape) < 0.1
    image[stars] += rng.exponential(300, stars.sum())
    assert abs(sky_mode(image, np.ones(image.shape, bool)) - 21.8) < 0.5
    assert image.mean() > 40


def test_bad_pixels_and_those_that_are_no_number_have_no_part_in_the_mode():
    image = np.random.default_rng(4).normal(12, 3, (60, 60))
    is_good = np.ones(image.shape, bool)
    worse, good = image.copy(), is_good.copy()
    worse[:20], good[:20] = 500.25, False
    worse[20], worse[21] = np.nan, np.inf
    is_good[:22] = False
    assert sky_mode(worse, good) == sky_mode(image, is_good)


@pytest.mark.parametrize("image", [np.full((3, 3), np.nan), np.full((3, 3), -5000.0), np.empty((0, 3))])
def test_an_image_without_any_pixel_to_count_has_no_sky(image):
    assert np.isnan(sky_mode(image, np.ones(image.shape, bool)))


def test_a_sky_is_found_beside_one_pixel_of_any_brightness():
    image = np.random.default_rng(6).normal(12, 3, (60, 60)).astype(np.float32)
    image[5, 5] = 1e30
    assert abs(sky_mode(image, np.ones(image.shape, bool)) - 12) < 1


def test_new_bits_replace_old_ones_and_leave_the_others():
    dq = np.array([0, COSMIC_RAY, COSMIC_RAY + 16, 16, -32768], np.int16)
    found = flags_set(dq, [True, False, True, False, True])
    assert found.tolist() == [COSMIC_RAY, 0, COSMIC_RAY + 16, 16, 32768 + COSMIC_RAY]
    assert found.dtype == np.uint16
    assert dq.tolist() == [0, COSMIC_RAY, COSMIC_RAY + 16, 16, -32768]
    assert_array_equal(flags_set(found, [True, False, True, False, True]), found)


@pytest.mark.parametrize(("dq", "is_rejected"), [
    (np.zeros(2, int), [True]), (np.zeros(1), [True]), (np.array([1 << 16]), [True]),
])  # fmt: skip
def test_bits_that_are_not_sixteen_or_of_another_shape_are_refused(dq, is_rejected):
    with pytest.raises(ValueError, match="expected"):
        flags_set(dq, is_rejected)
