"""Cosmic rays in a detector frame: masked pixels, joined to hits, and what each hit measures.

A frame is one sub-image, `[y, x]`, pixel centres at whole numbers. Chips are labelled one by one: stacked without a
gap, rays at their common edge would join.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from lake.kernels.values import Flags, Floats, floats

RAY_BITS = 8192
"""Data quality of a pixel that the rejection of cosmic rays marked; the same bit on ACS, STIS and WFC3."""
BAD_PIXEL_BITS = 4
MORE_THAN = 2
"""Charge spreads over three pixels and more: one or two are almost always noise or a hot pixel."""
FEWER_THAN = 100_000
SATURATED_BITS = 256
HOT_BITS = 16


@dataclass(frozen=True)
class Labels:
    """Hits of one frame: connected pixels, listed hit by hit.

    Attributes
    ----------
    index : int64, shape (n_masked,)
        Places of pixels in the flattened frame, by label, and in raster order within one.
    label : int32, shape (n_masked,)
        Label of each pixel; 1 to n_hits in raster order of the hits' first pixels.
    n_pixels : int64, shape (n_hits,)
        Pixels of each hit.
    shape : rows and columns of the frame.
    n_components : connected sets of pixels before any was left out.
    n_small, n_large : those left out as too small and too large.
    """

    index: NDArray[np.int64]
    label: NDArray[np.int32]
    n_pixels: NDArray[np.int64]
    shape: tuple[int, int]
    n_components: int = 0
    n_small: int = 0
    n_large: int = 0

    @property
    def n_hits(self) -> int:
        """Number of hits."""
        return self.n_pixels.size

    @property
    def offsets(self) -> NDArray[np.int64]:
        """Where in `index` each hit begins.

        Returns
        -------
        int64, shape (n_hits + 1,)
            Places [1]; the last is the number of pixels.
        """
        return np.concatenate(([0], np.cumsum(self.n_pixels)))

    def image(self) -> NDArray[np.int32]:
        """The frame of labels.

        Returns
        -------
        int32, shape (y, x)
            Label of each pixel [1]; 0 where there is no hit.
        """
        image = np.zeros(self.shape, np.int32)
        image.reshape(-1)[self.index] = self.label
        return image


def flagged(dq: ArrayLike, bits: int = RAY_BITS, without: int = BAD_PIXEL_BITS) -> Flags:
    """Pixels with one of some data-quality bits and none of others.

    Parameters
    ----------
    dq : int, shape (...)
        Data quality [1], signed or not.
    bits : int
        Any of these must be set [1]. A hot pixel that a ray hit has more bits than one, and stays.
    without : int
        None of these may be set [1]; by default that of bad detector pixels.

    Returns
    -------
    bool, shape (...)
        A flag for each pixel.

    Raises
    ------
    ValueError
        Data quality is no integer.
    """
    quality = np.asarray(dq)
    if quality.dtype.kind not in "iu":
        raise ValueError(f"dq: found {quality.dtype}, expected an integer")
    # A bit that the type does not hold is set nowhere; 32768 is the sign of an int16.
    wanted, unwanted = np.array([bits, without]).astype(quality.dtype)
    flags: Flags = (quality & wanted != 0) & (quality & unwanted == 0)
    return flags


def labelled(mask: ArrayLike, more_than: int = MORE_THAN, fewer_than: int = FEWER_THAN) -> Labels:
    """Masked pixels that touch by a side or a corner, joined to hits.

    Parameters
    ----------
    mask : bool, shape (y, x)
        Which pixels are hit, as a flag.
    more_than, fewer_than : int
        Sizes between which a hit is kept, neither included [px].

    Returns
    -------
    Labels
        None, with empty arrays of shape (0,), where no pixel is masked.

    Raises
    ------
    ValueError
        The mask is no frame of flags, or no size is between the two.
    """
    flags = np.asarray(mask)
    if flags.dtype != bool or flags.ndim != 2:
        raise ValueError(f"mask: found {flags.dtype}, shape {flags.shape}, expected bool, shape (y, x)")
    if fewer_than - more_than < 2:
        raise ValueError(f"sizes: found more than {more_than} and fewer than {fewer_than}, expected a size between")
    index = np.flatnonzero(flags)
    begin = _run_starts(index, flags.shape[1])
    length = np.diff(begin, append=index.size)
    n_components, component = _components(index[begin], length, flags.shape[1])
    size = np.bincount(component, length, minlength=n_components).astype(np.int64)
    kept = (size > more_than) & (size < fewer_than)
    label = np.repeat((np.cumsum(kept) * kept)[component], length)
    # One sort of whole numbers, label above place, is faster than a stable one of labels.
    key = np.sort((label << 32 | index)[label > 0])
    return Labels(
        index=key & 0xFFFFFFFF,
        label=(key >> 32).astype(np.int32),
        n_pixels=size[kept],
        shape=(flags.shape[0], flags.shape[1]),
        n_components=n_components,
        n_small=int((size <= more_than).sum()),
        n_large=int((size >= fewer_than).sum()),
    )


def measured(
    labels: Labels,
    electrons: ArrayLike,
    *,
    background_e: ArrayLike = 0.0,
    dq: ArrayLike | None = None,
    saturated_bits: int = SATURATED_BITS,
    hot_bits: int = HOT_BITS,
) -> dict[str, Any]:
    """Charge, place, size and shape of each hit.

    Moments are weighted by charge, negative pixels counting as 0, without a correction for the width of a pixel.

    Parameters
    ----------
    labels : Labels
    electrons : int or float, shape (y, x)
        The frame [e]. A masked or NaN pixel makes sums and moments of its own hit NaN, and of no other.
    background_e : float, shape () or (y, x)
        What a pixel holds without a ray, taken from the net charge alone [e].
    dq : int, shape (y, x)
        Data quality [1]; without it `is_saturated`, `has_hot_pixel` and `dq_or` are None.
    saturated_bits, hot_bits : int
        Bits of which one tells that a pixel is full, or hot [1].

    Returns
    -------
    dict of arrays, shape (n_hits,)
        By column name, in the units that the names end in [e, px, px2, deg]; `shape` is 0 where round and 1 on a line,
        `theta_deg` goes from +x to +y, `x_max` and `y_max` are in the hit. Places and moments are NaN where it has no
        charge, `shape` in a point, and `theta_deg` also in what is round.

    Raises
    ------
    ValueError
        A frame has not the labels' shape, or is of no numbers.

    References
    ----------
    Miles et al. (2021), ApJ 918, 86: energy, size and shape. Net charge and principal axes are additions.
    """
    pixel, level = _taken(labels, electrons), floats(background_e)
    level = _taken(labels, level) if level.ndim else np.broadcast_to(level, pixel.shape)
    sums = _moments(labels.offsets, labels.index, labels.shape[1], pixel, level)
    columns = {"label": np.arange(1, labels.n_hits + 1, dtype=np.int32), "n_pixels": labels.n_pixels}
    columns |= zip(("energy_e", "energy_net_e", "peak_e", "y_px", "x_px"), sums[:5], strict=True)
    columns |= _axes(*sums[5:8]) | _bounds(labels.shape, sums[8:])
    return columns | _quality(labels, dq, saturated_bits, hot_bits)


def pixel_lists(
    labels: Labels, electrons: ArrayLike
) -> tuple[NDArray[np.int32], NDArray[np.uint16], NDArray[np.uint16], NDArray[np.float32]]:
    """Pixels of each hit, as columns of lists hold them.

    Parameters
    ----------
    labels : Labels
    electrons : int or float, shape (y, x)
        The frame [e], as it is: negative pixels stay, NaN too.

    Returns
    -------
    offsets : int32, shape (n_hits + 1,)
        Where each hit's pixels begin [1].
    y_px, x_px : uint16, shape (n_masked,)
        Rows and columns, by label, in raster order within one [px].
    pixel_e : float32, shape (n_masked,)
        Charge [e].

    Raises
    ------
    ValueError
        The frame has not the labels' shape, is of no numbers, or is longer than uint16 counts.
    """
    if max(labels.shape) > np.iinfo(np.uint16).max + 1:
        raise ValueError(f"frame: found shape {labels.shape}, expected 65536 rows and columns at most")
    y, x = np.divmod(labels.index, max(labels.shape[1], 1))
    charge = _taken(labels, electrons).astype(np.float32)
    return labels.offsets.astype(np.int32), y.astype(np.uint16), x.astype(np.uint16), charge


def _run_starts(index: NDArray[np.int64], width: int) -> NDArray[np.int64]:
    """Which masked pixels are the first of a run along their row."""
    is_first = np.ones(index.size, bool)
    np.not_equal(index[1:], index[:-1] + 1, out=is_first[1:])
    is_first |= index % max(width, 1) == 0
    return np.flatnonzero(is_first)


def _components(start: NDArray[np.int64], length: NDArray[np.int64], width: int) -> tuple[int, NDArray[np.int32]]:
    """Number of connected sets of runs, and the set of each, numbered in order of their first runs."""
    # Two columns wider, the frame's rows do not touch each other round its edges.
    first = start + 2 * (start // max(width, 1))
    last = first + length - 1
    # The row below, and one column to either side.
    low = np.searchsorted(last, first + width + 1)
    high = np.searchsorted(first, last + width + 3, side="right")
    n_below = high - low
    row = np.concatenate(([0], np.cumsum(n_below)))
    below = np.arange(row[-1]) + np.repeat(low - row[:-1], n_below)
    touching = csr_array((np.ones(below.size, np.int8), below, row), shape=(start.size, start.size))
    n, component = connected_components(touching, directed=False)
    return int(n), component


def _taken(labels: Labels, frame: ArrayLike) -> Floats:
    """Values of a frame at the labels' pixels."""
    given = np.asanyarray(frame)
    if given.shape != labels.shape:
        raise ValueError(f"frame: found shape {given.shape}, expected that of the labels, {labels.shape}")
    taken = given.reshape(-1).take(labels.index)
    # What is not masked needs no second copy.
    return taken if type(taken) is np.ndarray and taken.dtype == np.float64 else floats(taken)


