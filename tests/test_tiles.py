"""Statistics of tiles are those of their pixels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lake.tiles import tile_statistics

shapes = st.tuples(st.integers(0, 3), st.integers(1, 9), st.integers(1, 9))
awkward = st.sampled_from([np.nan, np.inf, -np.inf, 0.0, -0.25, 7.5, -3e5])
real = shapes.flatmap(lambda shape: arrays(np.float32, shape, elements=awkward))
counts = st.sampled_from(["bool", "int8", "uint8", "int16", "uint16", "int32", "uint32"])
whole = st.tuples(counts, shapes).flatmap(lambda pair: arrays(*pair))
sides = st.integers(1, 10)


def naive(pixels, tile):
    """Statistics of each tile's finite pixels, tile after tile."""
    n, height, width = pixels.shape
    for frame, y, x in np.ndindex(n, -(-height // tile), -(-width // tile)):
        part = pixels[frame, y * tile : (y + 1) * tile, x * tile : (x + 1) * tile]
        known = part[np.isfinite(part)].astype(np.float64 if pixels.dtype.kind == "f" else np.int64)
        some = known.size > 0
        yield (
            frame, y, x, known.size, known.sum() if some else np.nan,
            (known.astype(np.float64) ** 2).sum() if some else np.nan,
            known.min() if some else np.nan, known.max() if some else np.nan,
        )  # fmt: skip


@given(pixels=st.one_of(real, whole), tile=sides)
def test_a_tile_tells_of_its_finite_pixels_and_no_others(pixels, tile):
    columns, frame = tile_statistics(pixels, tile)
    names = ("tile_y", "tile_x", "n_pixels", "pixel_sum", "pixel_sum_of_squares", "pixel_min", "pixel_max")
    found = [frame, *(columns[name] for name in names)]
    assert columns.keys() == set(names)
    wanted = list(naive(pixels, tile))
    assert len(frame) == len(wanted)
    # squares of 32 bits are rounded
    rounding = 1e-14 if pixels.dtype in (np.int32, np.uint32) else 0
    for column, values in zip(found, zip(*wanted, strict=True), strict=bool(wanted)):
        np.testing.assert_allclose(column, values, rtol=rounding, atol=0)


@given(pixels=whole, tile=sides)
def test_sums_of_whole_numbers_are_whole_numbers(pixels, tile):
    columns, _ = tile_statistics(pixels, tile)
    assert {columns[name].dtype for name in ("pixel_sum", "pixel_min", "pixel_max", "n_pixels")} == {np.dtype("int64")}


def test_sums_of_the_brightest_pixels_are_exact():
    pixels = np.full((1, 1448, 1448), 2**16 - 1, np.uint16)
    columns, _ = tile_statistics(pixels, 1448)
    assert columns["pixel_sum"].tolist() == [65535 * 1448**2]
    assert columns["pixel_sum_of_squares"].tolist() == [65535**2 * 1448**2]


@pytest.mark.parametrize(("pixels", "tile", "said"), [
    (np.zeros((1, 2, 2), np.uint64), 2, "found uint64, expected whole numbers of up to 32 bits"),
    (np.zeros((1, 2, 2), np.int64), 2, "found int64"), (np.zeros((1, 2, 2), complex), 2, "found complex128"),
    (np.zeros((1, 2, 2)), 0, "tile: found 0, expected a whole number of 1 or more"),
    (np.zeros((1, 2, 2)), -2, "tile: found -2"), (np.zeros((1, 2, 2)), 1.5, "tile: found 1.5"),
    (np.zeros((2, 2)), 2, r"found shape \(2, 2\), expected \(frame, y, x\)"),
])  # fmt: skip
def test_pixels_and_tiles_that_give_no_exact_sum_are_refused(pixels, tile, said):
    with pytest.raises(ValueError, match=said):
        tile_statistics(pixels, tile)
