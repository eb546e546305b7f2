"""Dark exposures whose truth is known: dark current, hot pixels, read noise, and rays that cross the silicon.

A seed always gives the same pixels. Exposures of one seed that differ in their number alone have the same hot pixels,
and rays and noise of their own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace

import numpy as np
from numpy.typing import NDArray

from lake.synth.cameras import CAMERAS, Camera
from lake.synth.silicon import Deposits, Floats, Tracks, Whole, deposited, image_of, joined, summed, tracks_drawn

Pixels = NDArray[np.float32]
HOT, NOISE, RAYS = range(3)


@dataclass(frozen=True)
class Darks:
    """An exposure with the shutter closed.

    Attributes
    ----------
    detector : one of CAMERAS.
    root : the nine characters that files of an exposure begin with.
    start_mjd, exposure_s, flash_s : when it starts, how long it is, and the flash before it [d], [s], [s].
    flux_per_s_cm2 : mean flux of rays; None is the camera's own [1/s/cm2].
    n_rays : rays in each sub-image, in place of a flux [1].
    dark_e_per_s : dark current of a pixel [e/s].
    read_noise_e : of one read; None is the camera's own [e].
    hot_share, hot_e_per_s : share of hot pixels [1], and their least and greatest extra current, whose logarithm is
        uniform [e/s].
    shape : rows and columns of a sub-image, reference pixels not counted; None is the camera's own [pix].
    unit : BUNIT, one of COUNTS, DN, ELECTRONS, also with /S; empty is the camera's own.
    gains : electrons a count of some amplifiers, in place of the camera's own [e/DN].
    n_reads : reads of a ramp, the zeroth among them, evenly spaced [1].
    limit_e : charge above which a pixel counts as a ray's [e].
    keywords : laid over those of the primary header.
    seed, number : of the series, and of the exposure in it.

    Raises
    ------
    ValueError
        One of them is out of its range.
    """

    detector: str
    root: str
    start_mjd: float
    exposure_s: float
    flash_s: float = 0.0
    flux_per_s_cm2: float | None = None
    n_rays: int | None = None
    dark_e_per_s: float = 0.01
    read_noise_e: float | None = None
    hot_share: float = 0.005
    hot_e_per_s: tuple[float, float] = (0.1, 10.0)
    shape: tuple[int, int] | None = None
    unit: str = ""
    gains: Mapping[str, float] = field(default_factory=dict)
    n_reads: int = 16
    limit_e: float = 25.0
    keywords: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    seed: int = 0
    number: int = 0

    def __post_init__(self) -> None:
        if self.detector not in CAMERAS:
            raise ValueError(f"detector {self.detector!r} is not known; there are {', '.join(CAMERAS)}")
        if len(self.root) != 9:
            raise ValueError(f"a root has 9 characters; found {self.root!r}")
        if not self.exposure_s > 0:
            raise ValueError(f"an exposure is above 0 s; found {self.exposure_s:g}")
        if not 0 <= self.hot_share <= 1 or not 0 < self.hot_e_per_s[0] <= self.hot_e_per_s[1]:
            raise ValueError(f"hot pixels: found a share of {self.hot_share:g} and {self.hot_e_per_s} e/s")
        if self.bunit.removesuffix("/S") not in ("COUNTS", "DN", "ELECTRONS"):
            raise ValueError(f"unit {self.unit!r} is not known; there are COUNTS, DN, ELECTRONS, also with /S")
        if self.n_reads < 2:
            raise ValueError(f"a ramp has 2 reads or more; found {self.n_reads}")

    @property
    def camera(self) -> Camera:
        """What takes it."""
        return CAMERAS[self.detector]

    @property
    def bunit(self) -> str:
        """BUNIT as its file has it."""
        return self.unit or self.camera.unit

    @property
    def sub_shape(self) -> tuple[int, int]:
        """Rows and columns of a sub-image that rays cross [pix]."""
        return self.shape or self.camera.shape

    @property
    def noise_e(self) -> float:
        """Noise of one read [e]."""
        return self.camera.read_noise_e if self.read_noise_e is None else self.read_noise_e

    @property
    def integration_s(self) -> float:
        """How long it gathers rays: exposure, flash and what its readout adds [s]."""
        readout = self.camera.readout_s
        if self.detector == "WFPC2" and self.exposure_s > 180:
            readout *= 2
        return self.exposure_s + self.flash_s + readout

    @property
    def area_cm2(self) -> float:
        """Area of one sub-image [cm2]."""
        rows, columns = self.sub_shape
        return rows * columns * (self.camera.silicon.pixel_um * 1e-4) ** 2

    def gain(self, chip: int) -> Floats:
        """Electrons a count of a sub-image, from 0, by column; shape (columns,) without reference pixels [e/DN]."""
        gains = {**self.camera.gains, **self.gains}
        amplifiers = self.camera.chips[chip][1] or [""]
        columns = np.arange(self.sub_shape[1]) * len(amplifiers) // self.sub_shape[1]
        return np.array([gains[name] for name in amplifiers])[columns]

    def chance(self, what: int, chip: int) -> np.random.Generator:
        """What decides on hot pixels (0; the same in all of a series), on noise (1), on rays (2) of a sub-image."""
        return np.random.default_rng([self.seed, what, chip, 0 if what == HOT else self.number])


@dataclass(frozen=True)
class Truth:
    """Rays of an exposure, a value each, all sub-images after each other.

    Attributes
    ----------
    sub_image : EXTVER of its first extension for a CCD, from 1; always 1 in a ramp.
    time_s : when it came, from the start of the exposure [s].
    first_read : of a ramp, the first read in the order of time that has it; 0 for a CCD.
    tracks : where from, how long, how much charge; pixels count from the corner of the file's frame.
    inside_e : charge in the sub-image [e].
    n_pixels : pixels with more of its charge than the limit [1].
    deposits : its charge in each pixel; `track` is its row here.
    is_hot : hot pixels of each sub-image, shape (y, x).
    """

    sub_image: Whole
    time_s: Floats
    first_read: Whole
    tracks: Tracks
    inside_e: Floats
    n_pixels: Whole
    deposits: Deposits
    is_hot: tuple[NDArray[np.bool_], ...]

    def __len__(self) -> int:
        return len(self.time_s)

    def rays_e(self, sub_image: int, last_read: int | None = None) -> Floats:
        """Charge of the rays alone in a sub-image, of a ramp only up to a read; shape (y, x) [e]."""
        return image_of(self._of(sub_image, last_read), self.is_hot[sub_image - 1].shape)

    def is_hit(self, sub_image: int, limit_e: float, last_read: int | None = None) -> NDArray[np.bool_]:
        """Pixels with more than so much of one ray's charge [e], of a ramp only up to a read; shape (y, x)."""
        found = self._of(sub_image, last_read)
        bright = found.charge_e > limit_e
        hit = np.zeros(self.is_hot[sub_image - 1].shape, bool)
        hit[found.y[bright], found.x[bright]] = True
        return hit

    def _of(self, sub_image: int, last_read: int | None) -> Deposits:
        seen = self.sub_image == sub_image
        if last_read is not None:
            seen &= self.first_read <= last_read
        kept = seen[self.deposits.track]
        return Deposits(*(getattr(self.deposits, f.name)[kept] for f in fields(Deposits)))