@njit(nogil=True, cache=True, error_model="numpy")
def _moments(offsets: NDArray[np.int64], index: NDArray[np.int64], width: int, pixel: Floats, level: Floats) -> Floats:
    """Of each hit: charge, net, peak; centroid (y, x); second moments (yy, xx, xy); first, last y; first, last x."""
    out = np.zeros((12, offsets.size - 1))
    for hit in range(offsets.size - 1):
        begin, end = offsets[hit], offsets[hit + 1]
        energy = energy_net = peak = y_sum = x_sum = yy = xx = xy = 0.0
        y_min = y = index[begin] // width
        x_min = x_max = index[begin] - y * width
        for i in range(begin, end):
            # A hit has pixels in every row it spans: the next one's is this or the one below.
            y += index[i] >= (y + 1) * width
            x = index[i] - y * width
            # NaN is not below 0, and stays.
            charge = 0.0 if pixel[i] < 0 else pixel[i]
            energy += charge
            energy_net += pixel[i] - level[i]
            y_sum += charge * y
            x_sum += charge * x
            if pixel[i] > peak:
                peak = pixel[i]
            x_min, x_max = min(x_min, x), max(x_max, x)
        y_max, y, y_mean, x_mean = y, y_min, y_sum / energy, x_sum / energy
        for i in range(begin, end):
            y += index[i] >= (y + 1) * width
            charge = 0.0 if pixel[i] < 0 else pixel[i]
            dy, dx = y - y_mean, index[i] - y * width - x_mean
            yy += charge * dy * dy
            xx += charge * dx * dx
            xy += charge * dy * dx
        out[0, hit], out[1, hit], out[2, hit], out[3, hit], out[4, hit] = energy, energy_net, peak, y_mean, x_mean
        out[5, hit], out[6, hit], out[7, hit] = yy / energy, xx / energy, xy / energy
        out[8, hit], out[9, hit], out[10, hit], out[11, hit] = y_min, y_max, x_min, x_max
    return out


