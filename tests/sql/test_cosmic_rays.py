"""Relations of cosmic rays: a second opinion in NumPy and Polars, and what holds for any exposures."""

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from tests.builders.asked import Asked
from tests.builders.dark_tables import THICKNESS_UM, exposures, hits
from tests.builders.photon_lists import frame

QUANTITIES = ("shape", "n_pixels", "size_px", "energy_e")
SCALES = {"shape": (0, 1), "n_pixels": (1, 1000), "size_px": (0.1, 10), "energy_e": (10, 1e6), "path_um": (60, 1000)}


@pytest.fixture(scope="module")
def tables():
    rng = np.random.default_rng(5)
    found = exposures(rng, 1500)
    return {**found, "hits": hits(rng, found["exposures"]["obs_id"][:60], 4000)}


@pytest.fixture(scope="module")
def darks(tables):
    asked = Asked("cosmic_rays", **tables)
    asked.put("images", {"obs_id": [], "chip": [], "read_id": []})
    return asked


def long_darks(asked) -> pl.DataFrame:
    """Hits of darks that were measured and are long enough, with their detector."""
    known = frame(asked.con.sql("from cosmic_rays.exposures").to_arrow_table())
    measurements = frame(asked.con.sql("from cosmic_rays.measurements").to_arrow_table())
    done = measurements.filter(pl.col("failure").is_null())
    known = known.filter(pl.col("is_dark") & (pl.col("integration_s") > 200)).join(done, on="obs_id", how="semi")
    rows = frame(asked.con.sql("from cosmic_rays.hits").to_arrow_table())
    return rows.join(known.select("obs_id", "instrument"), on="obs_id")


def rated(asked) -> dict[str, pl.DataFrame]:
    rates = frame(asked.ask("clean_rates")).sort("start_mjd")
    return {name: rates.filter(instrument=name) for name in sorted(set(rates["instrument"]))}


@pytest.mark.parametrize(
    ("instrument", "n_months"), [("WFPC2", 185), ("ACS_HRC", 58), *((f"NICMOS_NIC{k}", 152) for k in (1, 2, 3))]
)
def test_a_detector_has_every_whole_month_of_its_life_once(instrument, n_months):
    found = frame(Asked("cosmic_rays").ask("months", detector=instrument)).sort("month")
    assert len(found) == n_months
    assert set(found["state"]) == {"empty"}
    steps = found["month"].diff().drop_nulls().dt.total_days().to_list()
    assert set(steps) <= {28, 29, 30, 31}


def test_no_month_is_inside_a_pause_and_those_at_its_ends_are_there():
    found = frame(Asked("cosmic_rays").ask("months", until="2016-01-01"))
    for name, before, after in (("ACS_WFC", (2007, 1), (2009, 5)), ("STIS_CCD", (2004, 8), (2009, 5))):
        months = sorted((m.year, m.month) for m in found.filter(instrument=name)["month"])
        assert months[months.index(before) + 1] == after
        assert months[-1] == (2015, 12)


def test_months_count_every_exposure_once_wherever_it_is(tables, darks):
    found = frame(darks.ask("months"))
    assert found["n_exposures"].sum() == len(tables["exposures"]["obs_id"])
    assert found["n_measured"].sum() + found["n_failed"].sum() == len(tables["measurements"]["obs_id"])
    assert found["n_flawed"].sum() == sum(flaw is not None for flaw in tables["exposures"]["flaw"])


@pytest.mark.parametrize("instant", ["2002-05-01", "2002-05-17T12:00:00"])
def test_two_spans_of_months_that_meet_have_those_of_both(darks, instant):
    first = datetime.fromisoformat(instant).replace(day=1, hour=0)
    whole, early = frame(darks.ask("months", until="2006-01-01")), frame(darks.ask("months", until=first))
    late = frame(darks.ask("months", since=instant, until="2006-01-01"))
    assert sorted([*early.rows(), *late.rows()]) == sorted(whole.rows())