def read_times(scene: Darks) -> Floats:
    """When a ramp is read, the zeroth read first, from the start of the exposure [s]."""
    return np.linspace(0, scene.exposure_s, scene.n_reads)


def truth_of(scene: Darks) -> Truth:
    """The rays and hot pixels of an exposure.

    Parameters
    ----------
    scene : Darks
        What to simulate.

    Returns
    -------
    Truth
        The number of rays is Poisson's, unless the scene states it.
    """
    chips = range(len(scene.camera.chips))
    drawn = [_rays(scene, chip) for chip in chips]
    tracks = joined([tracks for tracks, _, _ in drawn])
    counts = [len(tracks) for tracks, _, _ in drawn]
    starts = np.cumsum(counts) - counts
    deposits = joined([replace(d, track=d.track + start) for (_, _, d), start in zip(drawn, starts, strict=True)])
    time = np.concatenate([time for _, time, _ in drawn])
    is_ramp = scene.camera.product == "ima"
    many = len(tracks)
    return Truth(
        sub_image=np.repeat(np.arange(1, len(counts) + 1), counts),
        time_s=time,
        first_read=np.searchsorted(read_times(scene), time) if is_ramp else np.zeros(many, np.int64),
        tracks=tracks,
        inside_e=summed(deposits.charge_e, deposits.track, many),
        n_pixels=np.bincount(deposits.track[deposits.charge_e > scene.limit_e], minlength=many),
        deposits=deposits,
        is_hot=tuple(_hot_current(scene, chip) > 0 for chip in chips),
    )


