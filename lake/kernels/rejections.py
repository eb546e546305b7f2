"""Cosmic rays in groups of exposures of one field: what is in one exposure and not in the others.

An exposure is compared with the mean of its group, pixel by pixel, in units of its own noise; what stands out is left
out of the mean, and the comparison is repeated. Handbooks call the step CR-REJECT; its tasks are ACSREJ, WF3REJ and
OCRREJECT, the first with the noise that images state since Miles et al. (2018), ACS ISR 2018-05.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lake.kernels.values import floats

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
