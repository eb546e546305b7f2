"""Cosmic rays of a real pair of exposures, through the tables to what the relations make of them.

The figures are of the same file measured by the rules of Miles et al. (2021), ApJ 918, 86: flags of the archive, 8
neighbours, 3 pixels or more, no pixel below zero.
"""

import numpy as np
import pyarrow as pa
import pytest

from lake.kernels.dark_tables import exposure_columns
from lake.kernels.darks import exposures
from lake.kernels.measurements import Finding, image_measured, joined, totals
from lake.readers import read
from schemas.cosmic_rays import EXPOSURES, HITS, IMAGES, MEASUREMENTS
from tests.builders.asked import Asked
from tests.builders.photon_lists import frame

# Quartiles of the charge [electron], mean size [px], mean shape, mean number of pixels, rate [1/(s cm2)], hits.
FLAGS, THRESHOLD = Finding("flags"), Finding("threshold", threshold_e=52.5207)
GOLDEN = {
    "o4k19a010_1": (FLAGS, (104.877, 175.040, 1642.597), 0.553826, 0.548292, 4.89708, 1.52826, 1166),
    "o4k19a010_2": (FLAGS, (798.512, 1408.855, 2595.982), 0.482018, 0.415863, 5.592, 0.81918, 625),
    "o4k19a010_1 by threshold": (THRESHOLD, (252.195, 467.556, 1192.320), 0.678767, 0.388505, 8.08807, None, 3202),
}


@pytest.fixture(scope="module")
def pair(data):
    source = read(data("hst/o4k19a010_flt.fits.gz"))
    return exposures(source), source.sha256


def asked_of(pair, obs_id, finding):
    """The tables of one exposure of the pair."""
    found, sha256 = pair
    number = [exposure.obs_id for exposure in found].index(obs_id)
    rows = EXPOSURES.fit(exposure_columns(found, sha256)).rows.slice(number, 1)
    facts = rows.to_pylist()[0]
    (image,) = found[number].images
    measured = image_measured(image.electrons, image.quality, finding)
    place = {"obs_id": obs_id, "chip": 1, "read_id": 0}
    hits = joined([(place, measured.hits)])
    own = {"obs_id": obs_id, "instrument": "STIS_CCD", "method": finding.method, "group_key": "", "failure": None}
    sums = totals([measured.image], facts["integration_s"], facts["area_cm2"], 1024**2)
    tables = {
        "images": one_row(IMAGES, {**place, "integration_s": facts["integration_s"], **measured.image}),
        "measurements": one_row(MEASUREMENTS, {**own, **sums}),
        "hits": HITS.fit({c.name: hits[c.name] for c in HITS.columns}).rows,
    }
    return Asked("cosmic_rays", exposures=rows, **tables)


def one_row(table, values) -> pa.Table:
    return table.fit({name: [value] for name, value in values.items()}).rows


@pytest.mark.parametrize("name", GOLDEN)
def test_a_real_exposure_has_the_quartiles_sizes_and_rate_of_the_published_rules(pair, name):
    finding, quartiles, size_px, shape, n_pixels, rate, n_hits = GOLDEN[name]
    asked = asked_of(pair, name.partition(" ")[0], finding)
    rows = {r["quantity"]: r for r in frame(asked.ask("percentiles", least_s=0.0, darks_only=False)).to_dicts()}
    found = [rows["energy_e"][f"percentile_{p}"] for p in (25, 50, 75)]
    np.testing.assert_allclose(found, quartiles, atol=5e-4, rtol=0)
    assert rows["energy_e"]["n_hits"] == n_hits
    hits = frame(asked.ask("measured_hits", least_s=0.0, darks_only=False))
    assert hits["size_px"].mean() == pytest.approx(size_px, abs=5e-7)
    assert hits["shape"].mean() == pytest.approx(shape, abs=5e-7)
    row = frame(asked.ask("catalogue", darks_only=False)).to_dicts()[0]
    assert row["mean_size_pixels"] == pytest.approx(n_pixels, abs=5e-6)
    assert rate is None or row["incident_cr_rate"] == pytest.approx(rate, rel=1e-4)


def test_a_sky_image_is_no_dark(pair):
    asked = asked_of(pair, "o4k19a010_2", FLAGS)
    assert len(asked.ask("percentiles", least_s=0.0)) == 0
    assert len(asked.ask("catalogue")) == 0
