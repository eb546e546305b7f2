"""Charged particles through a sheet of silicon: straight tracks, the charge along them, and how it spreads over pixels.

Positions are in pixels, whole numbers at their centres; a particle comes in through the front at a random place and
leaves through the back, or through the edge of the image.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]

STEP_PX = 0.125
"""The longest piece of a track that is laid down as one cloud [pix]; the clouds are three times as wide."""

REACH = 5.6
"""How far a cloud is followed, in its own widths; 2e-8 of the charge lies beyond [1]."""

TOGETHER = 8192
"""Tracks that are laid down at once, which bounds the memory."""


@dataclass(frozen=True)
class Silicon:
    """The sensitive layer of a detector.

    Attributes
    ----------
    thickness_um, pixel_um : of the layer, and of a pixel's side [um].
    charge_e_per_um : most probable charge of a fast particle [e/um].
    spread : width of Moyal's distribution of the charge, as a share of the most probable one [1]. 12.1 keV of 61.1 keV
        were found for paths of 280 to 300 um in the STIS CCD.
    diffusion_px : standard deviation of the cloud that charge becomes before it is collected [pix].
    """

    thickness_um: float
    pixel_um: float
    charge_e_per_um: float = 75.0
    spread: float = 0.2
    diffusion_px: float = 0.35

    def __post_init__(self) -> None:
        for name in ("thickness_um", "pixel_um", "charge_e_per_um", "diffusion_px"):
            if not getattr(self, name) > 0:
                raise ValueError(f"silicon: found {name} = {getattr(self, name):g}, expected above 0")


@dataclass(frozen=True)
class Tracks:
    """Particles through one sheet, a value each.

    Attributes
    ----------
    y_px, x_px : where they enter [pix].
    incidence_deg : from the normal, 0 to 90 [deg].
    azimuth_deg : of the way in the plane, from x towards y, 0 to 360 [deg].
    length_px, path_um : from front to back, in the plane [pix] and in space [um].
    charge_e : of the whole path, inside the image or not [e].
    """

    y_px: Floats
    x_px: Floats
    incidence_deg: Floats
    azimuth_deg: Floats
    length_px: Floats
    path_um: Floats
    charge_e: Floats

    def __len__(self) -> int:
        return len(self.y_px)

    def __getitem__(self, rows: slice) -> "Tracks":
        return Tracks(*(getattr(self, field.name)[rows] for field in fields(self)))


@dataclass(frozen=True)
class Deposits:
    """Charge of each track in each pixel it reaches, in the order of tracks, then of pixels.

    Attributes
    ----------
    track : row of the track [1].
    y, x : the pixel [pix].
    charge_e : never 0 [e].
    """

    track: Whole
    y: Whole
    x: Whole
    charge_e: Floats


T = TypeVar("T", Tracks, Deposits)


def tracks_drawn(n: int, shape: tuple[int, int], silicon: Silicon, chance: np.random.Generator) -> Tracks:
    """Particles from all sides, as they cross a plane.

    Entry points are uniform and directions isotropic, so that the share within an angle of the normal follows Lambert's
    cosine law and the mean path is twice the thickness. Particles that come in through the edges are left out.

    Parameters
    ----------
    n : int
        How many.
    shape : int, int
        Rows and columns of the image [pix].
    silicon : Silicon
        What they cross.
    chance : Generator
        Where they come from.

    Returns
    -------
    Tracks
        Of n particles.

    References
    ----------
    Moyal (1955), Phil. Mag. 46, 263, eq. 3.8, for the charge: -ln(z^2) of a normal deviate z has his distribution.
    """
    rows, columns = shape
    cosine_squared = 1 - chance.random(n)
    tangent = np.sqrt(1 / cosine_squared - 1)
    path = silicon.thickness_um / np.sqrt(cosine_squared)
    moyal = -2 * np.log(np.abs(chance.standard_normal(n)))
    return Tracks(
        y_px=chance.uniform(-0.5, rows - 0.5, n),
        x_px=chance.uniform(-0.5, columns - 0.5, n),
        incidence_deg=np.degrees(np.arctan(tangent)),
        azimuth_deg=chance.uniform(0, 360, n),
        length_px=silicon.thickness_um * tangent / silicon.pixel_um,
        path_um=path,
        charge_e=path * silicon.charge_e_per_um * np.maximum(1 + silicon.spread * moyal, 0),
    )


def deposited(tracks: Tracks, shape: tuple[int, int], silicon: Silicon) -> Deposits:
    """The charge that tracks leave in pixels.

    A track is a row of equal clouds, each a Gaussian integrated over pixels; what lies outside the image is lost.

    Parameters
    ----------
    tracks : Tracks
        Of n particles.
    shape : int, int
        Rows and columns of the image [pix].
    silicon : Silicon
        What they cross; of it, only the diffusion counts.

    Returns
    -------
    Deposits
        Pixels with charge.
    """
    starts = range(0, max(len(tracks), 1), TOGETHER)
    parts = [_laid_down(tracks[k : k + TOGETHER], shape, silicon.diffusion_px) for k in starts]
    return joined([replace(part, track=part.track + k) for part, k in zip(parts, starts, strict=True)])


def image_of(deposits: Deposits, shape: tuple[int, int]) -> Floats:
    """All charge that was laid down, an image of this shape [e]."""
    return summed(deposits.charge_e, deposits.y * shape[1] + deposits.x, shape[0] * shape[1]).reshape(shape)


def summed(charge_e: Floats, place: Whole, n: int) -> Floats:
    """Charge by place, of n places [e]."""
    return np.bincount(place, charge_e, n).astype(np.float64, copy=False)


def joined(parts: Sequence[T]) -> T:
    """Tracks, or deposits, one after the other."""
    kind = type(parts[0])
    return kind(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(kind)))


def _laid_down(tracks: Tracks, shape: tuple[int, int], sigma: float) -> Deposits:
    """The same of some tracks at once: clouds are summed in a box of pixels around each track."""
    azimuth = np.radians(tracks.azimuth_deg)
    along_y, along_x = tracks.length_px * np.sin(azimuth), tracks.length_px * np.cos(azimuth)
    seen = np.minimum(_share(tracks.y_px, along_y, shape[0]), _share(tracks.x_px, along_x, shape[1]))
    n_clouds = np.ceil(np.maximum(seen * tracks.length_px / STEP_PX, 1)).astype(np.int64)
    track = np.repeat(np.arange(len(tracks)), n_clouds)
    way = (_counted(n_clouds) + 0.5) / n_clouds[track] * seen[track]
    half = math.ceil(REACH * sigma)
    ys = _Axis(tracks.y_px, along_y * seen, tracks.y_px[track] + way * along_y[track], half)
    xs = _Axis(tracks.x_px, along_x * seen, tracks.x_px[track] + way * along_x[track], half)

    sizes = ys.size * xs.size
    start = np.cumsum(sizes) - sizes
    corner = start[track] + (ys.first - ys.low[track]) * xs.size[track] + xs.first - xs.low[track]
    window = np.arange(2 * half + 1)
    cells = corner[:, None, None] + window[:, None] * xs.size[track][:, None, None] + window
    charge = (tracks.charge_e * seen / n_clouds)[track]
    clouds = (charge[:, None] * ys.shares(sigma))[:, :, None] * xs.shares(sigma)[:, None, :]
    total = summed(clouds.ravel(), cells.ravel(), sizes.sum())

    owner, cell = np.repeat(np.arange(len(tracks)), sizes), _counted(sizes)
    y, x = ys.low[owner] + cell // xs.size[owner], xs.low[owner] + cell % xs.size[owner]
    kept = (total > 0) & (y >= 0) & (y < shape[0]) & (x >= 0) & (x < shape[1])
    return Deposits(owner[kept], y[kept], x[kept], total[kept])


class _Axis:
    """One coordinate of tracks and their clouds: pixels of the boxes, and of each cloud's window."""

    def __init__(self, start: Floats, along: Floats, clouds: Floats, half: int) -> None:
        ends = np.floor(np.stack([start, start + along]) + 0.5).astype(np.int64)
        self.low = ends.min(axis=0) - half
        self.size = ends.max(axis=0) + half + 1 - self.low
        self.clouds = clouds
        self.first = np.floor(clouds + 0.5).astype(np.int64) - half
        self.n = 2 * half + 1

    def shares(self, sigma: float) -> Floats:
        """Of each cloud, what falls between the two edges of each pixel of its window."""
        grid, normal = _normal_integral()
        edges = (self.first - self.clouds - 0.5)[:, None] + np.arange(self.n + 1)
        return np.diff(np.interp(edges / sigma, grid, normal), axis=1)


def _share(start: Floats, along: Floats, n: int) -> Floats:
    """How much of a way along one axis stays between the edges of n pixels, 0 to 1."""
    edge = np.where(along > 0, n - 0.5, -0.5)
    share = np.divide(edge - start, along, out=np.ones_like(along), where=along != 0)
    return np.clip(share, 0, 1)


def _counted(sizes: Whole) -> Whole:
    """0, 1, 2, ... up to each size, one after the other."""
    ends = np.cumsum(sizes)
    return np.arange(sizes.sum()) - np.repeat(ends - sizes, sizes)


@cache
def _normal_integral() -> tuple[Floats, Floats]:
    """The integral of the normal density on a grid so fine that a straight line between its points is 3e-8 off."""
    grid = np.linspace(-8, 8, 16001)
    return grid, np.array([0.5 * math.erfc(-z / math.sqrt(2)) for z in grid])
