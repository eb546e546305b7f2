"""FITS images: what was written is read, whatever codec packed it."""

import numpy as np
import pytest
from astropy.io import fits
from numpy.testing import assert_array_equal

from tests.builders.fits import PIXELS, cells, image, tiled


@pytest.mark.parametrize("dtype", ["u1", "i2", "i4", "i8", "f4", "f8"])
def test_an_image_reads_back_in_native_order_with_its_shape_and_unit(decode, dtype):
    pixels = np.arange(24).reshape(2, 3, 4).astype(dtype)
    part = decode(image(pixels, BUNIT="DN")).part("")
    assert_array_equal(part.pixels, pixels)
    assert part.pixels.dtype == np.dtype(dtype)
    assert part.unit("pixels") == "DN"


def test_scaled_integers_become_real_numbers_and_their_blanks_nan(decode):
    part = decode(image(cells(1, 2, -99, dtype="i2"), BSCALE=0.5, BZERO=10.0, BLANK=-99)).part("")
    assert_array_equal(part.pixels[:, 0], [10.5, 11, np.nan])
    assert part.pixels.dtype == np.float32


def test_a_declared_blank_makes_real_numbers_and_no_blank_leaves_integers(decode):
    assert decode(image(PIXELS, BLANK=5)).part("").pixels.dtype == np.float32
    assert np.isnan(decode(image(PIXELS, BLANK=5)).part("").pixels[1, 1])
    assert decode(image(PIXELS)).part("").pixels.dtype == np.int16


@pytest.mark.parametrize(("dtype", "zero"), [("i2", 1 << 15), ("i4", 1 << 31), ("i8", 1 << 63)])
def test_an_offset_of_half_the_range_means_unsigned(decode, dtype, zero):
    lowest = np.iinfo(dtype).min
    pixels = decode(image(cells(lowest, 0, -lowest - 1, dtype=dtype), BZERO=zero)).part("").pixels
    assert pixels.dtype == np.dtype(dtype.replace("i", "u"))
    assert pixels[:, 0].tolist() == [0, zero, 2 * zero - 1]


def test_bytes_with_an_offset_of_minus_128_are_signed(decode):
    pixels = decode(image(cells(0, 128, 255, dtype="u1"), BZERO=-128)).part("").pixels
    assert pixels.dtype == np.int8
    assert pixels[:, 0].tolist() == [-128, 0, 127]


@pytest.mark.parametrize("codec", ["RICE_1", "GZIP_1", "GZIP_2", "PLIO_1", "HCOMPRESS_1", "NOCOMPRESS"])
@pytest.mark.parametrize("dtype", ["u1", "i2", "i4"])
def test_every_lossless_codec_gives_the_pixels_back(decode, codec, dtype):
    pixels = np.random.default_rng(3).integers(0, 100, (38, 44)).astype(dtype)
    part = decode(tiled(pixels, codec, tile_shape=(16, 20))).part("")
    assert_array_equal(part.pixels, pixels)
    assert part.pixels.dtype == np.dtype(dtype)
    assert (part.header["NAXIS1"], part.header["NAXIS2"]) == (44, 38)
    assert not {"ZIMAGE", "TFORM1", "TFIELDS"} & set(part.header)


def test_quantised_and_unsigned_tiles_read_as_astropy_reads_them(decode, tmp_path):
    pixels = np.random.default_rng(3).normal(10, 2, (40, 40)).astype("f4")
    pixels[3, 4] = np.nan
    for hdu in (
        tiled(pixels, quantize_method=1, dither_seed=7),
        tiled(pixels, "GZIP_2", quantize_level=0),
        tiled(np.arange(1600, dtype="u2").reshape(40, 40) * 40),
    ):
        found = decode(hdu).part("").pixels
        assert_array_equal(found, fits.getdata(tmp_path / "a.fits", 1))
