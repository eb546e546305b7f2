"""Sums and quotients that round across an edge: nothing leaves the interval, or the bin, that it belongs to."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests.builders.asked import Asked
from tests.builders.photon_lists import frame, put_source

N = 4000
DRAWS = f"""
    select (cast(hash(hash('o' || k, cast(0 as bigint), 'time', cast(2 as bigint))) >> 12 as double) + 0.5)
        / 4503599627370496 as draw
    from range({N}) as lists (k)
    order by k
"""


@pytest.fixture
def asked():
    return Asked("lightlane")


def one_each(*names: str, **columns: Any) -> dict[str, Any]:
    """A photon for each observation, as a chain of filters takes it."""
    n = len(names)
    return {
        "obs_id": names,
        "event_id": np.zeros(n, np.int64),
        "detector_id": pa.nulls(n, pa.int16()),
        "arrival_s": np.zeros(n),
        "wavelength_nm": pa.nulls(n, pa.float32()),
        "wavelength_bin": pa.nulls(n, pa.int32()),
        "is_good": np.ones(n, bool),
        **columns,
    }


def controls(asked: Asked, names: list[str], *intervals: dict[str, Any]) -> Any:
    """The time of each list's control photon, from intervals of each list that lie end to end."""
    laid = {name: np.concatenate([one[name] for one in intervals]) for name in intervals[0]}
    n = len(laid["start_s"])
    frames = {name: pa.nulls(n, pa.float64()) for name in ("frame_s", "first_s", "first_frame")}
    asked.put("given", one_each(*names))
    asked.put("laid_good_times", {
        **frames, **laid, "obs_id": names * len(intervals), "detector_id": np.full(n, -1, np.int16),
    })  # fmt: skip
    rows = dict(frame(asked.ask("poissonized_events", ("given",))).select("obs_id", "arrival_s").rows())
    return np.array([rows[name] for name in names])


def test_a_draw_on_the_border_of_two_good_times_is_in_the_second_however_it_rounds(asked):
    draw = asked.con.sql(DRAWS).fetchnumpy()["draw"]
    total = np.random.default_rng(1).uniform(4e8, 6e8, N)
    first = np.nextafter(draw * total, np.inf)
    # the draw is not below the border, and draw times total is
    which = np.flatnonzero((first / total <= draw) & (draw * total < first))
    assert len(which) > 50
    first, total, zero = first[which], total[which], np.zeros(len(which))
    time = controls(
        asked,
        [f"o{k}" for k in which],
        {"start_s": zero - 1e9, "stop_s": first - 1e9, "length": first, "total_length": total, "laid_before": zero,
         "draw_from": zero},
        {"start_s": zero, "stop_s": total - first, "length": total - first, "total_length": total,
         "laid_before": first, "draw_from": first / total},
    )  # fmt: skip
    assert (time == 0).all()


def test_a_draw_just_before_the_border_falls_on_the_last_frame_however_it_rounds(asked):
    draw = asked.con.sql(DRAWS).fetchnumpy()["draw"]
    total = np.random.default_rng(2).integers(2**51, 2**52, N).astype(float)
    first = np.rint(draw * total)
    # the draw is below the border, and draw times total is not
    which = np.flatnonzero((draw < first / total) & (draw * total >= first))
    assert len(which) > 50
    first, total, zero = first[which], total[which], np.zeros(len(which))
    every = {"frame_s": zero + 1, "first_s": zero, "total_length": total}
    time = controls(
        asked,
        [f"o{k}" for k in which],
        {**every, "start_s": zero, "stop_s": first, "first_frame": zero, "length": first, "laid_before": zero,
         "draw_from": zero},
        {**every, "start_s": first + 9, "stop_s": total + 9, "first_frame": first + 9, "length": total - first,
         "laid_before": first, "draw_from": first / total},
    )  # fmt: skip
    assert (time == first - 1).all()


@pytest.mark.parametrize("width", [0.0, 1e-7, 3e-7, 1e-6])
def test_a_control_time_is_never_the_end_of_its_good_time_however_narrow(asked, width):
    start = 5e8
    stop = max(np.nextafter(start, np.inf), start + width)
    put_source(asked, np.full(2000, start), spans=[(start, stop)])
    time = frame(asked.ask("poissonized_events", ("events",)))["arrival_s"].to_numpy()
    assert len(time) == 2000
    assert ((start <= time) & (time < stop)).all()


def test_a_wavelength_just_below_the_upper_edge_is_in_the_last_bin(asked):
    low, high, n_bins = -0.41, np.nextafter(3.7922141551971436, 4), 327
    asked.put("given", one_each("a", wavelength_nm=[3.7922141551971436]))
    binned = asked.ask("wavelength_binned_events", ("given",), min_nm=low, max_nm=high, n_bins=n_bins)
    assert binned["wavelength_bin"].to_pylist() == [n_bins - 1]


def test_a_photon_just_before_the_end_is_in_the_last_time_bin(asked):
    first, stop = 0.4999728236586185, 11.999972823658618
    put_source(asked, [np.nextafter(stop, 0)], spans=[(first, stop)])
    curve = asked.ask("light_curves", bin_s=2.3)
    assert curve["n_photons"].to_pylist() == [0, 0, 0, 0, 1]


@pytest.mark.parametrize(("first", "bin_s", "start"), [(12.397, 2.42, 29.337), (9.047, 3.33, 42.347)])
def test_a_bin_that_ends_where_a_good_time_starts_has_no_exposure_below_zero(asked, first, bin_s, start):
    put_source(asked, [first], spans=[(first, first + 0.5), (start, start + 1)])
    exposure = frame(asked.ask("light_curves", bin_s=bin_s))["exposure_s"]
    assert (exposure >= 0).all()
    assert exposure.sum() == pytest.approx(1.5)
