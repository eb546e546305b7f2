"""Random tables of dark exposures: what the flow of cosmic rays leaves, without an image behind it."""

from typing import Any

import numpy as np

START = np.datetime64("2000-01-01", "us")
START_MJD = 51544.0
DAY = 86_400_000_000
INSTRUMENTS = np.array(["STIS_CCD", "WFPC2", "ACS_WFC"])
THICKNESS_UM = np.array([14.04, 10.0, 14.85])
Columns = dict[str, Any]


def exposures(rng: np.random.Generator, n: int, days: float = 2000.0) -> dict[str, Columns]:
    """Exposures of three detectors over some days, their measurements and positions.

    Of each kind one in ten: exposed to light, just too short, flawed, not measured, of unknown place. One in seven is
    in the anomaly, and the rate follows a cycle.
    """
    kind, which = rng.integers(0, 10, n), rng.integers(0, 3, n)
    start = np.sort(rng.uniform(0, days, n))
    seconds = np.where(kind == 1, 200.0, rng.choice([500.0, 1000.0], n))
    is_struck = rng.random(n) < 1 / 7
    rate = (1 + 0.2 * np.sin(start / days * 6)) * np.where(is_struck, 5, 1)
    hits = rng.poisson(rate * 4 * seconds)
    obs_id = np.array([f"o{k:06d}" for k in range(n)])
    failure = np.where(kind == 3, "alone", None)
    measured, placed = kind != 2, kind != 4
    return {
        "exposures": {
            "obs_id": obs_id, "instrument": INSTRUMENTS[which], "is_dark": kind != 0,
            "start_time": START + (start * DAY).astype("timedelta64[us]"), "start_mjd": START_MJD + start,
            "stop_mjd": START_MJD + start + seconds / 86400, "exposure_s": seconds, "integration_s": seconds,
            "area_cm2": np.full(n, 4.0), "pixel_um": np.full(n, 15.0), "thickness_um": THICKNESS_UM[which],
            "flaw": np.where(kind == 2, "a sub-array", None), "source_sha256": obs_id,
        },
        "measurements": {
            "obs_id": obs_id[measured], "instrument": INSTRUMENTS[which][measured], "failure": failure[measured],
            "n_hits": hits[measured], "rate_per_s_cm2": (hits / seconds / 4)[measured],
            "energy_e": (hits * 3000.0)[measured],
        },
        "positions": positions(
            rng, obs_id[placed], START_MJD + start[placed], seconds[placed], is_struck[placed]
        ),
    }  # fmt: skip


def positions(rng: np.random.Generator, obs_id: Any, start_mjd: Any, seconds: Any, is_struck: Any) -> Columns:
    """Three positions an exposure: start, middle, end."""
    n = len(obs_id)
    mjd = (start_mjd[:, None] + seconds[:, None] / 86400 * np.array([0, 0.5, 1])).ravel()
    return {
        "obs_id": np.repeat(obs_id, 3), "time": START + ((mjd - START_MJD) * DAY).astype("timedelta64[us]"),
        "mjd": mjd, "longitude_deg": rng.uniform(0, 360, 3 * n), "latitude_deg": rng.uniform(-28, 28, 3 * n),
        "altitude_km": rng.uniform(540, 620, 3 * n), "is_in_anomaly": np.repeat(is_struck, 3),
    }  # fmt: skip


def hits(rng: np.random.Generator, obs_id: Any, n: int, side: int = 200) -> Columns:
    """Hits of some exposures, of 3 to 9 pixels in a box, with undefined sizes and shapes among them."""
    pixels = rng.integers(3, 10, n)
    y0, x0 = rng.integers(0, side - 10, (2, n))
    ys = [(y + rng.integers(0, 10, k)).astype(np.uint16) for y, k in zip(y0, pixels, strict=True)]
    xs = [(x + rng.integers(0, 10, k)).astype(np.uint16) for x, k in zip(x0, pixels, strict=True)]
    is_unknown = rng.random(n) < 0.05
    size, shape = rng.lognormal(-0.6, 0.5, n), rng.random(n)
    return {
        "obs_id": rng.choice(obs_id, n), "chip": rng.integers(1, 3, n).astype(np.int16),
        "read_id": np.zeros(n, np.int16), "hit_id": np.arange(1, n + 1, dtype=np.int32),
        "n_pixels": pixels.astype(np.int32), "energy_e": rng.lognormal(7.5, 1, n),
        "size_px": [None if u else v for u, v in zip(is_unknown, size.tolist(), strict=True)],
        "shape": [None if u else v for u, v in zip(is_unknown, shape.tolist(), strict=True)],
        "pixels_y": ys, "pixels_x": xs,
    }  # fmt: skip
