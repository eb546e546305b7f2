"""Statistics of square tiles of frames.

Counts, least and greatest are exact, and so are sums of whole numbers. Sums of squares are exact for whole numbers of
up to 16 bits in tiles of up to 1448 pixels a side; these and sums of floats else round as float64 does.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Columns = dict[str, Any]


def tile_statistics(pixels: NDArray[Any], tile: int) -> tuple[Columns, NDArray[np.int64]]:
    """Count, sum, sum of squares, least and greatest pixel of each tile.

    Parameters
    ----------
    pixels : bool, int or float, shape (frame, y, x)
        Pixels [any unit], whole numbers of up to 32 bits or floats of up to 64; NaN and infinite ones are left out.
    tile : int
        Side of a tile, 1 or more [px]; tiles at the far edges are smaller.

    Returns
    -------
    columns : dict of arrays, shape (n_tiles,)
        By name: n_pixels int64 [1]; pixel_sum, pixel_min and pixel_max [unit of the pixels], int64 for whole numbers,
        else float64; pixel_sum_of_squares float64 [its square]; tile_y and tile_x int32, the tile's place [1]. Where a
        tile has no finite pixel n_pixels is 0 and the statistics are NaN.
    frame : int64, shape (n_tiles,)
        The place of each tile's frame [1].

    Raises
    ------
    ValueError
        The pixels have other than three axes, or a type whose sums no column holds; the tile is less than 1.
    """
    _refuse_inexact(pixels, tile)
    n, height, width = pixels.shape
    rows, columns = np.arange(0, height, tile), np.arange(0, width, tile)
    shape = (n, len(rows), len(columns))
    real = pixels.dtype.kind == "f"
    finite = np.isfinite(pixels) if real else np.broadcast_to(True, pixels.shape)
    number = np.float64 if real else np.int64
    found: Columns = {"n_pixels": _blocks(np.add, finite, np.int64, rows, columns)}
    clean = np.where(finite, pixels, 0).astype(np.float64) if real else pixels
    found["pixel_sum"] = _blocks(np.add, clean, number, rows, columns)
    # Squares of up to 16 bits and their sums over a tile stay below 2^53, where float64 still counts.
    found["pixel_sum_of_squares"] = _blocks(np.add, np.square(clean, dtype=np.float64), np.float64, rows, columns)
    low, high = (np.where(finite, pixels, edge) for edge in (np.inf, -np.inf)) if real else (pixels, pixels)
    found["pixel_min"] = _blocks(np.minimum, low, number, rows, columns)
    found["pixel_max"] = _blocks(np.maximum, high, number, rows, columns)
    empty = found["n_pixels"] == 0
    for name in ("pixel_sum", "pixel_sum_of_squares", "pixel_min", "pixel_max"):
        if empty.any():
            found[name] = np.where(empty, np.nan, found[name])
        found[name] = found[name].ravel()
    found["n_pixels"] = found["n_pixels"].ravel()
    frame, tile_y, tile_x = (axis.ravel() for axis in np.indices(shape))
    return {**found, "tile_y": tile_y.astype(np.int32), "tile_x": tile_x.astype(np.int32)}, frame


def _refuse_inexact(pixels: NDArray[Any], tile: int) -> None:
    if pixels.ndim != 3:
        raise ValueError(f"pixels: found shape {pixels.shape}, expected (frame, y, x)")
    if pixels.dtype.kind not in "biuf" or pixels.dtype.itemsize > (8 if pixels.dtype.kind == "f" else 4):
        raise ValueError(f"pixels: found {pixels.dtype}, expected whole numbers of up to 32 bits or floats of up to 64")
    if tile < 1 or tile != int(tile):
        raise ValueError(f"tile: found {tile}, expected a whole number of 1 or more")


def _blocks(
    ufunc: np.ufunc, values: NDArray[Any], dtype: type, rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> NDArray[Any]:
    """A ufunc reduced over the tiles that start at these rows and columns, in one fixed order."""
    across = ufunc.reduceat(values, rows, axis=1, dtype=dtype)
    tiles: NDArray[Any] = ufunc.reduceat(across, columns, axis=2, dtype=dtype)
    return tiles
