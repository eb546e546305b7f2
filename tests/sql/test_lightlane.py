"""Filters of photons: what each must obey, and that SQL, Polars and NumPy agree on all of them."""

import math
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from scipy import stats

from lake.compose import plan, values
from lake.errors import QueryError
from lake.kernels.good_times import GoodTimes
from lake.kernels.good_times import common_good_times as common_by_kernel
from lake.relations import relations
from tests.builders.asked import Asked
from tests.builders.event_tables import concatenated, good_times, observations, photons, random_tables
from tests.twins import lightlane_numpy as by_numpy
from tests.twins import lightlane_polars as by_polars

BAND = {"min_nm": 0.1, "max_nm": 1.0}
BINS = {**BAND, "n_bins": 9}
TABLES = ("photons", "observations", "good_times")
# For each filter: whose rows it is given, the tables and the parameters that its twins want.
FILTERS: dict[str, tuple[tuple[str, ...], tuple[str, ...], dict[str, Any]]] = {
    "shifted_events": (("events",), TABLES, {}),
    "good_events": (("events", "shifted_events"), (), {}),
    "timed_events": (("events", "good_events"), TABLES[1:], {"from_s": 3.0, "until_s": 90.0}),
    "banded_events": (("events", "timed_events"), (), BAND),
    "wavelength_binned_events": (("events", "banded_events"), (), BINS),
    "flattened_events": (("wavelength_binned_events",), (), {"occupied_only": True, "n_bins": 9}),
    "poissonized_events": (("events", "flattened_events"), TABLES, {"share": 0.8}),
}
# As filters draw: hash of a hash, and 52 bits of it.
DRAWS = """
    select
        *,
        hash(hash(obs_id, event_id, 'flatten', 1)) as rank_hash,
        (cast(hash(hash(obs_id, event_id, 'time', 2)) >> 12 as double) + 0.5) / 4503599627370496 as draw,
        (cast(hash(hash(obs_id, event_id, 'share', 2)) >> 12 as double) + 0.5) / 4503599627370496 as share_draw
    from lightlane.given
"""
# What the hash of three photons is, by major version of DuckDB: where these change, so does every draw.
PINNED = {
    "1": [12567836351235027922, 7212340411999621657, 15856630975475467661],
    "2": [12567836351235027922, 7212340411999621657, 15856630975475467661],
}


@pytest.fixture(scope="module")
def asked():
    return Asked("lightlane")


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


def frame(rows: pa.Table) -> pl.DataFrame:
    found = pl.from_arrow(rows)
    assert isinstance(found, pl.DataFrame)
    return found


def as_arrays(rows: pl.DataFrame) -> by_numpy.Rows:
    """A table as the NumPy twin has it."""
    unknown = rows.select(pl.col(pl.Int16, pl.Int32).fill_null(-1))
    return {name: column.to_numpy() for name, column in rows.with_columns(unknown).to_dict().items()}


def assert_same(found: pl.DataFrame, wanted: by_numpy.Rows | pl.DataFrame, what: str) -> None:
    """Same photons, bins and flags; times within a microsecond."""
    tables = as_arrays(found), as_arrays(wanted) if isinstance(wanted, pl.DataFrame) else wanted
    one, two = ({n: t[n][np.lexsort((t["event_id"], t["obs_id"]))] for n in by_numpy.COLUMNS} for t in tables)
    assert found.columns == list(by_numpy.COLUMNS)
    for name, column in one.items():
        if column.dtype.kind == "f":
            np.testing.assert_allclose(column, two[name], rtol=0, atol=1e-6, err_msg=f"{what}, {name}")
        else:
            np.testing.assert_array_equal(column, two[name], err_msg=f"{what}, {name}")


def test_sql_polars_and_numpy_filter_two_hundred_random_lists_alike(asked):
    n_out = dict.fromkeys(FILTERS, 0)
    for seed, n_lists in enumerate([0, 1, 7, *[12] * 16]):
        put(asked, **random_tables(seed, n_lists))
        tables = {name: frame(asked.con.sql(f"from lightlane.{name}").to_arrow_table()) for name in TABLES}
        found = {"events": asked.ask("events")}
        for twin in (by_polars.events(tables["photons"]), by_numpy.events(as_arrays(tables["photons"]))):
            assert_same(frame(found["events"]), twin, f"lists {seed}, events")
        for name, (inputs, needs, params) in FILTERS.items():
            asked.put("given", found[inputs[seed % len(inputs)]])
            found[name] = asked.ask(name, ("given",), **params)
            drawn = frame(asked.con.sql(DRAWS).to_arrow_table())
            by_name = getattr(by_polars, name)(drawn, *(tables[n] for n in needs), **params)
            by_array = getattr(by_numpy, name)(as_arrays(drawn), *(as_arrays(tables[n]) for n in needs), **params)
            assert_same(frame(found[name]), by_name, f"lists {seed}, {name}, Polars")
            assert_same(frame(found[name]), by_array, f"lists {seed}, {name}, NumPy")
            n_out[name] += len(found[name])
    assert min(n_out.values()) > 500, n_out


