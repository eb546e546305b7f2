"""Good times of chips together, and light curves over them."""

import numpy as np
import pyarrow as pa
import pytest

from lake.kernels.event_lists import observation
from lake.kernels.good_times import GoodTimes, common_good_times
from lake.kernels.photons import good_time_columns, observation_columns, photon_columns
from schemas.lightlane import GOOD_TIMES, OBSERVATIONS, PHOTONS
from tests.builders import photons as files
from tests.builders.event_tables import random_tables
from tests.builders.photon_lists import frame, put
from tests.twins import lightlane_numpy as by_numpy


def test_good_times_common_to_all_chips_are_those_of_the_kernel_in_every_list(asked):
    tables = random_tables(77, 200)
    put(asked, **tables)
    found = frame(asked.ask("common_good_times")).sort("obs_id", "start_s")
    times, photons = (frame(pa.table(tables[name])) for name in ("good_times", "photons"))
    n_spans = []
    for obs_id in tables["observations"]["obs_id"].to_pylist():
        own = times.filter(obs_id=obs_id)
        good = GoodTimes(*(own[name].to_numpy() for name in ("detector_id", "start_s", "stop_s")))
        chips = photons.filter(obs_id=obs_id)["detector_id"].cast(float).to_numpy()
        spans = found.filter(obs_id=obs_id).select("start_s", "stop_s").rows()
        assert spans == list(zip(*common_good_times(good, chips), strict=True)), obs_id
        n_spans.append((len(chips) > 0, len(spans) > 0))
    assert {case: n_spans.count(case) >= 10 for case in set(n_spans)} == dict.fromkeys(
        [(False, False), (False, True), (True, False), (True, True)], True
    )


def made_file(rng, number):
    """An event list of few photons on chips with a table, with an empty one, without one, and on none."""
    n = int(rng.choice([0, 1, 5, 20]))
    chips = np.ma.masked_array(rng.choice([0, 1, 4], n), rng.random(n) < 0.2)
    columns = {"TIME": rng.uniform(0, 100, n)} | ({"CCD_ID": chips} if rng.random() < 0.7 else {})
    edges = rng.integers(0, 90, (4, 3, 1)) + np.array([0, 30]) * (rng.random((4, 3, 1)) < 0.8)
    some = rng.permutation(4)[: rng.integers(0, 5)]
    tables = [files.good_times(*map(tuple, edges[k]), **({} if k == 3 else {"CCD_ID": int(k)})) for k in some.tolist()]
    return files.event_source(columns, *tables, sha256=f"{number:064x}"[::-1], TSTART=0.0, TSTOP=100.0)


def test_exposures_divide_by_the_good_time_that_the_observation_states(asked):
    rng = np.random.default_rng(3)
    lists = [observation(made_file(rng, k)) for k in range(60)]
    stated = pa.concat_tables(OBSERVATIONS.fit(observation_columns(events)).rows for events in lists)
    asked.put("observations", stated)
    asked.put("good_times", pa.concat_tables(GOOD_TIMES.fit(good_time_columns(events)).rows for events in lists))
    asked.put("photons", pa.concat_tables(PHOTONS.fit(photon_columns(events)).rows for events in lists))
    wanted = dict(zip(stated["obs_id"].to_pylist(), stated["good_time_s"].to_pylist(), strict=True))
    spans, curves = frame(asked.ask("common_good_times")), frame(asked.ask("light_curves", bin_s=7.0))
    assert len(wanted) == 60
    assert 10 < sum(seconds > 0 for seconds in wanted.values()) < 60
    for obs_id, seconds in wanted.items():
        own = spans.filter(obs_id=obs_id)
        assert (own["stop_s"] - own["start_s"]).sum() == pytest.approx(seconds, abs=1e-9)
        assert curves.filter(obs_id=obs_id)["exposure_s"].sum() == pytest.approx(seconds, abs=1e-9)


@pytest.mark.parametrize("bin_s", [0.5, 3.0, 40.0, 1000.0])
def test_a_light_curve_counts_every_photon_of_common_good_time_and_every_second_of_it(asked, bin_s):
    tables = random_tables(5, 20)
    put(asked, **tables)
    curves = frame(asked.ask("light_curves", bin_s=bin_s)).sort("time_bin")
    common, good = frame(asked.ask("common_good_times")), frame(asked.ask("good_events"))
    assert set(curves["obs_id"]) == set(common["obs_id"])
    for (obs_id,), own in curves.group_by("obs_id", maintain_order=True):
        spans = sorted(common.filter(obs_id=obs_id).select("start_s", "stop_s").rows())
        wanted = by_numpy.light_curve(good.filter(obs_id=obs_id)["arrival_s"].to_numpy(), spans, bin_s)
        assert own["time_bin"].to_list() == list(range(len(own)))
        assert own["n_photons"].to_list() == wanted[0]
        np.testing.assert_allclose(own["exposure_s"], wanted[1], atol=1e-6)
