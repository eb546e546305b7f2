"""Cosmic rays that one exposure of a group has and the others have not."""

import tracemalloc
from dataclasses import replace
from functools import cache
from statistics import median

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from lake.kernels.rejections import COSMIC_RAY, IN_FORCE, Rule, flags_set, rejected, rule_of, sky_mode
from lake.readers import read
from tests.builders.dark_groups import dark_group

WFC = IN_FORCE["ACS_WFC"]
PLAIN = Rule((4.0,), "minimum", "none", 0.0, 0.0, 0.0, 0)
seeds = st.integers(0, 2**32 - 1)


def by_hand(images, exposure, excluded, rule, errors, read_noise, gain):
    """The flags by plain loops over pixels, sky "none"."""
    n, height, width = images.shape
    found = np.zeros(images.shape, bool)
    spots = [(y, x) for y in range(height) for x in range(width)]
    rate, counts, level, model = {}, {}, {}, {}
    for spot in spots:
        rate[spot] = [float(images[(k, *spot)]) / exposure[k] for k in range(n)]
        real = [k for k in range(n) if np.isfinite(rate[spot][k])]
        counts[spot] = [k for k in real if not excluded[(k, *spot)]] or real
        seen = [rate[spot][k] for k in counts[spot]]
        level[spot] = (median(seen) if rule.initial == "median" else min(seen)) if seen else np.nan
        first = rate[spot].index(min(seen)) if seen and rule.initial == "minimum" else None
        model[spot] = [max(float(images[(k if first is None else first, *spot)]), 0) for k in range(n)]
        if first is None:
            model[spot] = [max(level[spot] * t, 0) for t in exposure]
    for turn, sigma in enumerate(rule.sigmas):
        if turn:
            for spot in spots:
                kept = [k for k in counts[spot] if not found[(k, *spot)]]
                if kept:
                    level[spot] = sum(rate[spot][k] * exposure[k] for k in kept) / sum(exposure[k] for k in kept)
                model[spot] = [max(level[spot] * t, 0) for t in exposure]
        found = one_turn(rate, counts, level, model, exposure, excluded, rule, sigma, errors, read_noise, gain, found)
    return found


def one_turn(rate, counts, level, model, exposure, excluded, rule, sigma, errors, read_noise, gain, before):
    """Flags of one iteration."""
    found, off, variance, hits = np.zeros(before.shape, bool), {}, {}, set()
    for spot in rate:
        for k, t in enumerate(exposure):
            at = (k, *spot)
            variance[at] = errors[at] ** 2 if errors is not None else read_noise**2 + model[spot][k] / gain
            if errors is not None and not errors[at] > 0:
                variance[at] = np.nan
            off[at] = (rate[spot][k] - level[spot]) ** 2
            scale = rule.scale_noise * max(level[spot] * t, 0)
            if off[at] > sigma**2 * (variance[at] + scale**2) / t**2 and not excluded[at] and np.isfinite(off[at]):
                hits.add(at)
    for k, y, x in hits:
        found[k, y, x] = True
    for k, y, x in off:
        near = any(i == k and (y - b) ** 2 + (x - a) ** 2 <= rule.radius_px**2 for i, b, a in hits)
        spill = rule.spill**2 * sigma**2 * variance[k, y, x] / exposure[k] ** 2
        if near and np.isfinite(off[k, y, x]) and off[k, y, x] > spill:
            found[k, y, x] = True
    for (y, x), some in counts.items():
        if some and all(found[k, y, x] for k in some):
            for k in some:
                found[k, y, x] = rate[y, x][k] != min(rate[y, x][i] for i in some)
    return found


def small_group(rng, n=5, shape=(9, 8)):
    """Noise of 5 about 30, a tenth of it hit, and every kind of bad pixel."""
    exposure = rng.uniform(80, 120, n)
    images = rng.normal(0.3 * exposure[:, None, None], 5, (n, *shape))
    images += np.where(rng.random(images.shape) < 0.1, rng.exponential(60, images.shape), 0)
    errors = np.sqrt(16 + np.abs(images)).astype(np.float32)
    images[rng.random(images.shape) < 0.03] = np.nan
    images[:, 2, 2], images[0, 3, 3] = np.nan, np.inf
    errors[1, 4, 4], errors[0, 4, 5] = np.nan, 0
    excluded = rng.random(images.shape) < 0.05
    excluded[:, 5, 5] = True
    return images.astype(np.float32), exposure, excluded, errors


