"""How many times faster hits are found and measured than by the plain route, each pair of times from one run."""

from time import perf_counter

import numpy as np
import pytest
from astropy.stats import sigma_clipped_stats
from scipy import ndimage

from lake.kernels.hits import labelled, measured
from lake.kernels.thresholds import threshold_of
from tests.kernels.test_hits import SQUARE, field, one_by_one

pytestmark = pytest.mark.slow
FULL = (2051, 4096)
HIT = 0.015
"""Rays that let a fiftieth of the pixels be hit, as 1000 s do."""


def ratio(plain, ours, n_plain=2, n_ours=40):
    """Shortest time of one over that of the other."""
    shortest = []
    for act, n in ((ours, n_ours), (plain, n_plain)):
        times = []
        for _ in range(n):
            start = perf_counter()
            act()
            times.append(perf_counter() - start)
        shortest.append(min(times))
    return shortest[1] / shortest[0]


def test_threshold_and_labels_of_a_full_frame_take_a_third_of_the_plain_route():
    mask, electrons, _ = field(FULL, 1, density=HIT)
    frame = electrons.astype(np.float32)

    def plain():
        clipped = np.maximum(frame, 0)
        sigma_clipped_stats(clipped, sigma=3, maxiters=5, cenfunc="median", stdfunc="std")
        np.median(np.abs(clipped - np.median(clipped)))
        image, _ = ndimage.label(mask, SQUARE)
        size = np.bincount(image.ravel())
        size[0] = 0
        ndimage.label(((size > 2) & (size < 100_000))[image], SQUARE)

    def ours():
        threshold_of(frame)
        labelled(mask)

    assert ratio(plain, ours) >= 3


def test_labels_take_no_longer_than_two_and_a_half_plain_labelling_calls():
    mask, _, _ = field(FULL, 2, density=HIT)
    assert ratio(lambda: ndimage.label(mask, SQUARE), lambda: labelled(mask), 9) >= 1 / 2.5


def test_hits_are_measured_200_times_faster_than_one_by_one():
    mask, electrons, dq = field((2048, 2048), 3, density=HIT)
    labels = labelled(mask)
    image = labels.image()
    plain = ratio(lambda: list(one_by_one(image, electrons, dq, 0.0)), lambda: measured(labels, electrons, dq=dq), 1)
    assert plain >= 200