def _axes(iyy: Floats, ixx: Floats, ixy: Floats) -> dict[str, Floats]:
    """Second moments, and the size, shape and axes they make."""
    both, apart = ixx + iyy, np.sqrt((ixx - iyy) ** 2 + 4 * ixy**2)
    with np.errstate(invalid="ignore"):
        shape = np.minimum(apart / both, 1)
    return {
        "iyy_px2": iyy,
        "ixx_px2": ixx,
        "ixy_px2": ixy,
        "sigma_y_px": np.sqrt(iyy),
        "sigma_x_px": np.sqrt(ixx),
        "size_px": np.sqrt(both / 2),
        "shape": shape,
        "theta_deg": np.where(apart > 0, np.degrees(np.arctan2(2 * ixy, ixx - iyy)) / 2, np.nan),
        "sigma_major_px": np.sqrt((both + apart) / 2),
        "sigma_minor_px": np.sqrt(np.maximum(both - apart, 0) / 2),
    }


def _bounds(shape: tuple[int, int], edges: Floats) -> dict[str, NDArray[Any]]:
    """First and last row and column of each hit, and whether they are the frame's."""
    y_min, y_max, x_min, x_max = edges.astype(np.int32)
    is_at_edge = (y_min == 0) | (y_max == shape[0] - 1) | (x_min == 0) | (x_max == shape[1] - 1)
    return {"y_min": y_min, "y_max": y_max, "x_min": x_min, "x_max": x_max, "is_at_edge": is_at_edge}


def _quality(labels: Labels, dq: ArrayLike | None, saturated: int, hot: int) -> dict[str, Any]:
    """Data-quality bits of any pixel of each hit; only the 16 that an instrument has."""
    if dq is None:
        return {"is_saturated": None, "has_hot_pixel": None, "dq_or": None}
    given = np.asarray(dq)
    if given.shape != labels.shape or given.dtype.kind not in "iu":
        raise ValueError(f"dq: found {given.dtype}, shape {given.shape}, expected integers, shape {labels.shape}")
    bits = np.bitwise_or.reduceat(given.reshape(-1).take(labels.index).astype(np.uint16), labels.offsets[:-1])
    return {"is_saturated": bits & saturated != 0, "has_hot_pixel": bits & hot != 0, "dq_or": bits}