@pytest.mark.parametrize("initial", ["median", "minimum"])
@pytest.mark.parametrize("by_errors", [True, False])
@pytest.mark.parametrize("n", [2, 3, 6])
def test_the_flags_are_those_of_loops_over_pixels(initial, by_errors, n):
    for seed in range(3):
        images, exposure, excluded, errors = small_group(np.random.default_rng(seed), n)
        rule = Rule((5.0, 4.0, 3.0), initial, "none", 2.1, 0.55, 0.1, 0)
        noise = {"errors": errors} if by_errors else {"read_noise": 4.0, "gain": 1.5}
        expected = by_hand(images, exposure, excluded, rule, noise.get("errors"), 4.0, 1.5)
        assert_array_equal(rejected(images, exposure, excluded, rule, **noise), expected)
        assert expected.any()


@pytest.mark.data
def test_the_archives_own_flags_of_a_stis_pair_are_found_again(data):
    source = read(data("hst/o4k19a010_flt.fits.gz"))
    images = np.stack([part.pixels for part in source.parts("SCI")])
    dq = np.stack([part.pixels for part in source.parts("DQ")])
    is_good = flags_set(dq, np.zeros(dq.shape, bool)) == 0
    assert_allclose([sky_mode(*pair) for pair in zip(images, is_good, strict=True)], (21.796, 21.750), atol=6e-4)
    rule = rule_of(read(data("hst/crrejtab/j3m1403io_crr.fits")).content.parts[0].columns, 2, 150.0)
    assert rule == Rule((4.0,), "minimum", "mode", 1.5, 0.75, 0.0, 0)
    found = rejected(images, [150, 150], dq & rule.excluded != 0, rule, read_noise=3.99, is_sky=is_good)
    archived = dq & COSMIC_RAY != 0
    both, either = (found & archived).sum(axis=(1, 2)), (found | archived).sum(axis=(1, 2))
    assert archived.sum(axis=(1, 2)).tolist() == [20020, 10063]
    assert_allclose(both / archived.sum(axis=(1, 2)), (0.996, 0.999), atol=5e-4)
    assert_allclose(both / either, (0.88, 0.86), atol=5e-3)


@cache
def darks(n):
    return dark_group(np.random.default_rng(5), n)


def found_in(group, rule, **options):
    nowhere = np.zeros(group.images.shape[1:], bool)
    return rejected(group.images, group.exposure_s, nowhere, rule, errors=group.errors, **options)


def bright(group, rule):
    """Pixels with more than eight sigma of a cosmic ray."""
    return group.struck > 8 * np.hypot(group.errors, rule.scale_noise * group.glow)


@pytest.mark.parametrize("detector", ["ACS_WFC", "ACS_HRC", "WFC3_UVIS"])
def test_twelve_darks_lose_the_bright_pixels_of_rays_and_hardly_any_other(detector):
    rule, group = IN_FORCE[detector], darks(12)
    found = found_in(group, rule)
    assert bright(group, rule).sum() > 3000
    assert found[bright(group, rule)].mean() >= 0.99
    assert (found & (group.struck == 0)).mean() < 0.001


def test_no_ray_stands_out_of_the_mean_of_two_with_the_scale_noise_of_acs():
    group, table = darks(2), Rule((5.0, 4.0, 3.0), "minimum", "mode", 2.1, 0.5555, 0.3, 39)
    assert found_in(group, WFC)[bright(group, WFC)].mean() == 0
    assert found_in(group, table)[bright(group, table)].mean() >= 0.99


@settings(max_examples=20, deadline=None)
@given(seed=seeds, initial=st.sampled_from(["median", "minimum"]))
def test_the_order_of_exposures_moves_with_them_and_changes_nothing(seed, initial):
    rng = np.random.default_rng(seed)
    images, exposure, excluded, errors = small_group(rng, 6)
    order, rule = rng.permutation(6), replace(WFC, initial=initial)
    for noise in ({"errors": errors}, {"read_noise": 4.0}):
        moved = {key: value[order] if key == "errors" else value for key, value in noise.items()}
        found = rejected(images, exposure, excluded, rule, **noise)
        assert_array_equal(rejected(images[order], exposure[order], excluded[order], rule, **moved), found[order])