def test_the_hash_that_all_draws_rest_on_is_the_one_they_were_drawn_with():
    found = duckdb.sql("""
        select hash(hash(obs_id, event_id, word, cast(seed as bigint)))
        from (values
            ('chandra-10027-6c1c0d5e', cast(0 as bigint), 'flatten', 1),
            ('chandra-10027-6c1c0d5e', 4611, 'time', 2),
            ('a', 7, 'share', 2)
        ) as drawn (obs_id, event_id, word, seed)
    """).fetchall()
    assert [h for (h,) in found] == PINNED[duckdb.__version__.partition(".")[0]]


def put_hrc(asked: Asked, arrival_s: Any, event_id: Any = None, spans: Any = ((0.0, 1000.0),)) -> None:
    """A list of HRC, its rows numbered as they stand or so."""
    rows = photons("a", arrival_s)
    rows = rows if event_id is None else {**rows, "event_id": event_id}
    times = good_times(*(("a", -1, start, stop) for start, stop in spans))
    put(asked, photons=rows, good_times=times, observations=observations("a", instrument="HRC"))


def times_of(rows: pa.Table) -> dict[int, float]:
    """Arrival of each photon by its number."""
    return dict(zip(rows["event_id"].to_pylist(), rows["arrival_s"].to_pylist(), strict=True))


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


def put_spectrum(asked: Asked, sizes: list[int], *others: dict[str, Any], seed: int = 1) -> None:
    """Observation `a` with so many photons in bins one nanometre wide, at random times of 0 to 1000 s."""
    rng = np.random.default_rng(seed)
    wavelength = rng.permutation(np.repeat(np.arange(len(sizes)), sizes)) + rng.uniform(0.1, 0.9, sum(sizes))
    rows = concatenated(photons("a", rng.uniform(0, 1000, sum(sizes)), wavelength), *others)
    times = good_times(*((obs_id, -1, 0.0, 1000.0) for obs_id in ("a", "b")))
    put(asked, photons=rows, good_times=times, observations=observations("a", "b"))


def in_bins(n: int) -> dict[str, Any]:
    return {"min_nm": 0.0, "max_nm": float(n), "n_bins": n}


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


def test_good_times_common_to_all_chips_are_those_of_the_kernel(asked):
    tables = random_tables(77, 60)
    put(asked, **tables)
    found = frame(asked.ask("common_good_times")).sort("obs_id", "start_s")
    times, rows = as_arrays(frame(pa.table(tables["good_times"]))), frame(pa.table(tables["photons"]))
    n_spans = 0
    for (obs_id,), own in rows.filter(pl.col("detector_id").is_not_null()).group_by("obs_id"):
        here = times["obs_id"] == obs_id
        good = GoodTimes(*(times[name][here] for name in ("detector_id", "start_s", "stop_s")))
        chips = own["detector_id"].to_numpy()
        tables_used = {chip if chip in good.detector_id else -1 for chip in chips.tolist()}
        has_time = all((good.of(table)[1] > good.of(table)[0]).any() for table in tables_used)
        if has_time and rows.filter(obs_id=obs_id)["detector_id"].null_count() == 0:
            spans = found.filter(obs_id=obs_id).select("start_s", "stop_s").rows()
            assert spans == list(zip(*common_by_kernel(good, chips), strict=True))
            n_spans += len(spans)
    assert n_spans > 10


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


ORDERS = [
    (["good_events", "shifted_events"], "shifted_events after lightlane.good_events"),
    (["poissonized_events", "flattened_events"], "flattened_events comes twice"),
    (["good_events", "banded_events", "timed_events", "banded_events"], "banded_events comes twice"),
    (["shifted_events", "flattened_events"], "without lightlane.wavelength_binned_events"),
    (["shifted_events", "wavelength_binned_events", "banded_events"], "banded_events after"),
]


@pytest.mark.parametrize(("chain", "said"), ORDERS, ids=lambda v: "-".join(v) if isinstance(v, list) else "")
def test_filters_in_a_wrong_order_are_refused_by_name(chain, said):
    links = [f"lightlane.{name}" for name in chain]
    with pytest.raises(QueryError, match=said):
        plan(relations(), [f"lightlane.{name}" for name in TABLES], links[-1], links[:-1])


@pytest.mark.parametrize(("relation", "name", "value"), [
    ("poissonized_events", "share", 0), ("poissonized_events", "share", 1.5), ("light_curves", "bin_s", 0),
    ("light_curves", "bin_s", -5), ("light_curves", "bin_s", math.inf), ("wavelength_counts", "n_bins", 0),
    ("wavelength_counts", "n_bins", 10**12), ("wavelength_counts", "max_nm", 0.1), ("fig_spectrum", "min_nm", 1.0),
    ("banded_events", "max_nm", 0.05), ("timed_events", "until_s", 0), ("flattened_events", "n_bins", 0),
])  # fmt: skip
def test_parameters_outside_their_stated_bounds_are_refused(relation, name, value):
    made = plan(relations(), [f"lightlane.{name}" for name in TABLES], f"lightlane.{relation}")
    with pytest.raises(QueryError, match=r": found .*, expected a"):
        values(made.params, {name: value}, relation)
