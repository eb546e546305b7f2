"""A group of dark exposures with cosmic rays, and which charge they left where."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

READ_NOISE_E = 4.0


@dataclass(frozen=True)
class DarkGroup:
    """Exposures as a calibrated file has them, and their truth.

    Attributes
    ----------
    images, errors : float32, shape (n, y, x) [electron].
    exposure_s : float64, shape (n,) [s].
    struck : charge of cosmic rays alone, float64, shape (n, y, x) [electron].
    glow : dark signal of each exposure without its sky: hot pixels, float64, shape (n, y, x) [electron].
    """

    images: NDArray[np.float32]
    errors: NDArray[np.float32]
    exposure_s: NDArray[np.float64]
    struck: NDArray[np.float64]
    glow: NDArray[np.float64]


def dark_group(rng: np.random.Generator, n: int = 12, side: int = 256, rays: int = 40) -> DarkGroup:
    """Darks of about 1000 s: 10 electrons of sky, one pixel in 200 hot, and straight tracks of some pixels."""
    exposure = rng.uniform(900, 1100, n)
    hot = np.where(rng.random((side, side)) < 0.005, rng.exponential(0.2, (side, side)), 0)
    glow = hot * exposure[:, None, None]
    struck = np.stack([_tracks(rng, side, rays) for _ in range(n)])
    charge = rng.poisson(glow + 0.01 * exposure[:, None, None]) + struck
    images = (charge + rng.normal(0, READ_NOISE_E, charge.shape)).astype(np.float32)
    errors = np.sqrt(READ_NOISE_E**2 + np.maximum(images, 0))
    return DarkGroup(images, errors, exposure, struck, glow)


def _tracks(rng: np.random.Generator, side: int, rays: int) -> NDArray[np.float64]:
    """Charge of straight tracks, 300 electrons a pixel or more, spread by diffusion."""
    tracks = np.zeros((side, side))
    for _ in range(rays):
        along = np.arange(0, rng.exponential(5) + 0.1, 0.1)
        angle = rng.uniform(0, np.pi)
        y = rng.uniform(0, side) + along * np.sin(angle)
        x = rng.uniform(0, side) + along * np.cos(angle)
        inside = (y >= 0) & (y < side) & (x >= 0) & (x < side)
        np.add.at(tracks, (y[inside].astype(int), x[inside].astype(int)), rng.uniform(300, 1500) / 10)
    return gaussian_filter(tracks, 0.35)