@settings(max_examples=20, deadline=None)
@given(seed=seeds, rows=st.integers(1, 40), radius=st.floats(0, 4), initial=st.sampled_from(["median", "minimum"]))
def test_the_rows_of_a_block_change_no_flag(seed, rows, radius, initial):
    rng = np.random.default_rng(seed)
    images, exposure, excluded, errors = small_group(rng, 4, (37, 11))
    rule = Rule((4.0, 3.0, 2.5), initial, "mode", radius, 0.4, 0.0, 0)
    whole = rejected(images, exposure, excluded, rule, errors=errors, block_rows=37)
    assert_array_equal(rejected(images, exposure, excluded, rule, errors=errors, block_rows=rows), whole)


@settings(max_examples=20, deadline=None)
@given(seed=seeds, added=st.integers(1, 100))
def test_a_constant_sky_on_one_exposure_moves_no_flag(seed, added):
    rng = np.random.default_rng(seed)
    # whole numbers above 0 stay so, in the same places of their bins
    images = rng.poisson(40, (4, 40, 40)).astype(np.float32)
    images[rng.random(images.shape) < 0.02] += 200
    lifted = images.copy()
    lifted[1] += added
    errors = np.full_like(images, 6)
    first, second = (rejected(i, [100.0] * 4, False, WFC, errors=errors) for i in (images, lifted))
    assert_array_equal(first, second)
    assert first.any()
    bare = replace(WFC, sky="none")
    if added > 90:
        assert (rejected(lifted, [100.0] * 4, False, bare, errors=errors) != first).any()


@settings(max_examples=30, deadline=None)
@given(seed=seeds, sigmas=st.tuples(st.floats(1, 8), st.floats(1, 8)).map(sorted), n=st.sampled_from([2, 3, 5]))
def test_a_higher_sigma_never_finds_what_a_lower_one_does_not(seed, sigmas, n):
    images, exposure, excluded, errors = small_group(np.random.default_rng(seed), n)
    low, high = (
        rejected(images, exposure, excluded, replace(PLAIN, sigmas=(sigma,)), errors=errors) for sigma in sigmas
    )
    assert not (high & ~low).any()


@settings(max_examples=20, deadline=None)
@given(seed=seeds, n=st.integers(2, 6), initial=st.sampled_from(["median", "minimum"]))
def test_no_pixel_is_lost_to_all_exposures(seed, n, initial):
    images, exposure, _, errors = small_group(np.random.default_rng(seed), n)
    rule = Rule((2.0, 1.0), initial, "none", 1.5, 0.5, 0.0, 0)
    found = rejected(images, exposure, False, rule, errors=errors)
    assert found.any()
    assert (~found & np.isfinite(images)).any(axis=0)[np.isfinite(images).any(axis=0)].all()


def test_a_pixel_that_two_exposures_disagree_on_is_lost_by_the_higher():
    rule = replace(PLAIN, initial="median")
    found = rejected([[[10.0, 10.0]], [[90.0, 10.0]]], [1, 1], False, rule, errors=np.full((2, 1, 2), 4.0))
    assert found.tolist() == [[[False, False]], [[True, False]]]


def spike(value, at=(3, 3), n=3, side=7):
    """A flat group with one pixel of the first exposure off, and errors of 1."""
    images = np.full((n, side, side), 50.0, np.float32)
    images[(0, *at)] += value
    return images, np.ones(n), np.ones_like(images)


@pytest.mark.parametrize(("value", "is_hit"), [(3.9, False), (4.1, True), (-3.9, False), (-4.1, True)])
def test_a_pixel_too_low_is_a_hit_as_one_too_high_is(value, is_hit):
    images, exposure, errors = spike(value)
    found = rejected(images, exposure, False, replace(PLAIN, initial="median"), errors=errors)
    assert found[0, 3, 3] == is_hit
    assert found.sum() == is_hit


@pytest.mark.parametrize(("radius", "n"), [(0.0, 1), (1.0, 5), (1.5, 9), (2.1, 13), (3.0, 29)])
def test_charge_spills_on_the_pixels_whose_centres_are_near(radius, n):
    images, exposure, errors = spike(100.0)
    images[0] += 3
    rule = Rule((4.0,), "median", "none", radius, 0.5, 0.0, 0)
    assert rejected(images, exposure, False, rule, errors=errors).sum(axis=(1, 2)).tolist() == [n, 0, 0]


