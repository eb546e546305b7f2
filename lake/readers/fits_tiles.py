"""Tile-compressed images: every tile's declared and real size is checked, then Astropy's codecs decode them."""

import re
import struct
import zlib
from math import prod
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from lake.readers.fits_fields import fields
from lake.readers.fits_guard import BLOCK, MOST_BYTES, Hdu
from lake.readers.fits_table import pointers

CODECS = ("RICE_1", "RICE_ONE", "GZIP_1", "GZIP_2", "PLIO_1", "HCOMPRESS_1", "NOCOMPRESS")
COLUMNS = {
    "COMPRESSED_DATA", "GZIP_COMPRESSED_DATA", "UNCOMPRESSED_DATA", "ZSCALE", "ZZERO", "ZBLANK", "NULL_PIXEL_MASK",
}  # fmt: skip
MOST_TILE = 64 << 20
MOST_TILES = 1 << 20
# All that decoding needs; no other card reaches Astropy.
STRUCTURE = re.compile(
    r"XTENSION|BITPIX|NAXIS[12]?|PCOUNT|GCOUNT|TFIELDS|THEAP|BLANK|(TTYPE|TFORM)\d+"
    r"|ZIMAGE|ZCMPTYPE|ZBITPIX|ZNAXIS\d*|(ZTILE|ZNAME|ZVAL)\d+|ZQUANTIZ|ZDITHER0|ZBLANK|ZSCALE|ZZERO"
)
RENAMED = {
    "ZBITPIX": "BITPIX", "ZSIMPLE": "SIMPLE", "ZTENSION": "XTENSION", "ZEXTEND": "EXTEND", "ZPCOUNT": "PCOUNT",
    "ZGCOUNT": "GCOUNT", "ZHECKSUM": "CHECKSUM", "ZDATASUM": "DATASUM",
}  # fmt: skip
OF_THE_TABLE = re.compile(
    r"XTENSION|PCOUNT|GCOUNT|BITPIX|NAXIS\d*|TFIELDS|THEAP|T(TYPE|FORM|UNIT|DIM|NULL|SCAL|ZERO)\d+|CHECKSUM|DATASUM"
    r"|Z(IMAGE|CMPTYPE|MASKCMP|QUANTIZ|DITHER0|BLANK|SCALE|ZERO|SIMPLE|TENSION|EXTEND|BLOCKED)"
    r"|Z(BITPIX|PCOUNT|GCOUNT|HECKSUM|DATASUM|NAXIS\d*|(TILE|NAME|VAL)\d+)"
)


def image_header(hdu: Hdu) -> dict[str, Any]:
    """The header of the image as it was before compression."""
    own = {k: v for k, v in hdu.header.items() if not OF_THE_TABLE.fullmatch(k)}
    image = {new: hdu.header[old] for old, new in RENAMED.items() if old in hdu.header}
    axes = {f"NAXIS{i}": n for i, n in enumerate(hdu.axes("ZNAXIS"), 1)}
    header = {"XTENSION": "IMAGE"} | image | {"NAXIS": len(axes)} | axes | own
    if "SIMPLE" in header:
        del header["XTENSION"]
    if header.get("EXTNAME") == "COMPRESSED_IMAGE":
        del header["EXTNAME"]
    return header


def tiled_pixels(hdu: Hdu, data: bytes) -> NDArray[Any]:
    """The stored pixels of a compressed image, not yet scaled.

    Raises
    ------
    Refused
        A tile declares, or inflates to, more than its share, or its stream says another size than the header.
    """
    shapes = _tile_shapes(hdu)
    _check_tiles(hdu, data, shapes)
    cards = [(key, value) for key, value in hdu.header.items() if STRUCTURE.fullmatch(key)]
    text = fits.Header(cards).tostring(padding=True).encode("ascii")
    padding = b"\0" * (-len(data) % BLOCK)
    table = fits.BinTableHDU.fromstring(text + data + padding)
    pixels = fits.CompImageHDU(bintable=table, do_not_scale_image_data=True).data
    return np.asarray(pixels)


