"""What each filter of photons must obey."""

from typing import Any

import numpy as np
import polars as pl
import pytest

from tests.builders.asked import Asked
from tests.builders.event_tables import good_times, observations, photons
from tests.builders.photon_lists import frame, in_bins, put, put_source, put_spectrum, times_of


def put_hrc(asked: Asked, arrival_s: Any, event_id: Any = None, spans: Any = ((0.0, 1000.0),)) -> None:
    """A list of HRC, its rows numbered as they stand or so."""
    rows = photons("a", arrival_s)
    rows = rows if event_id is None else {**rows, "event_id": event_id}
    times = good_times(*(("a", -1, start, stop) for start, stop in spans))
    put(asked, photons=rows, good_times=times, observations=observations("a", instrument="HRC"))


def test_each_photon_of_hrc_gets_the_time_stored_with_the_next(asked):
    put_hrc(asked, [1.0, 2.0, 4.0, 8.0, 16.0])
    assert times_of(asked.ask("shifted_events")) == {0: 2.0, 1: 4.0, 2: 8.0, 3: 16.0}


def test_shifting_needs_the_order_of_telemetry_not_of_time(asked):
    tags = [1.0, 2.0, 4.0, 8.0, 16.0]
    put_hrc(asked, tags[::-1])
    assert times_of(asked.ask("shifted_events")) == {0: 8.0, 1: 4.0, 2: 2.0, 3: 1.0}
    put_hrc(asked, tags[::-1], event_id=[4, 3, 2, 1, 0])
    assert times_of(asked.ask("shifted_events")) == {0: 2.0, 1: 4.0, 2: 8.0, 3: 16.0}


@pytest.mark.parametrize("n", [0, 1, 2, 50])
def test_shifting_loses_one_photon_and_the_first_tag(asked, n):
    tags = np.random.default_rng(n).uniform(0, 1000, n)
    put_hrc(asked, tags)
    assert sorted(times_of(asked.ask("shifted_events")).values()) == sorted(tags[1:])


def test_photons_of_other_instruments_have_no_shifted_time(asked):
    put_source(asked, [1.0, 2.0, 4.0])
    assert len(asked.ask("shifted_events")) == 0


def test_a_photon_whose_true_time_is_in_a_gap_is_not_good(asked):
    put_hrc(asked, [1.0, 2.0, 50.0, 110.0, 111.0], spans=[(0.0, 10.0), (100.0, 200.0)])
    shifted = asked.ask("shifted_events")
    assert dict(zip(shifted["event_id"].to_pylist(), shifted["is_good"].to_pylist(), strict=True)) == {
        0: True, 1: False, 2: True, 3: True,
    }  # fmt: skip


def test_every_photon_of_the_band_is_in_the_bin_whose_edges_enclose_it(asked):
    edges = 0.5 + np.arange(65) / 128
    inside = np.random.default_rng(1).uniform(0.5, 1.0, 2000).astype(np.float32)
    last = np.nextafter(np.float32(1.0), np.float32(0.0))
    wavelength = np.concatenate([edges, inside, [last, 0.0, 0.49, 7.0]]).astype(np.float32)
    put_source(asked, np.arange(float(len(wavelength))), wavelength, spans=[(0.0, 9999.0)])
    binned = frame(asked.ask("wavelength_binned_events", min_nm=0.5, max_nm=1.0, n_bins=64))
    assert binned["wavelength_bin"].dtype == pl.Int32
    assert len(binned) == 64 + 2000 + 1
    place, found = binned["wavelength_bin"].to_numpy(), binned["wavelength_nm"].to_numpy()
    assert (edges[place] <= found).all()
    assert (found < edges[place + 1]).all()
    counts = asked.ask("wavelength_counts", min_nm=0.5, max_nm=1.0, n_bins=64)
    assert counts["n_photons"].to_pylist() == np.bincount(place, minlength=64).tolist()


def test_flattening_leaves_as_many_photons_in_each_bin_as_the_poorest_has(asked):
    put_spectrum(asked, [40, 7, 300])
    before = frame(asked.ask("wavelength_binned_events", **in_bins(3)))
    after = frame(asked.ask("flattened_events", **in_bins(3)))
    assert after["wavelength_bin"].value_counts().sort("wavelength_bin").rows() == [(0, 7), (1, 7), (2, 7)]
    assert len(after.join(before, on=before.columns, how="semi", nulls_equal=True)) == 21
    losses = frame(asked.ask("flattening_losses", **in_bins(3))).row(0, named=True)
    assert (losses["n_kept"], losses["n_photons"], losses["kept_share"]) == (21, 347, 21 / 347)


def test_an_empty_bin_leaves_nothing_only_if_it_counts(asked):
    put_spectrum(asked, [40, 0, 30])
    assert len(asked.ask("flattened_events", **in_bins(3))) == 60
    assert len(asked.ask("flattened_events", **in_bins(3), occupied_only=False)) == 0
    assert asked.ask("flattening_losses", **in_bins(3))["n_empty_bins"].to_pylist() == [1]


def fano(counts: Any) -> tuple[float, float]:
    """Variance over mean of counts, and its standard error."""
    squares = (counts - counts.mean()) ** 2
    n = len(counts)
    return squares.sum() / (n - 1) / counts.mean(), squares.std() / np.sqrt(n) / counts.mean()


def test_thinning_to_a_share_leaves_that_share_of_what_a_fano_factor_has_above_one(asked):
    # variance 5 times the mean: Poisson with a rate that is itself drawn
    rng = np.random.default_rng(5)
    counts = rng.poisson(rng.gamma(2.5, 4.0, 6000))
    rich = np.repeat(np.arange(6000.0), counts) / 6
    poor = rng.uniform(0, 1000, int(0.3 * len(rich)))
    put_source(asked, np.concatenate([rich, poor]), np.repeat([0.5, 1.5], [len(rich), len(poor)]))
    thinned = frame(asked.ask("flattened_events", **in_bins(2))).filter(wavelength_bin=0)
    bins = np.round(thinned["arrival_s"].to_numpy() * 6).astype(int)
    found, error = fano(np.bincount(bins, minlength=6000))
    assert abs(found - (1 + 0.3 * (fano(counts)[0] - 1))) < 4 * error
    assert fano(counts)[0] > 4.5
