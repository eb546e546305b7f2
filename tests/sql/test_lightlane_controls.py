"""Controls: photons at times that a constant source could have sent."""

from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import stats

from tests.builders.event_tables import concatenated, good_times, observations, photons
from tests.builders.photon_lists import frame, in_bins, put, put_source, put_spectrum, times_of


@pytest.mark.parametrize(
    ("name", "seed"), [("flattened_events", "flatten_seed"), ("poissonized_events", "control_seed")]
)
def test_chance_is_the_seed_the_observation_and_the_photon_and_nothing_else(asked, name, seed):
    put_spectrum(asked, [90, 30])
    once = times_of(asked.ask(name, **in_bins(2), **{seed: 8}))
    assert times_of(asked.ask(name, **in_bins(2), **{seed: 8})) == once
    assert times_of(asked.ask(name, **in_bins(2), **{seed: 9})) != once
    other = photons("b", np.arange(120.0), np.repeat([0.5, 1.5], 60))
    put_spectrum(asked, [90, 30], other)
    both = frame(asked.ask(name, **in_bins(2), **{seed: 8}))
    assert dict(both.filter(obs_id="a").select("event_id", "arrival_s").rows()) == once
    own = both.filter(obs_id="b", wavelength_bin=0)["event_id"]
    assert len(own) == 60 if name == "flattened_events" else set(own) != set(once)


GAPPED = ((0.0, 100.0), (150.0, 175.0), (400.0, 900.0))


def livetimes(time_s: Any) -> Any:
    """Seconds of good time before each time."""
    return sum(np.clip(time_s - start, 0, stop - start) for start, stop in GAPPED)


def test_control_times_are_uniform_in_good_time_for_every_seed(asked):
    put_source(asked, np.random.default_rng(3).uniform(400, 410, 3000), np.full(3000, 0.5), spans=GAPPED)
    for seed in range(30):
        rows = frame(asked.ask("poissonized_events", ("events",), control_seed=seed))
        time = rows["arrival_s"].to_numpy()
        assert np.any([(start <= time) & (time < stop) for start, stop in GAPPED], axis=0).all()
        assert stats.kstest(livetimes(time) / 625.0, "uniform").pvalue > 1e-6


def test_control_times_do_not_depend_on_which_photons_flattening_chose(asked):
    # two hashes of one photon that differ by a constant would put all control times into a few stretches
    put_spectrum(asked, [40_000, 400])
    for seed in range(8):
        rows = asked.ask("poissonized_events", **in_bins(2), flatten_seed=seed, control_seed=(seed * 5) % 8)
        assert len(rows) == 800
        assert stats.kstest(rows["arrival_s"].to_numpy() / 1000.0, "uniform").pvalue > 1e-6


def test_control_counts_vary_as_counts_of_a_constant_source_do(asked):
    # 2,000 controls of 500 photons in 50 bins: 40 observations under 50 seeds
    names = [f"o{k}" for k in range(40)]
    put(
        asked,
        photons=concatenated(*(photons(name, np.zeros(500), np.full(500, 0.5)) for name in names)),
        good_times=good_times(*((name, -1, 0.0, 50.0) for name in names)),
        observations=observations(*names),
    )
    values = []
    for seed in range(50):
        rows = frame(asked.ask("poissonized_events", ("events",), control_seed=seed))
        counts = rows.group_by("obs_id", pl.col("arrival_s").floor().cast(pl.Int64)).len()
        spine = counts.pivot("arrival_s", index="obs_id", values="len").drop("obs_id").fill_null(0).to_numpy()
        assert spine.shape == (40, 50)
        values += (spine.var(axis=1, ddof=1) / spine.mean(axis=1)).tolist()
    assert abs(np.mean(values) - 1) < 4 * np.sqrt(2 / 49 / 2000)
    assert np.var(values) == pytest.approx(2 * (1 - 1 / 500) / 49, rel=0.2)


def test_a_control_keeps_number_wavelength_bin_and_name_of_every_photon(asked):
    put_spectrum(asked, [90, 30, 5])
    before = frame(asked.ask("wavelength_binned_events", **in_bins(3))).sort("event_id")
    after = frame(asked.ask("poissonized_events", ("wavelength_binned_events",), **in_bins(3))).sort("event_id")
    assert after.drop("arrival_s").equals(before.drop("arrival_s"))
    assert (after["arrival_s"] != before["arrival_s"]).all()


def test_a_control_time_is_in_the_good_time_of_the_photons_own_chip(asked):
    spans = {0: (0.0, 10.0), 1: (20.0, 30.0), -1: (500.0, 510.0)}
    chips = [0, 1, 5, None] * 50
    put(
        asked,
        photons=photons("a", np.zeros(200), detector_id=chips),
        good_times=good_times(*(("a", chip, *span) for chip, span in spans.items())),
        observations=observations("a"),
    )
    rows = frame(asked.ask("poissonized_events", ("events",)))
    assert len(rows) == 200
    for chip, time in rows.select("detector_id", "arrival_s").rows():
        start, stop = spans[chip if chip in spans else -1]
        assert start <= time < stop


def test_control_photons_of_a_ccd_fall_on_its_frames_all_alike(asked):
    # frames lie 3.2 s apart; the first good time has 3 of them, the others 2 and none
    put_source(asked, np.full(3000, 101.0), spans=[(100.0, 110.0), (111.0, 115.5), (116.0, 117.0)], frame_time_s=3.2)
    found = frame(asked.ask("poissonized_events", ("events",)))["arrival_s"].round(6).value_counts().sort("arrival_s")
    assert found["arrival_s"].to_list() == [101.0, 104.2, 107.4, 113.8]
    assert stats.chisquare(found["count"].to_numpy()).pvalue > 1e-6


@pytest.mark.parametrize("first", [0.1, 5e8 + 0.1])
def test_a_frame_on_the_end_of_a_good_time_or_just_before_its_start_is_outside(asked, first):
    # one frame is on the end and one a rounding before the start: quotients round to either side of a whole number
    frame_s = 3.24104
    times = first + frame_s * np.arange(1, 403)
    spans = {f"o{k}": (np.nextafter(times[k], np.inf), times[k + 3]) for k in range(399)}
    put(
        asked,
        photons=concatenated(*(photons(name, np.full(20, first)) for name in spans)),
        good_times=good_times(*((name, -1, *span) for name, span in spans.items())),
        observations=observations(*spans, frame_time_s=frame_s),
    )
    rows = frame(asked.ask("poissonized_events", ("events",)))
    assert len(rows) == 20 * 399
    outside = [t for name, t in rows.select("obs_id", "arrival_s").rows() if not spans[name][0] <= t < spans[name][1]]
    assert outside == []


def test_photons_beyond_the_share_keep_their_times(asked):
    put_source(asked, np.full(4000, 2000.0))
    shares = {share: asked.ask("poissonized_events", ("events",), share=share) for share in (0.25, 0.5, 1.0)}
    moved = {s: {e for e, t in times_of(rows).items() if t != 2000.0} for s, rows in shares.items()}
    assert moved[0.25] < moved[0.5] < moved[1.0]
    assert len(moved[1.0]) == 4000
    assert len(moved[0.25]) == pytest.approx(1000, abs=4 * np.sqrt(750))