def _tile_shapes(hdu: Hdu) -> list[tuple[int, ...]]:
    """The shape of each tile in the order of the rows, slowest axis first, cut at the edge of the image."""
    axes = hdu.axes("ZNAXIS")
    item = hdu.item_bytes("ZBITPIX")
    tile = [hdu.whole(f"ZTILE{i}", n if i == 1 else 1, least=1) for i, n in enumerate(axes, 1)]
    if not axes or item * prod(axes) > MOST_BYTES:
        raise hdu.too_large("fits-size", item * prod(axes))
    shape = [min(t, n) for t, n in zip(tile, axes, strict=True)]
    if prod(shape) * max(item, 4) > MOST_TILE:
        raise hdu.too_large("fits-tiles", prod(shape) * max(item, 4), MOST_TILE)
    grid = [-(-n // t) for t, n in zip(tile, axes, strict=True)]
    if prod(grid) != hdu.whole("NAXIS2", most=MOST_TILES):
        raise hdu.malformed("fits-tiles", f"found {hdu.whole('NAXIS2')} tiles, expected {prod(grid)}")
    sides = [[min(t, n - k * t) for k in range(g)] for t, n, g in zip(tile, axes, grid, strict=True)]
    backwards = sides[::-1]
    return [tuple(s[k] for s, k in zip(backwards, at, strict=True)) for at in np.ndindex(*grid[::-1])]


def _check_tiles(hdu: Hdu, data: bytes, shapes: list[tuple[int, ...]]) -> None:
    """The settings of the codec, the columns, and each tile."""
    codec = str(hdu.header.get("ZCMPTYPE", "")).strip()
    if codec not in CODECS:
        raise hdu.malformed("fits-tiles", f"found ZCMPTYPE = {codec!r}, expected one of {', '.join(CODECS)}")
    _check_settings(hdu)
    columns = fields(hdu)
    names = [field.name for field in columns]
    if "COMPRESSED_DATA" not in names or not set(names) <= COLUMNS:
        raise hdu.malformed("fits-tiles", f"found {', '.join(names)}, expected COMPRESSED_DATA and columns of its kind")
    for field in filter(lambda field: field.pointer, columns):
        _, starts, sizes = pointers(hdu, field, data)
        check = {"COMPRESSED_DATA": CHECKS.get(codec), "GZIP_COMPRESSED_DATA": _check_gzip}.get(field.name)
        if check is not None:
            for start, size, shape in zip(starts.tolist(), sizes.tolist(), shapes, strict=True):
                if size:
                    check(hdu, data[start : start + size], shape)


def _check_settings(hdu: Hdu) -> None:
    """The numbers that decoders believe; one may come several times, and each has to be sound."""
    for i in range(1, 1000):
        setting = str(hdu.header.get(f"ZNAME{i}", "")).strip().upper()
        if setting == "BLOCKSIZE":
            hdu.whole(f"ZVAL{i}", least=1, most=1 << 16)
        if setting == "BYTEPIX" and hdu.whole(f"ZVAL{i}") not in (1, 2, 4):
            raise hdu.malformed("fits-tiles", f"found BYTEPIX = {hdu.whole(f'ZVAL{i}')}, expected 1, 2 or 4")
    if "ZSCALE" in hdu.header or "ZZERO" in hdu.header:
        # Astropy reads these as columns only, and would leave the pixels unscaled without a word.
        raise hdu.malformed("fits-tiles", "found ZSCALE or ZZERO as a keyword, expected a column")


def _check_gzip(hdu: Hdu, tile: bytes, shape: tuple[int, ...]) -> None:
    """Inflate a tile as far as it may go and not a byte further."""
    most = prod(shape) * max(hdu.item_bytes("ZBITPIX"), 4)
    stream = zlib.decompressobj(31)
    n_bytes = len(stream.decompress(tile, most + 1))
    if n_bytes > most or not stream.eof or stream.unused_data.strip(b"\0"):
        raise hdu.malformed("fits-tiles", f"found a gzip tile of {n_bytes} bytes or more, expected {most} at most")


def _check_hcompress(hdu: Hdu, tile: bytes, shape: tuple[int, ...]) -> None:
    """The size inside the stream is what the decoder writes, whatever room it was given."""
    magic, ny, nx = struct.unpack_from(">2sii", tile)
    if magic != b"\xdd\x99" or min(ny, nx) < 1 or ny * nx != prod(shape):
        raise hdu.malformed("fits-tiles", f"found an HCOMPRESS tile of {ny} x {nx}, expected {prod(shape)} pixels")


def _check_plio(hdu: Hdu, tile: bytes, shape: tuple[int, ...]) -> None:
    """The length inside the list is how far the decoder reads, whatever was stored."""
    words = np.frombuffer(tile, ">i2").astype(int).tolist()
    if len(words) < 5:
        raise hdu.malformed("fits-tiles", f"found a PLIO tile of {len(words)} words, expected a header of 5 or more")
    n_words, first = (words[2], 3) if words[2] > 0 else ((words[4] << 15) + words[3], words[1])
    if not 0 <= first <= n_words <= len(words):
        raise hdu.malformed("fits-tiles", f"found a PLIO tile of {n_words} words, expected {len(words)} at most")


CHECKS = {"GZIP_1": _check_gzip, "GZIP_2": _check_gzip, "HCOMPRESS_1": _check_hcompress, "PLIO_1": _check_plio}
