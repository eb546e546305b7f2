"""Statistics of square tiles of frames, exact for integers of up to 16 bits."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Columns = dict[str, Any]


def tile_statistics(pixels: NDArray[Any], tile: int) -> tuple[Columns, NDArray[np.int64]]:
    """Count, sum, sum of squares, least and greatest pixel of each tile.

    Parameters
    ----------
    pixels : shape (frame, y, x); pixels that are NaN or infinite are left out.
    tile : side of a tile; those at the far edges are smaller.

    Returns
    -------
    columns : one array a statistic, one entry a tile; NaN where a tile has no finite pixel.
    frame : int64, the place of each entry's frame.
    """
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


def _blocks(
    ufunc: np.ufunc, values: NDArray[Any], dtype: type, rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> NDArray[Any]:
    """A ufunc reduced over the tiles that start at these rows and columns, in one fixed order."""
    across = ufunc.reduceat(values, rows, axis=1, dtype=dtype)
    tiles: NDArray[Any] = ufunc.reduceat(across, columns, axis=2, dtype=dtype)
    return tiles
