"""Cosmic rays in groups of exposures of one field: what is in one exposure and not in the others.

An exposure is compared with the mean of its group, pixel by pixel, in units of its own noise; what stands out is left
out of the mean, and the comparison is repeated. Handbooks call the step CR-REJECT; its tasks are ACSREJ, WF3REJ and
OCRREJECT, the first with the noise that images state since Miles et al. (2018), ACS ISR 2018-05.

A pixel that every exposure would lose is kept in the lowest: particles only add charge, so the lowest is the likeliest
to be clean, and the mean there is that value. No pixel is ever rejected from all exposures that count for it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lake.kernels.values import Flags, Floats, floats

COSMIC_RAY = 8192
"""Bit of a data-quality array that says a pixel was rejected as hit by a cosmic ray."""
LOWEST_SKY = -1000
"""Where the histogram of the sky begins at the latest, below any bias error."""
HIGHEST_SKY = 1 << 24
"""Where it ends at the latest: above, float32 has no unit steps."""
NEEDED = (
    "CRSPLIT", "MEANEXP", "SCALENSE", "INITGUES", "SKYSUB", "CRSIGMAS", "CRRADIUS", "CRTHRESH", "BADINPDQ",
)  # fmt: skip


@dataclass(frozen=True)
class Rule:
    """How a group is compared.

    Attributes
    ----------
    sigmas : deviation that makes a hit, one an iteration [sigma].
    initial : "median" or "minimum" of the group, the first thing that exposures are compared with.
    sky : "mode" to take each exposure's sky from it, or "none".
    radius_px : how far around a hit its charge may have spilled, pixel centre to pixel centre [px].
    spill : factor of `sigmas` that is enough there [1].
    scale_noise : noise in proportion to the signal above the sky, as a fraction [1].
    excluded : data-quality bits with which a pixel is no hit, whatever its value.

    Raises
    ------
    ValueError
        No sigma, one that is not above 0, a word that is neither of the two, or a number below 0.
    """

    sigmas: tuple[float, ...]
    initial: str
    sky: str
    radius_px: float
    spill: float
    scale_noise: float
    excluded: int

    def __post_init__(self) -> None:
        if not self.sigmas or not all(sigma > 0 for sigma in self.sigmas):
            raise ValueError(f"sigmas: found {self.sigmas}, expected one or more above 0")
        if self.initial not in ("median", "minimum") or self.sky not in ("mode", "none"):
            raise ValueError(f"found {self.initial} and {self.sky}, expected median or minimum, and mode or none")
        if not all(0 <= n < np.inf for n in (self.radius_px, self.spill, self.scale_noise, self.excluded)):
            raise ValueError(f"radius, spill, scale noise and bits: found {self}, expected 0 or more of each")


IN_FORCE: Mapping[str, Rule] = {
    "ACS_WFC": Rule((6.0, 5.0, 4.0), "median", "mode", 2.1, 0.5555, 0.30, 39),
    "ACS_HRC": Rule((6.0, 5.0, 4.0), "median", "mode", 2.1, 0.555556, 0.30, 39),
    "WFC3_UVIS": Rule((8.0, 6.0, 4.0), "median", "mode", 2.1, 0.5555, 0.03, 32575),
    "STIS_CCD": Rule((6.0, 5.0, 4.0), "median", "mode", 1.5, 0.5555, 0.0, 0),
}
"""Rules of large groups of darks by detector, as set for Miles et al. (2021), ApJ 918, 86, in place of the tables.

