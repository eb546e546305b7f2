"""Small made-up tables of photons with everything that is awkward in them."""

from typing import Any

import numpy as np
import pyarrow as pa

Tables = dict[str, dict[str, Any]]
START_S = 500_000_000.0


def photons(obs_id: str, arrival_s: Any, wavelength_nm: Any = None, detector_id: Any = None) -> dict[str, Any]:
    """Good photons of one observation, numbered as they stand."""
    n = len(arrival_s)
    return {
        "obs_id": pa.array([obs_id] * n, pa.string()),
        "event_id": np.arange(n),
        "arrival_s": np.asarray(arrival_s, np.float64),
        "detector_id": pa.array([None] * n if detector_id is None else detector_id, pa.int16()),
        "wavelength_nm": pa.array([None] * n if wavelength_nm is None else np.asarray(wavelength_nm), pa.float32()),
        **{flag: np.ones(n, bool) for flag in ("is_good_time", "is_good_grade", "is_good_status")},
    }


def good_times(*rows: tuple[str, int, float, float]) -> dict[str, Any]:
    """Good times as rows of observation, chip, start and stop."""
    obs_id, chip, start, stop = zip(*rows, strict=True) if rows else ((), (), (), ())
    return {
        "obs_id": pa.array(obs_id, pa.string()),
        "detector_id": pa.array(chip, pa.int16()),
        "start_s": pa.array(start, pa.float64()),
        "stop_s": pa.array(stop, pa.float64()),
    }


def observations(*obs_id: str, instrument: str = "XTI", frame_time_s: Any = None) -> dict[str, Any]:
    """Observations, with frames if need be."""
    return {
        "obs_id": pa.array(obs_id, pa.string()),
        "instrument": pa.array([instrument] * len(obs_id)),
        "frame_time_s": pa.array([frame_time_s] * len(obs_id), pa.float64()),
        "start_s": pa.nulls(len(obs_id), pa.float64()),
    }


def concatenated(*tables: dict[str, Any]) -> dict[str, Any]:
    """Tables one under the other."""
    return {
        name: pa.concat_arrays([c if isinstance(c, pa.Array) else pa.array(c) for c in (t[name] for t in tables)])
        for name in tables[0]
    }


def random_tables(seed: int, n_lists: int = 8) -> Tables:
    """Event lists of a few instruments, of many, few or no photons.

    Rows lie in any order; times repeat and run backwards, wavelengths are null or on the edges of tenths, chips are
    null or without good times; good times overlap, touch, are empty or missing. Times are multiples of 1/8 s, so that
    sums of them are exact.
    """
    rng = np.random.default_rng(seed)
    names = [f"made-{seed}-{k}" for k in rng.permutation(n_lists)]
    rows = concatenated(photons("none", []), *(_photons(rng, name) for name in names))
    order = pa.array(rng.permutation(len(rows["event_id"])), pa.int64())
    is_framed, has_start = rng.random(n_lists) < 0.4, rng.random(n_lists) < 0.6
    return {
        "photons": {name: column.take(order) for name, column in rows.items()},
        "good_times": good_times(*{row[:3]: row for name in names for row in _good_times(rng, name)}.values()),
        "observations": {
            "obs_id": pa.array(names, pa.string()),
            "instrument": pa.array(rng.choice(["HRC", "hrc-i", "ACIS", "XTI"], n_lists).tolist(), pa.string()),
            "frame_time_s": _some(rng.choice([0.5, 3.25], n_lists), is_framed, pa.float64()),
            "start_s": _some(START_S + rng.integers(-5, 5, n_lists), has_start, pa.float64()),
        },
    }


def _photons(rng: np.random.Generator, name: str) -> dict[str, Any]:
    n = int(rng.choice([0, 1, 2, 30, 120]))
    wavelength = np.where(rng.random(n) < 0.5, rng.integers(0, 13, n) / 10, rng.uniform(0, 1.3, n))
    flags = {flag: rng.random(n) < 0.9 for flag in ("is_good_time", "is_good_grade", "is_good_status")}
    return {
        **photons(name, START_S + rng.integers(-40, 840, n) / 8),
        "event_id": rng.permutation(2 * n)[:n],
        "wavelength_nm": _some(wavelength.astype(np.float32), rng.random(n) < 0.9, pa.float32()),
        "detector_id": _some(rng.choice([0, 1, 7], n), rng.random(n) < 0.9, pa.int16()),
        **flags,
    }


def _good_times(rng: np.random.Generator, name: str) -> list[tuple[str, int, float, float]]:
    chips = rng.permutation([-1, 0, 1, 5])[: rng.integers(0, 5)].repeat(rng.integers(1, 5))
    starts = START_S + rng.integers(0, 100, len(chips))
    stops = starts + rng.choice([0, 1, 10, 40], len(chips))
    return [(name, *row) for row in zip(chips.tolist(), starts.tolist(), stops.tolist(), strict=True)]


def _some(values: Any, is_known: Any, kind: pa.DataType) -> pa.Array:
    return pa.array([v if known else None for v, known in zip(values.tolist(), is_known, strict=True)], kind)
