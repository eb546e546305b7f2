"""Hits of an image, told by flags, by comparison or by a threshold, with what is counted of the image as a whole."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lake.kernels.detectors import Detector
from lake.kernels.hits import BAD_PIXEL_BITS, RAY_BITS, Labels, flagged, labelled, measured, pixel_lists
from lake.kernels.rates import overlap_corrected, poisson_interval, rate
from lake.kernels.rejections import Rule, flags_set, rejected
from lake.kernels.thresholds import background_of, threshold_of
from lake.kernels.values import Flags
from lake.source import Ragged

Columns = dict[str, Any]
Pixels = NDArray[np.float32]
METHODS = ("auto", "flags", "rejection", "threshold")
# Of infrared ramps: unstable pixels are no hits either.
UNSTABLE_BITS = 32
RAMP_MORE_THAN, RAMP_FEWER_THAN = 1, 100
RAMP_SIGMAS, RAMP_CLIP, RAMP_ROUNDS = 5.0, 3.0, 2
KEPT = ("n_pixels", "energy_e", "y_px", "x_px", "size_px", "shape", "is_at_edge", "is_saturated", "has_hot_pixel")
DETAILS = (
    "energy_net_e", "peak_e", "theta_deg", "sigma_major_px", "sigma_minor_px", "y_min", "y_max", "x_min", "x_max",
    "dq_or",
)  # fmt: skip
RATES = ("rate_per_s_cm2", "rate_low_per_s_cm2", "rate_high_per_s_cm2")
TOTALS = ("n_hits", "n_hits_corrected", "live_fraction", "energy_e", *RATES)


@dataclass(frozen=True)
class Finding:
    """How hits are told.

    Attributes
    ----------
    method : `flags` (bit 8192 of the quality), `rejection` (comparison with a group) or `threshold`; `auto` where
        that is left to what a file has.
    n_spreads : height of the threshold above the median, in spreads of the image [1].
    threshold_e : the threshold itself where it is above 0 [electron].
    more_than, fewer_than : sizes between which a hit is kept, neither included [px].

    Raises
    ------
    ValueError
        The method is another, a height is below 0 or none, or no size is between the two.
    """

    method: str = "flags"
    n_spreads: float = 5.0
    threshold_e: float = 0.0
    more_than: int = 2
    fewer_than: int = 100_000

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"method: found {self.method!r}, expected one of {', '.join(METHODS)}")
        if not (0 <= self.n_spreads < np.inf and 0 <= self.threshold_e < np.inf):
            raise ValueError(f"found n_spreads {self.n_spreads} and threshold_e {self.threshold_e}, expected 0 or more")
        if self.fewer_than - self.more_than < 2:
            found = f"more than {self.more_than} and fewer than {self.fewer_than}"
            raise ValueError(f"sizes: found {found}, expected a size between")


@dataclass(frozen=True)
class Measured:
    """One image, measured.

    Attributes
    ----------
    image : columns of the table of images, one value each.
    hits : columns of the tables of hits and of their details, arrays of one length, with `offsets`, `y`, `x` and `e`
        of their pixels.
    """

    image: Columns
    hits: Columns


def image_measured(
    electrons: Pixels,
    quality: NDArray[np.uint16] | None,
    finding: Finding,
    *,
    is_rejected: Flags | None = None,
) -> Measured:
    """Hits of one chip.

    Parameters
    ----------
    electrons : float32, shape (y, x)
        Its pixels [electron]; NaN and infinite ones are never hit.
    quality : uint16, shape (y, x)
        Its quality bits; None where there are none.
    finding : Finding
    is_rejected : bool, shape (y, x)
        Flag of what stands out of its group, for the method `rejection`.

    Returns
    -------
    Measured

    Raises
    ------
    ValueError
        The method needs flags that are not given.
    """
    limit: float | None = None
    can_be_hit = np.isfinite(electrons)
    if finding.method == "threshold":
        limit = finding.threshold_e or threshold_of(electrons, finding.n_spreads).threshold_e
        mask = (electrons > limit) & can_be_hit
    elif finding.method == "rejection" and is_rejected is not None:
        mask = is_rejected & can_be_hit
    elif finding.method == "flags" and quality is not None:
        mask = flagged(quality) & can_be_hit
    else:
        raise ValueError(f"hits by {finding.method}: found no flags, expected some of each pixel")
    if quality is not None and limit is None:
        can_be_hit &= (quality & BAD_PIXEL_BITS) == 0
        mask &= can_be_hit
    labels = labelled(mask, finding.more_than, finding.fewer_than)
    found = _measured(labels, electrons, quality, int(can_be_hit.sum()))
    return Measured({**found.image, "threshold_e": limit}, found.hits)


def ramp_measured(
    detector: Detector,
    rates: Sequence[Pixels],
    quality: Sequence[NDArray[np.uint16] | None],
    sample_s: Sequence[float],
    step_s: Sequence[float],
) -> Iterator[tuple[int, Measured]]:
    """Hits of each read of an infrared ramp: those that the read before it did not have.

    Parameters
    ----------
    detector : Detector
    rates : float32, shape (y, x) each
        Reads in the order of time, the zeroth first [electron/s]; NaN is never hit.
    quality : uint16, shape (y, x) each
        Quality bits; where the CR bit is set nowhere, hits are what jumps by 5 sigma.
    sample_s, step_s : float
        Time of each read since the zeroth and since the one before [s].

    Yields
    ------
    Number of the read, and what was measured of the charge that it gathered [electron].
    """
    b = detector.border
    inner = (slice(b, -b or None), slice(b, -b or None))
    bits = [None if q is None else q[inner] for q in quality]
    has_flags = any(q is not None and (q & RAY_BITS).any() for q in bits)
    for k in range(1, len(rates)):
        if step_s[k] <= 0:
            continue
        # What the zeroth read counts from is nothing.
        gathered = (rates[k] * np.float32(sample_s[k]) - rates[k - 1] * np.float32(sample_s[k - 1]))[inner]
        limit = None if has_flags else jump_threshold(gathered)
        found = _read_measured(gathered, bits[k], bits[k - 1], limit)
        shifted = {**found.hits, "y_px": found.hits["y_px"] + b, "x_px": found.hits["x_px"] + b}
        shifted |= {"y": found.hits["y"] + np.uint16(b), "x": found.hits["x"] + np.uint16(b)}
        yield k, Measured({**found.image, "threshold_e": limit}, shifted)


def _read_measured(
    gathered: Pixels, now: NDArray[np.uint16] | None, before: NDArray[np.uint16] | None, limit: float | None
) -> Measured:
    """Hits of what a read gathered: above a limit, or where it has the CR bit and the read before has not."""
    usable = np.isfinite(gathered)
    if limit is not None:
        labels = labelled(usable & (gathered > limit), RAMP_MORE_THAN, RAMP_FEWER_THAN)
    else:
        none = np.zeros(gathered.shape, np.uint16)
        now, before = none if now is None else now, none if before is None else before
        usable &= (now & (BAD_PIXEL_BITS | UNSTABLE_BITS)) == 0
        labels = labelled(usable & ((now & RAY_BITS) != 0) & ((before & RAY_BITS) == 0))
    return _measured(labels, gathered, now, int(usable.sum()))


def jump_threshold(electrons: Pixels) -> float:
    """Charge above which a pixel of a read jumped.

    Parameters
    ----------
    electrons : float32, shape (y, x)
        What a read gathered [electron]; only what is above 0 is looked at.

    Returns
    -------
    float
        Median and five standard deviations after two rounds of clipping at three [electron]; infinite where nothing
        is above 0.
    """
    kept = electrons[electrons > 0].astype(np.float64)
    if not kept.size:
        return np.inf
    for _ in range(RAMP_ROUNDS):
        kept = kept[np.abs(kept - np.median(kept)) <= RAMP_CLIP * kept.std()]
    return float(np.median(kept) + RAMP_SIGMAS * kept.std())


def _measured(labels: Labels, electrons: Pixels, quality: NDArray[np.uint16] | None, n_pixels: int) -> Measured:
    """Counts of an image and measures of its hits."""
    background_e, spread_e = background_of(electrons)
    columns = measured(labels, electrons, background_e=background_e, dq=quality)
    offsets, y, x, e = pixel_lists(labels, electrons)
    n = labels.n_hits
    hits = {name: _known(columns[name], n) for name in (*KEPT, *DETAILS)}
    hits |= {"hit_id": columns["label"], "offsets": offsets, "y": y, "x": x, "e": e}
    n_hit = int(labels.n_pixels.sum())
    image = {
        "background_e": background_e,
        "background_spread_e": spread_e,
        "n_pixels": n_pixels,
        "n_pixels_hit": n_hit,
        "n_components": labels.n_components,
        "n_small": labels.n_small,
        "n_large": labels.n_large,
        "n_hits": n,
        "n_hits_corrected": float(overlap_corrected(n, n_hit, max(n_pixels, 1))),
        "energy_e": float(np.nansum(columns["energy_e"])),
    }
    return Measured(image, hits)


def _known(values: Any, n: int) -> NDArray[Any]:
    """A column; false or 0 where the image has no quality that could tell."""
    return np.zeros(n, bool) if values is None else np.asarray(values)


def joined(parts: Sequence[tuple[Mapping[str, Any], Columns]]) -> Columns:
    """Hits of several images as columns of one table.

    Parameters
    ----------
    parts : sequence of (mapping, columns)
        Of each image what all of its hits share, and their columns as `Measured.hits` has them.

    Returns
    -------
    dict of arrays, shape (n_hits,)
        Those columns one image after the other, and lists of the pixels of each hit.
    """
    found: Columns = {
        name: np.concatenate([columns[name] for _, columns in parts]) for name in parts[0][1] if name != "offsets"
    }
    sizes = [np.diff(columns["offsets"]) for _, columns in parts]
    offsets = np.concatenate([np.zeros(1, np.int32), np.cumsum(np.concatenate(sizes), dtype=np.int32)])
    for name in ("y", "x", "e"):
        found[f"pixels_{name}"] = Ragged(offsets, found.pop(name))
    for name in parts[0][0]:
        found[name] = np.repeat([common[name] for common, _ in parts], [len(size) for size in sizes])
    return found


def compared(
    images: Sequence[Pixels],
    quality: Sequence[NDArray[np.uint16]],
    errors: Sequence[Pixels],
    exposure_s: Sequence[float],
    read_noise_e: float | None,
    rule: Rule,
) -> Flags:
    """What stands out of a group of exposures of one chip.

    Parameters
    ----------
    images : float32, shape (y, x) each
        Their pixels [electron]; NaN is never a hit.
    quality : uint16, shape (y, x) each
        Their quality bits; a flag of an earlier comparison does not count.
    errors : float32, shape (y, x) each
        Their standard errors [electron]; none where the read noise tells.
    exposure_s : sequence of float
        Their exposure times [s].
    read_noise_e : float
        Noise of a pixel that is read out [electron]; NaN and None where errors tell.
    rule : Rule

    Returns
    -------
    bool, shape (n, y, x)
        A flag for each pixel of each.

    Raises
    ------
    ValueError
        Shapes differ, or nothing tells the noise.
    """
    if len(quality) < len(images):
        raise ValueError("no quality flags: a group of such images can't be compared")
    bits = flags_set(np.stack(quality), np.zeros((len(quality), *quality[0].shape), bool))
    noise: Columns = {"errors": np.stack(errors)} if len(errors) else {"read_noise": read_noise_e}
    excluded = (bits & np.uint16(rule.excluded)) != 0
    return rejected(np.stack(images), exposure_s, excluded, rule, is_sky=bits == 0, **noise)


def totals(images: Sequence[Mapping[str, Any]], integration_s: float, area_cm2: float, n_all: int) -> Columns:
    """What an exposure adds up to.

    Parameters
    ----------
    images : sequence of mappings
        Columns of the table of images, one mapping each; none where nothing could be measured.
    integration_s, area_cm2 : float
        Time in which hits gathered, and area on which they fell [s, cm2].
    n_all : int
        Pixels of that area [px].

    Returns
    -------
    dict
        Numbers of hits, their rate with its 95 % interval [1/(s cm2)], the share of live pixels [1] and the charge
        [electron]; all None where nothing was measured, rates NaN where no time or area is known.
    """
    if not images:
        return dict.fromkeys(TOTALS)
    n = sum(image["n_hits"] for image in images)
    low, high = poisson_interval(n)
    found = {
        "n_hits": n,
        "n_hits_corrected": sum(image["n_hits_corrected"] for image in images),
        "live_fraction": sum(image["n_pixels"] for image in images) / (n_all * len(images)),
        "energy_e": sum(image["energy_e"] for image in images),
    }
    for name, count in zip(RATES, (n, low, high), strict=True):
        found[name] = float(rate(count, integration_s, area_cm2))
    return found
