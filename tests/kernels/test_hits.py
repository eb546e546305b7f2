"""Masks, labels and measures of cosmic rays: laws, a loop over hits, and other libraries."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from scipy import ndimage
from scipy.special import ndtr
from skimage.measure import regionprops_table

from lake.kernels.hits import flagged, labelled, measured, pixel_lists

SQUARE = np.ones((3, 3))
MASKS = arrays(bool, st.tuples(st.integers(1, 24), st.integers(1, 24)), elements=st.booleans())
SUMS = ("n_pixels", "energy_e", "energy_net_e", "peak_e")
MOMENTS = ("iyy_px2", "ixx_px2", "ixy_px2", "size_px", "shape", "theta_deg", "sigma_major_px", "sigma_minor_px")


def field(shape, seed=0, density=0.04):
    """A mask of many hits, a frame with negative pixels, and data quality."""
    rng = np.random.default_rng(seed)
    mask = ndimage.binary_dilation(rng.random(shape) < density / 5, SQUARE) & (rng.random(shape) < 0.8)
    electrons = np.where(mask, rng.exponential(300, shape), 0) + rng.normal(10, 8, shape)
    return mask, electrons, rng.integers(0, 1 << 15, shape).astype(np.int16)


def crowd():
    """More than 10 000 hits, with a diagonal track, a ring, all edges and all corners."""
    mask, electrons, dq = field((2048, 2048), 1)
    y, x = np.indices(mask.shape)
    ring = np.abs(np.hypot(y - 1500, x - 400) - 60) < 1
    line = (y - 200 == x - 500) & (y >= 200) & (y < 1700)
    mask &= ~ndimage.binary_dilation(line | ring, SQUARE, 2)
    mask |= line | ring
    for at in (0, -1):
        mask[at, 100:1000], mask[100:1000, at] = True, True
        mask[at, [0, 1, -2, -1]] = mask[[0, 1, -2, -1], at] = True
    return mask, electrons, dq


def one_by_one(image, electrons, dq, background_e):
    """Each hit on its own, as the definitions read."""
    for label, box in enumerate(ndimage.find_objects(image), 1):
        y, x = np.nonzero(image[box] == label)
        y, x = y + box[0].start, x + box[1].start
        pixel = electrons[y, x].astype(float)
        p = np.maximum(pixel, 0)
        energy = p.sum()
        cy, cx = (p * y).sum() / energy, (p * x).sum() / energy
        iyy, ixx = (p * (y - cy) ** 2).sum() / energy, (p * (x - cx) ** 2).sum() / energy
        ixy = (p * (x - cx) * (y - cy)).sum() / energy
        apart, bits = math.hypot(ixx - iyy, 2 * ixy), int(np.bitwise_or.reduce(dq[y, x]))
        ends = (y.min(), y.max(), x.min(), x.max())
        yield {
            "label": label, "n_pixels": len(p), "energy_e": energy, "energy_net_e": (pixel - background_e).sum(),
            "peak_e": p.max(), "y_px": cy, "x_px": cx, "iyy_px2": iyy, "ixx_px2": ixx, "ixy_px2": ixy,
            "sigma_y_px": math.sqrt(iyy), "sigma_x_px": math.sqrt(ixx), "size_px": math.sqrt((iyy + ixx) / 2),
            "shape": apart / (iyy + ixx), "theta_deg": math.degrees(math.atan2(2 * ixy, ixx - iyy)) / 2,
            "sigma_major_px": math.sqrt((iyy + ixx + apart) / 2),
            "sigma_minor_px": math.sqrt(max(iyy + ixx - apart, 0) / 2),
            **dict(zip(("y_min", "y_max", "x_min", "x_max"), ends, strict=True)),
            "is_at_edge": min(ends) == 0 or ends[1] == image.shape[0] - 1 or ends[3] == image.shape[1] - 1,
            "is_saturated": bits & 256 > 0, "has_hot_pixel": bits & 16 > 0, "dq_or": bits,
        }  # fmt: skip


def test_vectors_and_a_loop_over_hits_measure_the_same():
    mask, electrons, dq = crowd()
    labels = labelled(mask, 2)
    found = measured(labels, electrons, background_e=10.0, dq=dq)
    assert labels.n_hits > 10_000
    assert labels.n_pixels.max() >= 1500
    rows = list(one_by_one(labels.image(), electrons, dq, 10.0))
    for name, column in found.items():
        expected = np.array([row[name] for row in rows])
        # Two widths that differ by rounding alone are one width.
        scale = 1e-12 * np.abs(found["ixx_px2"] + found["iyy_px2"]) if name == "ixy_px2" else 0
        if name == "sigma_minor_px":
            column, expected, scale = column**2, expected**2, 1e-12 * found["sigma_major_px"] ** 2
        assert (np.abs(column - expected.astype(float)) <= 1e-12 * np.abs(expected.astype(float)) + scale).all(), name
    for name in ("energy_e", "y_px", "x_px"):
        assert_allclose(found[name], [row[name] for row in rows], rtol=1e-14)


@given(MASKS, st.integers(0, 4))
def test_hits_are_those_that_scipy_labels_twice(mask, more_than):
    image, n = ndimage.label(mask, SQUARE)
    size = np.bincount(image.ravel(), minlength=n + 1)
    kept = (size > more_than) & (size < 40)
    kept[0] = False
    twice, n_kept = ndimage.label(kept[image], SQUARE)
    labels = labelled(mask, more_than, 40)
    assert_array_equal(labels.image(), twice)
    assert labels.n_hits == n_kept
    assert (labels.n_components, labels.n_small) == (n, (size[1:] <= more_than).sum())
    assert labels.n_large == n - n_kept - labels.n_small


@given(MASKS)
def test_pixels_are_listed_hit_by_hit_and_row_by_row(mask):
    labels = labelled(mask, 0)
    frame = np.arange(mask.size, dtype=float).reshape(mask.shape)
    offsets, y, x, electrons = pixel_lists(labels, frame)
    assert [y.dtype, x.dtype, electrons.dtype] == [np.uint16, np.uint16, np.float32]
    assert offsets[-1] == len(y) == mask.sum()
    image = labels.image()
    for hit in range(labels.n_hits):
        own = slice(offsets[hit], offsets[hit + 1])
        assert_array_equal(np.column_stack([y[own], x[own]]), np.argwhere(image == hit + 1))
        assert_array_equal(electrons[own], frame[image == hit + 1])


def test_the_hand_check_comes_out_to_its_last_digit():
    frame = np.zeros((30, 30))
    frame[[10, 10, 11, 11, 12], [20, 21, 20, 21, 22]] = 100, 300, 50, 150, 25
    found = measured(labelled(frame > 0), frame)
    exact = {"n_pixels": 5, "energy_e": 625, "y_px": 10.4, "x_px": 20.8, "iyy_px2": 0.32, "ixx_px2": 0.24}
    for name, value in {**exact, "ixy_px2": 0.08, "peak_e": 300}.items():
        assert_allclose(found[name], [value], rtol=1e-13)
    assert_allclose([found["size_px"][0], found["shape"][0]], [0.529150262, 0.319438282], atol=5e-10)
    assert_allclose([found["sigma_major_px"][0], found["sigma_minor_px"][0]], [0.607818, 0.436529], atol=5e-7)
    assert_allclose(found["theta_deg"], [58.28], atol=5e-3)


def test_scipy_and_skimage_agree_where_they_mean_the_same():
    mask, electrons, _ = field((400, 500), 3)
    labels = labelled(mask)
    found, image, charge = measured(labels, electrons), labels.image(), np.maximum(electrons, 0)
    which = found["label"]
    assert_allclose(found["energy_e"], ndimage.sum_labels(charge, image, which), rtol=1e-12)
    assert_allclose(found["peak_e"], ndimage.maximum(charge, image, which), rtol=0)
    centre = np.array(ndimage.center_of_mass(charge, image, which))
    assert_allclose(np.column_stack([found["y_px"], found["x_px"]]), centre, rtol=1e-12)
    wanted = ("area", "bbox", "centroid_weighted", "moments_weighted_central")
    theirs = regionprops_table(image, charge, properties=wanted)
    assert_array_equal(found["n_pixels"], theirs["area"])
    for ours, key in (("iyy_px2", "2-0"), ("ixx_px2", "0-2"), ("ixy_px2", "1-1")):
        moment = theirs[f"moments_weighted_central-{key}"] / theirs["moments_weighted_central-0-0"]
        assert_allclose(found[ours], moment, rtol=1e-9, atol=1e-12)
    for ours, key, last in (("y_min", 0, 0), ("x_min", 1, 0), ("y_max", 2, 1), ("x_max", 3, 1)):
        assert_array_equal(found[ours], theirs[f"bbox-{key}"] - last)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 1000))
def test_no_charge_is_lost_or_found(seed):
    mask, electrons, _ = field((60, 70), seed)
    labels = labelled(mask)
    total = np.maximum(electrons, 0)[labels.image() > 0].sum()
    assert_allclose(measured(labels, electrons)["energy_e"].sum(), total, rtol=1e-12)


def test_a_transposed_frame_swaps_the_axes_of_its_hits():
    mask, electrons, _ = field((200, 240), 5)
    ours, theirs = (measured(labelled(m), e) for m, e in ((mask, electrons), (mask.T, electrons.T)))
    here, there = np.lexsort((ours["x_px"], ours["y_px"])), np.lexsort((theirs["y_px"], theirs["x_px"]))
    for a, b in (("iyy_px2", "ixx_px2"), ("y_px", "x_px"), ("y_min", "x_min"), ("y_max", "x_max")):
        assert_allclose(ours[a][here], theirs[b][there], rtol=1e-10)
        assert_allclose(ours[b][here], theirs[a][there], rtol=1e-10)
    for name in ("energy_e", "size_px", "shape", "is_at_edge"):
        assert_allclose(ours[name][here], theirs[name][there], rtol=1e-10)


def test_a_hit_elsewhere_in_the_frame_only_has_another_place():
    mask, electrons, _ = field((200, 240), 6)
    moved = [np.pad(frame, ((1800, 3), (3700, 1))) for frame in (mask, electrons)]
    here, there = measured(labelled(mask), electrons), measured(labelled(moved[0]), moved[1])
    for name in (*SUMS, *MOMENTS):
        assert_allclose(there[name], here[name], rtol=1e-9, atol=1e-8)
    assert_allclose(there["y_px"] - here["y_px"], 1800, rtol=1e-14)
    assert_allclose(there["x_px"] - here["x_px"], 3700, rtol=1e-14)
    assert here["is_at_edge"].any()
    assert not there["is_at_edge"].any()


def test_a_brighter_frame_has_more_charge_and_nothing_else():
    mask, electrons, _ = field((200, 240), 7)
    labels = labelled(mask)
    dim, bright = measured(labels, electrons), measured(labels, electrons * 8)
    for name in dim.keys() - {"is_saturated", "has_hot_pixel", "dq_or"}:
        assert_array_equal(bright[name], dim[name] * (8 if name.endswith("_e") else 1), err_msg=name)


def test_chips_stacked_with_a_gap_have_the_hits_of_each_alone():
    chips = [field((90, 1200), seed) for seed in (8, 9, 10)]
    alone = [measured(labelled(mask), electrons) for mask, electrons, _ in chips]
    stack = [np.concatenate([np.pad(chip[k], ((0, 1), (0, 0))) for chip in chips]) for k in (0, 1)]
    together = measured(labelled(stack[0]), stack[1])
    for name in (*SUMS, "x_px", "x_min", "x_max"):
        assert_array_equal(together[name], np.concatenate([chip[name] for chip in alone]))
    rows = np.concatenate([chip["y_px"] + 91 * k for k, chip in enumerate(alone)])
    assert_allclose(together["y_px"], rows, rtol=1e-13)
    assert labelled(np.concatenate([mask for mask, _, _ in chips])).n_hits < together["label"].size


def test_planted_charge_is_found_without_its_background():
    rng = np.random.default_rng(11)
    place, truth = np.arange(640), rng.uniform(500, 5000, (40, 40))
    centre = rng.uniform(7, 8, (2, 40, 40))[:, place[:, None] // 16, place // 16]
    apart = np.stack([place[:, None] % 16 - centre[0], place % 16 - centre[1]])
    bell = ndtr((apart + 0.5) / 0.35) - ndtr((apart - 0.5) / 0.35)
    light = truth[place[:, None] // 16, place // 16] * bell[0] * bell[1]
    for noise_e, least_e, tolerance in ((0.0, 0.1, 1e-3), (4.0, 15.0, 1.5e-2)):
        frame = light + 10 + rng.normal(0, noise_e, light.shape)
        labels = labelled(light > least_e)
        found = measured(labels, frame, background_e=10.0)
        cell = (found["y_px"] // 16).astype(int), (found["x_px"] // 16).astype(int)
        assert np.unique(cell, axis=1).shape == (2, 1600)
        assert_allclose(np.median(found["energy_net_e"] / truth[cell]), 1, rtol=tolerance)
        if not noise_e:
            assert_allclose(found["energy_net_e"].sum(), truth.sum(), rtol=tolerance)
        level = np.full(frame.shape, 10.0)
        assert_array_equal(measured(labels, frame, background_e=level)["energy_net_e"], found["energy_net_e"])


def test_a_flag_needs_its_bit_and_no_forbidden_one():
    quality = np.array([0, 8192, 8192 | 16, 8192 | 4, 4, 8192 | 256, -32768], np.int16)
    assert flagged(quality).tolist() == [False, True, True, False, False, True, False]
    assert flagged(quality, bits=16 | 4, without=0).tolist() == [False, False, True, True, True, False, False]
    assert flagged(quality, bits=32768).tolist() == [False] * 6 + [True]
    assert not flagged(np.full(3, 255, np.uint8)).any()


def test_a_hit_without_charge_has_no_place_and_a_point_no_shape():
    frame = np.full((9, 20), -5.0)
    mask = np.zeros(frame.shape, bool)
    mask[2, 2:5] = mask[5, 2:5] = mask[5:7, 9:11] = mask[2, 12:15] = True
    frame[5, 3], frame[5:7, 9:11], frame[2, 12:15] = 7, 1, (np.nan, 3, 4)
    found = measured(labelled(mask), frame)
    assert_array_equal(found["energy_e"], [0, np.nan, 7, 4])
    assert_array_equal(np.isnan(found["y_px"]), [True, True, False, False])
    assert_array_equal(np.isnan(found["shape"]), [True, True, True, False])
    assert_array_equal(np.isnan(found["theta_deg"]), [True, True, True, True])
    assert_array_equal(found["peak_e"], [0, 4, 7, 1])


def test_an_empty_mask_has_no_hits_in_any_column():
    for shape in ((5, 6), (0, 6), (5, 0)):
        labels = labelled(np.zeros(shape, bool))
        columns = measured(labels, np.zeros(shape), dq=np.zeros(shape, np.int16))
        assert {column.shape for column in columns.values()} == {(0,)}
        assert columns["energy_e"].dtype == columns["shape"].dtype == np.float64
        assert [part.size for part in pixel_lists(labels, np.zeros(shape))] == [1, 0, 0, 0]
        assert labels.image().shape == shape


def test_neither_bound_of_sizes_is_kept():
    mask = np.zeros((5, 20), bool)
    mask[0, :3], mask[2, :4], mask[4, :5] = True, True, True
    labels = labelled(mask, more_than=3, fewer_than=5)
    assert (labels.n_pixels.tolist(), labels.n_small, labels.n_large) == ([4], 1, 1)


def test_what_is_given_is_left_alone():
    given_ = field((50, 60), 12)
    for array in given_:
        array.flags.writeable = False
    mask, electrons, dq = given_
    assert flagged(dq).shape == mask.shape
    labels = labelled(mask)
    assert len(measured(labels, electrons, dq=dq)["label"]) == len(pixel_lists(labels, electrons)[0]) - 1


@pytest.mark.parametrize("act", [
    lambda: labelled(np.ones((3, 3), int)), lambda: labelled(np.ones(3, bool)),
    lambda: labelled(np.ones((3, 3), bool), 5, 6), lambda: flagged(np.ones(3)),
    lambda: measured(labelled(np.ones((3, 3), bool)), np.ones((3, 4))),
    lambda: measured(labelled(np.ones((3, 3), bool)), np.ones((3, 3)), dq=np.ones((3, 3))),
    lambda: pixel_lists(labelled(np.zeros((65537, 1), bool)), np.zeros((65537, 1))),
])  # fmt: skip
def test_what_is_no_mask_frame_or_size_is_refused(act):
    with pytest.raises(ValueError, match=r"found .*expected"):
        act()
