"""Statistics of square tiles of frames.

Counts, least and greatest are exact, and so are sums of whole numbers. Sums of squares are exact for whole numbers of
up to 16 bits in tiles of up to 1448 pixels a side; these and sums of floats else round as float64 does.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Columns = dict[str, Any]
COLUMNS = {
    "n_pixels": np.int64, "pixel_sum": np.float64, "pixel_sum_of_squares": np.float64, "pixel_min": np.float64,
    "pixel_max": np.float64,
}  # fmt: skip
# Of whole numbers these are whole.
WHOLE = ("pixel_sum", "pixel_min", "pixel_max")


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
    rows, columns = range(0, height, tile), range(0, width, tile)
    number = np.float64 if pixels.dtype.kind == "f" else np.int64
    each = [_summed(frame[y : y + tile, x : x + tile], number) for frame in pixels for y in rows for x in columns]
    found: Columns = {name: np.array([s[k] for s in each], dtype) for k, (name, dtype) in enumerate(COLUMNS.items())}
    if number is np.int64 and all(found["n_pixels"]):
        found |= {name: np.array([s[k] for s in each], number) for k, name in enumerate(COLUMNS) if name in WHOLE}
    frame, tile_y, tile_x = (axis.ravel() for axis in np.indices((n, len(rows), len(columns))))
    return {**found, "tile_y": tile_y.astype(np.int32), "tile_x": tile_x.astype(np.int32)}, frame


def _refuse_inexact(pixels: NDArray[Any], tile: int) -> None:
    if pixels.ndim != 3:
        raise ValueError(f"pixels: found shape {pixels.shape}, expected (frame, y, x)")
    if pixels.dtype.kind not in "biuf" or pixels.dtype.itemsize > (8 if pixels.dtype.kind == "f" else 4):
        raise ValueError(f"pixels: found {pixels.dtype}, expected whole numbers of up to 32 bits or floats of up to 64")
    if tile < 1 or tile != int(tile):
        raise ValueError(f"tile: found {tile}, expected a whole number of 1 or more")


def _summed(block: NDArray[Any], number: type) -> tuple[Any, ...]:
    """The statistics of one tile; of its own order alone, so that the same pixels always give the same."""
    if number is np.float64 and not (finite := np.isfinite(block)).all():
        block = block[finite]
    if not block.size:
        return 0, np.nan, np.nan, np.nan, np.nan
    # Squares of up to 16 bits and their sums over a tile stay below 2^53, where float64 still counts.
    square = np.square(block, dtype=np.float64).sum()
    return block.size, block.sum(dtype=number), square, block.min(), block.max()