The median of two exposures is their mean. With the scale noise of ACS no hit ever stands out of it, with the smaller
ones some don't: the row of a table suits a pair better.
"""


def rule_of(rows: Mapping[str, ArrayLike], n_images: int, mean_exposure_s: float, chip: int | None = None) -> Rule:
    """The rule of a group in a table of rejection parameters (CRREJTAB).

    It is the first row of as many exposures, or of the most that the table has, whose MEANEXP is not below theirs.

    Parameters
    ----------
    rows : mapping
        Columns by name, shape (n,): CRSPLIT [1], MEANEXP [s], NaN where a row is for any, SCALENSE [%], INITGUES,
        SKYSUB, CRSIGMAS [sigma], CRRADIUS [px], CRTHRESH [1], BADINPDQ; CCDCHIP where rows are of one chip, and IRRAMP,
        whose rows compare reads of a ramp and are passed over. CRMASK is not looked at.
    n_images : int
        Exposures of the group, 2 or more [1].
    mean_exposure_s : float
        Their mean exposure, above 0 [s].
    chip : int, optional
        CCDCHIP of the group [1]; None takes rows of any.

    Returns
    -------
    Rule

    Raises
    ------
    ValueError
        Too few exposures, a column is missing, no row fits, or the row's values make no rule.
    """
    if n_images < 2 or not 0 < mean_exposure_s < np.inf:
        raise ValueError(f"found {n_images} exposures of {mean_exposure_s} s, expected 2 or more, above 0 s")
    if missing := [name for name in NEEDED if name not in rows]:
        raise ValueError(f"rejection table: missing {', '.join(missing)}; has {', '.join(rows)}")
    split, longest = floats(rows["CRSPLIT"]), floats(rows["MEANEXP"])
    fits = np.isnan(longest) | (longest >= mean_exposure_s)
    if "IRRAMP" in rows:
        fits &= floats(rows["IRRAMP"]) == 0
    if chip is not None and "CCDCHIP" in rows:
        fits &= floats(rows["CCDCHIP"]) == chip
    fits &= split == min(n_images, split[fits].max(initial=-np.inf))
    if not fits.any():
        raise ValueError(f"rejection table: no row for {n_images} exposures of {mean_exposure_s} s, chip {chip}")
    row = {name: np.asarray(rows[name])[fits.argmax()] for name in NEEDED}
    sigmas = tuple(float(sigma) for sigma in str(row["CRSIGMAS"]).split(","))
    initial, sky = (str(row[name]).strip().lower() for name in ("INITGUES", "SKYSUB"))
    radius, spill, percent = (float(row[name]) for name in ("CRRADIUS", "CRTHRESH", "SCALENSE"))
    return Rule(sigmas, initial, sky, radius, spill, percent / 100, int(row["BADINPDQ"]))


def rule_in_force(instrument: str, n_images: int) -> Rule:
    """The rule for darks of a detector where no table is at hand.

    Parameters
    ----------
    instrument : str
        One of IN_FORCE.
    n_images : int
        Exposures of the group [1].

    Returns
    -------
    Rule
        That of IN_FORCE; a pair is compared with its minimum, since a hit is half of its median.
    """
    rule = IN_FORCE[instrument]
    return replace(rule, initial="minimum") if n_images == 2 else rule


def sky_mode(image: ArrayLike, is_good: ArrayLike) -> float:
    """The sky of an image: where most of its pixels are.

    Parameters
    ----------
    image : float, shape (y, x)
        Pixels [electron or DN]; NaN and infinite ones don't count.
    is_good : bool, shape (y, x)
        Flag of the pixels that count, usually those without any data-quality bit but COSMIC_RAY.

    Returns
    -------
    float
        Top of a parabola through the highest unit bin and its neighbours [unit of the image]; NaN where no pixel
        counts. The histogram ends at twice the mean, which is taken as 0 where it is below.

    Raises
    ------
    ValueError
        The two differ in shape.
    """
    pixels, good = np.asarray(image), np.asarray(is_good, bool)
    if pixels.shape != good.shape:
        raise ValueError(f"image and flags: found shapes {pixels.shape} and {good.shape}, expected one")
    pixels = pixels[good & np.isfinite(pixels)]
    if not pixels.size:
        return np.nan
    first = max(int(min(pixels.min(), 0)) - 1, LOWEST_SKY)
    last = min(2 * int(max(pixels.mean(dtype=np.float64), 0) + 1), HIGHEST_SKY)
    pixels = pixels[(pixels >= first) & (pixels < last)]
    if not pixels.size:
        return np.nan
    # one empty bin at either end, so that the highest has neighbours
    n = np.bincount(np.floor(pixels).astype(np.int64) - (first - 1), minlength=last - first + 2)
    top = int(n.argmax())
    before, peak, after = (int(count) for count in n[top - 1 : top + 2])
    bend = 2 * peak - before - after
    return first - 1 + top + 0.5 + (0.5 * (after - before) / bend if bend else 0.0)


@dataclass(frozen=True)
class _Group:
    """Exposures of one field, whole or some rows of them."""

    images: NDArray[Any]
    is_excluded: Flags
    errors: NDArray[Any] | None
    exposure_s: Floats
    sky: Floats
    read_noise: float
    gain: float

    def rows(self, first: int, stop: int) -> "_Group":
        within = slice(max(first, 0), stop)
        errors = None if self.errors is None else self.errors[:, within]
        cut = self.images[:, within], self.is_excluded[:, within], errors
        return _Group(*cut, self.exposure_s, self.sky, self.read_noise, self.gain)

    def rates(self) -> Floats:
        """Signal above the sky a second; NaN where the image is no finite number."""
        rate: Floats = np.subtract(self.images, self.sky[:, None, None], dtype=np.float64)
        rate /= self.exposure_s[:, None, None]
        rate[~np.isfinite(rate)] = np.nan
        return rate

    def variance(self, k: int, expected: Floats) -> Floats:
        """Of one image: as stated, NaN where it states none; else that of so many DN and of reading them."""
        variance: Floats
        if self.errors is None:
            variance = self.read_noise**2 + np.maximum(expected, 0) / self.gain
        else:
            variance = np.square(self.errors[k], dtype=np.float64)
            variance[~(self.errors[k] > 0)] = np.nan
        return variance


def rejected(
    images: ArrayLike, exposure_s: ArrayLike, excluded_pixels: ArrayLike, rule: Rule, *,
    errors: ArrayLike | None = None, read_noise: float | None = None, gain: float = 1.0,
    is_sky: ArrayLike | None = None, block_rows: int = 64,
) -> Flags:  # fmt: skip
    """Pixels of each exposure that stand out of its group, above it or below, and where their charge spilled.

    Parameters
    ----------
    images : float, shape (n, y, x)
        Exposures of one field [electron, or DN with `read_noise`]. NaN and infinite pixels are neither rejected nor in
        the mean.
    exposure_s : float, shape (n,)
        Exposure of each [s].
    excluded_pixels : bool, shape (n, y, x) or (y, x)
        Flag of those that have bits of `rule.excluded`: no hits, though charge of a hit may spill on them, and in no
        mean, unless all of the group are.
    rule : Rule
    errors : float, shape (n, y, x)
        Standard deviations [unit of the images]; where NaN or not above 0, a pixel is not rejected.
    read_noise : float
        In place of `errors` [DN]: the noise is then of so many electrons as expected.
    gain : float
        With `read_noise` [electron/DN].
    is_sky : bool, shape (n, y, x) or (y, x)
        Flag of the pixels that `sky_mode` looks at; all that are not excluded if None.
    block_rows : int
        Rows that are compared at a time [1], which bounds memory and changes no flag.

    Returns
    -------
    bool, shape (n, y, x)
        A flag for each pixel.

    Raises
    ------
    ValueError
        Shapes differ, there are fewer than two images, both or neither of the noises, or numbers not above 0.
    """
    group = _group(images, exposure_s, excluded_pixels, rule, errors, read_noise, gain, is_sky)
    found = np.zeros(group.images.shape, bool)
    # each iteration hands flags on by a radius
    halo = len(rule.sigmas) * int(rule.radius_px)
    for first, stop in _blocks(group.images.shape[1], block_rows):
        flags = _standing_out(group.rows(first - halo, stop + halo), rule)
        found[:, first:stop] = flags[:, min(first, halo) :][:, : stop - first]
    return found


def flags_set(dq: ArrayLike, is_rejected: ArrayLike) -> NDArray[np.uint16]:
    """Data quality with the bit COSMIC_RAY where a pixel is rejected, and nowhere else.

    Parameters
    ----------
    dq : int, shape (...)
        Bits of each pixel, signed or not.
    is_rejected : bool, shape (...)
        A flag for each.

    Returns
    -------
    uint16, shape (...)
        The bits; those of COSMIC_RAY that were there are gone.

    Raises
    ------
    ValueError
        Shapes differ, or bits are no whole numbers of 16 bits.
    """
    bits, found = np.asarray(dq), np.asarray(is_rejected, bool)
    if bits.dtype.kind not in "iu" or bits.shape != found.shape:
        raise ValueError(
            f"bits and flags: found {bits.dtype} {bits.shape} and {found.shape}, expected whole, one shape"
        )
    if bits.itemsize > 2 and bits.size and not -(1 << 15) <= bits.min() <= bits.max() < 1 << 16:
        raise ValueError(f"bits: found {bits.min()} to {bits.max()}, expected 16 bits")
    kept = bits.astype(np.uint16) & np.uint16(~COSMIC_RAY & 0xFFFF)
    return kept | found * np.uint16(COSMIC_RAY)


def _group(
    images: ArrayLike, exposure_s: ArrayLike, excluded: ArrayLike, rule: Rule,
    errors: ArrayLike | None, read_noise: float | None, gain: float, is_sky: ArrayLike | None,
) -> _Group:  # fmt: skip
    """The arguments of `rejected`, checked, and the sky of each image."""
    pixels, exposure = np.asarray(images), floats(exposure_s)
    if pixels.ndim != 3 or len(pixels) < 2 or exposure.shape != pixels.shape[:1]:
        raise ValueError(f"found images {pixels.shape} and exposures {exposure.shape}, expected (n, y, x), (n,), n > 1")
    if pixels.dtype.kind not in "iuf" or not ((exposure > 0) & (exposure < np.inf)).all():
        raise ValueError(f"found {pixels.dtype} of {exposure} s, expected numbers, and exposures above 0")
    if (errors is None) == (read_noise is None):
        raise ValueError("expected either errors or a read noise")
    noise = 0.0 if read_noise is None else read_noise
    if not (0 <= noise < np.inf and 0 < gain < np.inf):
        raise ValueError(f"found read noise {noise} and gain {gain}, expected 0 or more, and above 0")
    kept_out = np.broadcast_to(np.asarray(excluded, bool), pixels.shape)
    stated = None if errors is None else np.asarray(errors)
    if stated is not None and stated.shape != pixels.shape:
        raise ValueError(f"errors: found {stated.shape}, expected {pixels.shape}")
    sky = np.zeros(len(pixels))
    if rule.sky == "mode":
        looked_at = None if is_sky is None else np.broadcast_to(np.asarray(is_sky, bool), pixels.shape)
        for k, image in enumerate(pixels):
            sky[k] = sky_mode(image, ~kept_out[k] if looked_at is None else looked_at[k])
    return _Group(pixels, kept_out, stated, exposure, sky, noise, gain)


def _blocks(n_rows: int, block_rows: int) -> Iterator[tuple[int, int]]:
    if block_rows < 1:
        raise ValueError(f"rows of a block: found {block_rows}, expected 1 or more")
    return ((first, min(first + block_rows, n_rows)) for first in range(0, n_rows, block_rows))


def _standing_out(group: _Group, rule: Rule) -> Flags:
    """The flags of some rows, right but for the halo's own edge."""
    rate = group.rates()
    counts = ~np.isnan(rate)
    counts &= ~(group.is_excluded & (counts & ~group.is_excluded).any(axis=0))
    known = np.where(counts, rate, np.nan)
    lowest = np.fmin.reduce(known, axis=0)
    # a minimum has the noise of the exposure that it is from
    source = (known == lowest).argmax(axis=0) if rule.initial == "minimum" else None
    level = _median(known, counts) if source is None else lowest
    flagged = np.zeros(rate.shape, bool)
    for turn, sigma in enumerate(rule.sigmas):
        if turn:
            level = _mean(rate, counts & ~flagged, group.exposure_s)
        for k, t in enumerate(group.exposure_s):
            of = k if turn or source is None else source
            variance = group.variance(k, level * group.exposure_s[of] + group.sky[of])
            deviation = np.square((rate[k] - level) * t)
            scaled = variance + np.square(rule.scale_noise * np.maximum(level * t, 0))
            hits = (deviation > sigma**2 * scaled) & ~group.is_excluded[k]
            spilled = deviation > (rule.spill * sigma) ** 2 * variance
            flagged[k] = hits | (_near(hits, rule.radius_px) & spilled)
        everywhere = (flagged | ~counts).all(axis=0)
        flagged &= ~(everywhere & counts & (rate == lowest))
    return flagged