def test_spilled_charge_ends_at_the_edge_of_the_detector():
    images, exposure, errors = spike(100.0, at=(0, 6))
    images[0] += 3
    rule = Rule((4.0,), "median", "none", 1.5, 0.5, 0.0, 0)
    assert np.argwhere(rejected(images, exposure, False, rule, errors=errors)[0]).tolist() == [
        [0, 5], [0, 6], [1, 5], [1, 6],
    ]  # fmt: skip


def test_an_excluded_pixel_is_no_hit_and_spoils_no_mean_but_takes_spilled_charge():
    images, exposure, errors = spike(1000.0)
    excluded = np.zeros(images.shape, bool)
    excluded[0, 3, 3] = True
    rule = Rule((6.0, 5.0, 4.0), "median", "none", 1.5, 0.5, 0.0, 0)
    assert not rejected(images, exposure, excluded, rule, errors=errors).any()
    images[0, 3, 4] += 100
    assert np.argwhere(rejected(images, exposure, excluded, rule, errors=errors)).tolist() == [[0, 3, 3], [0, 3, 4]]


def test_the_sky_is_that_of_the_pixels_it_is_looked_for_in():
    rng = np.random.default_rng(8)
    images = rng.normal(30, 3, (3, 20, 20))
    images[0, :, 5:] += 40
    edge = np.zeros((20, 20), bool)
    edge[:, :5] = True
    rule, errors = replace(PLAIN, initial="median", sky="mode"), np.full(images.shape, 4.0)
    found = rejected(images, [1.0] * 3, False, rule, errors=errors, is_sky=edge)
    assert_array_equal(found[0], ~edge)
    # of most of its pixels, the first exposure is an even one
    assert_array_equal(rejected(images, [1.0] * 3, False, rule, errors=errors)[0], edge)


def test_noise_grows_with_signal_above_the_sky_and_not_with_what_is_below():
    images = np.array([[[-100.0, 0.0, 100.0]]] * 3)
    images[0] += 8
    rule = replace(PLAIN, initial="median", scale_noise=0.1)
    assert rejected(images, [1.0] * 3, False, rule, errors=np.ones_like(images))[0].tolist() == [[True, True, False]]


def test_no_more_of_a_group_is_held_in_double_precision_than_some_rows():
    images = np.random.default_rng(1).normal(12, 5, (12, 1024, 64)).astype(np.float32)
    errors = np.full_like(images, 5)
    tracemalloc.start()
    try:
        rejected(images, np.ones(12), False, WFC, errors=errors, block_rows=32)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak - images.size < 8 * images.size / 3


def test_arguments_are_left_as_they_were():
    images, exposure, excluded, errors = small_group(np.random.default_rng(3))
    before = [array.copy() for array in (images, exposure, excluded, errors)]
    rejected(images, exposure, excluded, WFC, errors=errors)
    for array, old in zip((images, exposure, excluded, errors), before, strict=True):
        assert_array_equal(array, old)


@pytest.mark.parametrize(("given", "words"), [
    ({"images": np.ones((1, 4, 4)), "exposure_s": [1.0]}, "n > 1"), ({"exposure_s": [1.0]}, "found images"),
    ({"exposure_s": [1.0, 0.0]}, "above 0"), ({"exposure_s": [1.0, np.nan]}, "above 0"),
    ({"errors": None}, "either errors"), ({"read_noise": 4.0}, "either errors"),
    ({"errors": np.ones((2, 4, 3))}, "errors: found"), ({"errors": None, "read_noise": 1.0, "gain": 0.0}, "gain 0"),
    ({"errors": None, "read_noise": -1.0}, "read noise -1"), ({"block_rows": 0}, "found 0"),
    ({"excluded_pixels": np.zeros((3, 4, 4), bool)}, "broadcast"), ({"is_sky": np.zeros((3, 4, 4), bool)}, "broadcast"),
])  # fmt: skip
def test_arguments_that_do_not_fit_are_refused(given, words):
    fit = {"images": np.ones((2, 4, 4)), "exposure_s": [1.0, 1.0], "excluded_pixels": False, "rule": WFC}
    fit["errors"] = np.ones((2, 4, 4))
    rejected(**fit)
    with pytest.raises(ValueError, match=words):
        rejected(**(fit | given))
