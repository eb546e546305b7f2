"""A database of photons, each call giving it other lists."""

from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from tests.builders.asked import Asked
from tests.builders.event_tables import concatenated, good_times, observations, photons


def put(asked: Asked, **tables: Any) -> None:
    """Give the three tables these rows, or none."""
    none = {"photons": photons("none", []), "good_times": good_times(), "observations": observations()}
    for name, rows in {**none, **tables}.items():
        asked.put(name, rows)


def put_source(
    asked: Asked,
    arrival_s: Any,
    wavelength_nm: Any = None,
    spans: Any = ((0.0, 1000.0),),
    frame_time_s: float | None = None,
) -> None:
    """One observation, `a`, of these photons and good times."""
    put(
        asked,
        photons=photons("a", arrival_s, wavelength_nm),
        good_times=good_times(*(("a", -1, start, stop) for start, stop in spans)),
        observations=observations("a", frame_time_s=frame_time_s),
    )


def put_spectrum(asked: Asked, sizes: list[int], *others: dict[str, Any], seed: int = 1) -> None:
    """Observation `a` with so many photons in bins one nanometre wide, at random times of 0 to 1000 s."""
    rng = np.random.default_rng(seed)
    wavelength = rng.permutation(np.repeat(np.arange(len(sizes)), sizes)) + rng.uniform(0.1, 0.9, sum(sizes))
    rows = concatenated(photons("a", rng.uniform(0, 1000, sum(sizes)), wavelength), *others)
    times = good_times(*((obs_id, -1, 0.0, 1000.0) for obs_id in ("a", "b")))
    put(asked, photons=rows, good_times=times, observations=observations("a", "b"))


def in_bins(n: int) -> dict[str, Any]:
    """Parameters of so many bins, one nanometre wide."""
    return {"min_nm": 0.0, "max_nm": float(n), "n_bins": n}


def times_of(rows: pa.Table) -> dict[int, float]:
    """Arrival of each photon by its number."""
    return dict(zip(rows["event_id"].to_pylist(), rows["arrival_s"].to_pylist(), strict=True))


def frame(rows: pa.Table) -> pl.DataFrame:
    """Rows in Polars."""
    found = pl.from_arrow(rows)
    assert isinstance(found, pl.DataFrame)
    return found