def frame_of(scene: Darks, truth: Truth, chip: int) -> Pixels:
    """Electrons of a sub-image of a CCD, from 0: its dark current, rays, and noise.

    Parameters
    ----------
    scene : Darks
        What to simulate.
    truth : Truth
        Its rays.
    chip : int
        Which sub-image.

    Returns
    -------
    float32, shape (y, x)
        Bias is taken away, dark current not [e].
    """
    chance = scene.chance(NOISE, chip)
    frame = _dark_charge(scene, _hot_current(scene, chip), scene.exposure_s + scene.flash_s, chance)
    frame += truth.rays_e(chip + 1)
    return frame + scene.noise_e * chance.standard_normal(frame.shape, np.float32)


def ramp_of(scene: Darks, truth: Truth) -> list[Pixels]:
    """Electrons of an infrared detector, read and read again as they gather; the zeroth read is taken from all.

    Parameters
    ----------
    scene : Darks
        What to simulate.
    truth : Truth
        Its rays.

    Returns
    -------
    list of float32, shape (y, x)
        In the order of time; the first is 0 everywhere [e].
    """
    chance = scene.chance(NOISE, 0)
    hot, times = _hot_current(scene, 0), read_times(scene)
    noise = [scene.noise_e * chance.standard_normal(hot.shape, np.float32) for _ in times]
    dark = np.zeros(hot.shape, np.float32)
    reads = [dark.copy()]
    for k in range(1, len(times)):
        dark += _dark_charge(scene, hot, times[k] - times[k - 1], chance)
        reads.append((dark + truth.rays_e(1, k) + noise[k] - noise[0]).astype(np.float32))
    return reads


def _rays(scene: Darks, chip: int) -> tuple[Tracks, Floats, Deposits]:
    """Rays of one sub-image, when they come, and their charge in the frame with its reference pixels."""
    chance = scene.chance(RAYS, chip)
    silicon, border = scene.camera.silicon, scene.camera.border
    flux = scene.camera.flux_per_s_cm2 if scene.flux_per_s_cm2 is None else scene.flux_per_s_cm2
    n = chance.poisson(flux * scene.area_cm2 * scene.integration_s) if scene.n_rays is None else scene.n_rays
    tracks = tracks_drawn(n, scene.sub_shape, silicon, chance)
    found = deposited(tracks, scene.sub_shape, silicon)
    time = chance.uniform(0, scene.exposure_s, n)
    moved = replace(tracks, y_px=tracks.y_px + border, x_px=tracks.x_px + border)
    return moved, time, replace(found, y=found.y + border, x=found.x + border)


def _hot_current(scene: Darks, chip: int) -> Floats:
    """Extra dark current of hot pixels, 0 in others and in reference pixels, shape (y, x) [e/s]."""
    chance = scene.chance(HOT, chip)
    current = np.zeros(scene.sub_shape)
    is_hot = chance.random(scene.sub_shape, np.float32) < scene.hot_share
    low, high = np.log(scene.hot_e_per_s)
    current[is_hot] = np.exp(chance.uniform(low, high, np.count_nonzero(is_hot)))
    return np.pad(current, scene.camera.border)


def _dark_charge(scene: Darks, hot: Floats, time_s: float, chance: np.random.Generator) -> Pixels:
    """Charge of the dark current in some time, hot pixels' among it, shape (y, x) [e]."""
    charge = chance.poisson(scene.dark_e_per_s * time_s, scene.sub_shape).astype(np.float32)
    charge = np.pad(charge, scene.camera.border)
    at = np.nonzero(hot)
    charge[at] += chance.poisson(hot[at] * time_s)
    return charge