def _median(known: Floats, counts: Flags) -> Floats:
    """Median over the images that count, the others being NaN; NaN where none does."""
    ordered = np.sort(known, axis=0)
    n = counts.sum(axis=0)[None]
    low = np.take_along_axis(ordered, np.maximum(n - 1, 0) // 2, axis=0)[0]
    high = np.take_along_axis(ordered, n // 2, axis=0)[0]
    median: Floats = 0.5 * (low + high)
    return median


def _mean(rate: Floats, counts: Flags, exposure_s: Floats) -> Floats:
    """Mean rate over the images that count, by exposure; NaN where none does."""
    total, time = np.zeros(rate.shape[1:]), np.zeros(rate.shape[1:])
    for one, counted, t in zip(rate, counts, exposure_s, strict=True):
        total += np.where(counted, one * t, 0)
        time += np.where(counted, t, 0)
    return np.divide(total, time, out=np.full_like(total, np.nan), where=time > 0)


def _near(hits: Flags, radius: float) -> Flags:
    """Pixels whose centre is within a radius of a hit's, hits among them."""
    reach = int(radius)
    padded = np.pad(hits, reach)
    near = np.zeros_like(hits)
    n_rows, n_columns = hits.shape
    for down in range(2 * reach + 1):
        for along in range(2 * reach + 1):
            if (down - reach) ** 2 + (along - reach) ** 2 <= radius**2:
                near |= padded[down : down + n_rows, along : along + n_columns]
    return near