@pytest.mark.parametrize("n", [1, 2, 30, 31, 60, 61, 100])
def test_exposures_alike_are_split_into_nearly_equal_parts_of_thirty_or_less(n):
    start = [datetime(2012, 1, 1) + timedelta(hours=k) for k in range(n)]
    names = [f"o{k}" for k in range(2 * n)]
    alike = {"instrument": ["STIS_CCD"] * 2 * n, "exposure_s": [1000.0] * 2 * n, "n_flagged": [0] * 2 * n}
    own = {"obs_id": names, "start_time": start * 2, "source_sha256": names, "flaw": [None] * n + ["lost"] * n}
    asked = Asked("cosmic_rays", exposures={**own, **alike})
    found = frame(asked.ask("groups"))
    sizes = found.group_by("part").len()["len"].to_list()
    assert sum(sizes) == n
    assert len(sizes) == -(-n // 30)
    assert max(sizes) - min(sizes) <= 1
    assert all(found.group_by("part").agg(pl.col("n_in_group").unique() == pl.len())["n_in_group"].explode())


def test_percentiles_are_those_of_numpy(darks):
    rows = long_darks(darks)
    found = frame(darks.ask("percentiles"))
    assert len(found) == len(QUANTITIES) * rows["instrument"].n_unique()
    for row in found.to_dicts():
        values = rows.filter(instrument=row["instrument"])[row["quantity"]].drop_nulls().to_numpy()
        assert row["n_hits"] == len(values)
        wanted = np.quantile(values, [0.25, 0.5, 0.75])
        np.testing.assert_allclose([row[f"percentile_{p}"] for p in (25, 50, 75)], wanted, rtol=1e-13)


def test_tracks_are_the_diagonals_of_their_boxes(darks):
    found = {(r["obs_id"], r["hit_id"]): r for r in frame(darks.ask("measured_hits")).to_dicts()}
    rows = long_darks(darks).to_dicts()
    assert len(found) == len(rows) > 500
    thickness = dict(zip(("STIS_CCD", "WFPC2", "ACS_WFC"), THICKNESS_UM, strict=True))
    for row in rows:
        own = found[row["obs_id"], row["hit_id"]]
        length = np.hypot(np.ptp(row["pixels_y"]) + 1, np.ptp(row["pixels_x"]) + 1)
        depth = thickness[row["instrument"]]
        assert own["projected_length_px"] == pytest.approx(length, rel=1e-13)
        assert own["path_um"] == pytest.approx(np.hypot(15 * length, depth), rel=1e-13)
        assert own["energy_kev"] == pytest.approx(row["energy_e"] * 3.71 / 1000, rel=1e-13)
        assert own["incidence_deg"] == pytest.approx(90 - np.degrees(np.arctan(depth / (15 * length))), rel=1e-12)


@pytest.mark.parametrize("n_bins", [1, 7, 40])
def test_histograms_of_hits_are_those_of_numpy(darks, n_bins):
    found = frame(darks.ask("hit_histograms", n_bins=n_bins)).sort("bin")
    rows = frame(darks.ask("measured_hits"))
    for (name, quantity), own in found.group_by(["instrument", "quantity"]):
        low, high = SCALES[quantity]
        edges = np.linspace(low, high, n_bins + 1) if low == 0 else np.geomspace(low, high, n_bins + 1)
        values = rows.filter(instrument=name)[quantity].drop_nulls().to_numpy()
        assert own["n_hits"].to_list() == np.histogram(values, edges)[0].tolist()
        np.testing.assert_allclose(own["bin_low"], edges[:-1], rtol=1e-12)
        np.testing.assert_allclose(own["bin_high"], edges[1:], rtol=1e-12)
        np.testing.assert_allclose(own["hit_share"], own["n_hits"] / len(values), rtol=1e-12)


@pytest.mark.parametrize(("window_d", "least_n"), [(25.0, 5), (3.0, 1), (400.0, 20)])
def test_rolling_rates_are_medians_of_the_exposures_around(darks, window_d, least_n):
    found = frame(darks.ask("rolling_rates", window_d=window_d, least_n=least_n))
    for own in rated(darks).values():
        mjd, rate = own["start_mjd"].to_numpy(), own["rate_per_s_cm2"].to_numpy()
        rows = {row["obs_id"]: row for row in found.to_dicts()}
        for obs_id, at in zip(own["obs_id"], mjd, strict=True):
            near = rate[np.abs(mjd - at) <= window_d / 2]
            wanted = np.median(near) if len(near) >= least_n else None
            assert rows[obs_id]["n_in_window"] == len(near)
            assert rows[obs_id]["median_rate_per_s_cm2"] == wanted
            assert rows[obs_id]["relative_rate"] == (wanted and pytest.approx(wanted / np.median(rate), rel=1e-13))


def test_monthly_rates_are_those_of_polars(darks):
    found = frame(darks.ask("monthly_rates")).sort("instrument", "month")
    rates = pl.concat(rated(darks).values()).with_columns(month=pl.col("start_time").dt.truncate("1mo"))
    by_polars = rates.group_by("instrument", "month").agg(
        pl.len().cast(pl.Int64).alias("n_exposures"), pl.median("rate_per_s_cm2")
    )
    wanted = by_polars.sort("instrument", "month")
    assert found.select(wanted.columns).equals(wanted)


def test_cuts_keep_long_darks_outside_the_anomaly_of_known_place(tables, darks):
    kept = set(frame(darks.ask("clean_rates"))["obs_id"])
    placed = tables["positions"]
    outside = set(placed["obs_id"][~placed["is_in_anomaly"]])
    facts = tables["exposures"]
    good = facts["is_dark"] & (facts["integration_s"] > 200)
    failed = tables["measurements"]["failure"].tolist()
    measured = {o for o, why in zip(tables["measurements"]["obs_id"], failed, strict=True) if why is None}
    assert kept == set(facts["obs_id"][good]) & outside & measured
    losses = frame(darks.ask("rate_losses"))
    assert losses["n_kept"].sum() == len(kept) > 100
    columns = losses.select("n_measured", "n_with_rate", "n_dark", "n_long", "n_kept").sum().row(0)
    assert list(columns) == sorted(columns, reverse=True)
    assert len(frame(darks.ask("rates"))) == columns[0] == len(measured)


@pytest.mark.parametrize("bin_px", [1, 16, 33])
def test_a_hit_map_counts_every_pixel_of_every_hit(darks, bin_px):
    found = frame(darks.ask("hit_map", bin_px=bin_px))
    rows = frame(darks.con.sql("from cosmic_rays.hits").to_arrow_table()).join(
        frame(darks.ask("measured_exposures")).filter("is_dark").select("obs_id", "instrument"), on="obs_id"
    )
    assert found["n_pixels_hit"].sum() == rows["n_pixels"].sum() > 1000
    edges = np.arange(0, 200 + bin_px, bin_px)
    for (name, chip), own in rows.group_by(["instrument", "chip"]):
        counts = np.histogram2d(
            own["pixels_y"].explode().to_numpy(), own["pixels_x"].explode().to_numpy(), (edges, edges)
        )[0]
        squares = found.filter(instrument=name, chip=chip)
        grid = np.zeros_like(counts)
        grid[squares["y_px"].to_numpy() // bin_px, squares["x_px"].to_numpy() // bin_px] = squares["n_pixels_hit"]
        np.testing.assert_array_equal(grid, counts)


def test_no_hit_is_lost_on_the_map_of_rates(darks):
    placed = frame(darks.ask("rates_by_place", bin_deg=17.0, longer_than_s=0.0))
    wanted = frame(darks.ask("judged_rates")).filter("is_sound", pl.col("middle_longitude_deg").is_not_null())
    assert placed["n_hits"].sum() == wanted["n_hits"].sum()
    assert placed["n_exposures"].sum() == len(wanted)
