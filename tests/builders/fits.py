"""Tiny FITS files, byte by byte; any keyword may be given a wrong value."""

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

BITPIX = {"u1": 8, "i2": 16, "i4": 32, "i8": 64, "f4": -32, "f8": -64}


def card(key: str, value: Any) -> bytes:
    """One card of 80 bytes; bytes are put as they are, None is an undefined value."""
    if isinstance(value, bytes):
        text = value
    elif isinstance(value, bool):
        text = (b"T" if value else b"F").rjust(20)
    elif isinstance(value, str):
        text = b"'" + value.replace("'", "''").ljust(8).encode("utf-8") + b"'"
    else:
        text = b"" if value is None else str(value).encode("ascii")
    return (key.ljust(8).encode("ascii") + b"= " + text).ljust(80)


def hdu(cards: Mapping[str, Any], data: bytes = b"", extra: bytes = b"") -> bytes:
    """A header, then data; `extra` are cards put before END."""
    header = b"".join(card(key, value) for key, value in cards.items()) + extra + b"END".ljust(80)
    return header + b" " * (-len(header) % 2880) + data + b"\0" * (-len(data) % 2880)


def image(pixels: NDArray[Any] | None = None, extra: bytes = b"", primary: bool = True, **cards: Any) -> bytes:
    """An image HDU; without pixels a bare primary header."""
    shape = () if pixels is None else pixels.shape
    bitpix = 8 if pixels is None else BITPIX[pixels.dtype.str[1:]]
    first: dict[str, Any] = {"SIMPLE": True} if primary else {"XTENSION": "IMAGE"}
    axes = {f"NAXIS{i}": n for i, n in enumerate(reversed(shape), 1)}
    data = b"" if pixels is None else pixels.astype(pixels.dtype.newbyteorder(">")).tobytes()
    size = {} if primary else {"PCOUNT": 0, "GCOUNT": 1}
    return hdu(first | {"BITPIX": bitpix, "NAXIS": len(shape)} | axes | size | cards, data, extra)


def table(columns: Mapping[str, tuple[str, NDArray[Any]]], heap: bytes = b"", **cards: Any) -> bytes:
    """A binary table; each column has its TFORM and an array of one row a cell, which is stored big-endian."""
    arrays = [a.astype(a.dtype.newbyteorder(">")) for _, a in columns.values()]
    n_rows = len(arrays[0]) if arrays else 0
    cells = [np.ascontiguousarray(a).view(np.uint8).reshape(n_rows, -1) for a in arrays if n_rows]
    rows = np.hstack(cells) if n_rows else np.empty((0, 0), np.uint8)
    words: dict[str, Any] = {"XTENSION": "BINTABLE", "BITPIX": 8, "NAXIS": 2, "NAXIS1": rows.shape[1], "NAXIS2": n_rows}
    words |= {"PCOUNT": len(heap), "GCOUNT": 1, "TFIELDS": len(columns)}
    for i, (name, (form, _)) in enumerate(columns.items(), 1):
        words |= {f"TTYPE{i}": name, f"TFORM{i}": form}
    return hdu(words | cards, rows.tobytes() + heap)


def tiled(pixels: NDArray[Any], codec: str = "RICE_1", **options: Any) -> bytes:
    """A compressed image HDU, by Astropy."""
    out = io.BytesIO()
    hdus = fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(pixels, compression_type=codec, **options)])
    hdus.writeto(out)
    return out.getvalue()[2880:]


def fits_file(*hdus: bytes) -> bytes:
    """A whole file; a bare primary header is put first where there is none."""
    return b"".join(hdus if hdus and hdus[0].startswith(b"SIMPLE") else (image(), *hdus))


def cells(*values: Any, dtype: str = "i4", shape: tuple[int, ...] = (-1, 1)) -> NDArray[Any]:
    """Values as a column of one row each, or of another shape."""
    return np.array(values, dtype).reshape(shape)


PIXELS = np.arange(12, dtype=np.int16).reshape(3, 4)
GOOD = table({"TIME": ("D", np.array([1.5, 2.5]))}, EXTNAME="EVENTS", TUNIT1="s")
