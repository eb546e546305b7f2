"""Real frames through the command, beside the figures that the original's rules give for them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from lake.store import Lake
from lake.verify import verify
from tests.conftest import DATA
from tests.proofs import Criterion, command, passing

HST = DATA / "hst"
FRAMES = ("o4k19a010_flt.fits.gz", "u40x010hm_c0f.fits.gz")
# obs_id, chip: hits, their pixels, their charge [electron].
IMAGES = {
    ("o4k19a010_1", 1): (1166, 5710, 1_810_351.27),
    ("o4k19a010_2", 1): (625, 3495, 1_668_143.49),
    ("u40x010hm", 1): (2260, 60_066, 21_504_016),
    ("u40x010hm", 2): (3463, 112_275, 107_087_206),
    ("u40x010hm", 3): (4276, 107_986, 108_951_848),
    ("u40x010hm", 4): (4940, 101_990, 126_036_450),
}
THRESHOLDS_E = {1: 42.0234, 2: 98.794, 3: 145.3788, 4: 168.6775}
# obs_id: rate [1/s/cm2]; quartiles of the charge [electron]; mean size [px], shape and pixels.
EXPOSURES = {
    "o4k19a010_1": (1.52826, (104.877, 175.040, 1642.597), (0.553826, 0.548292, 4.89708)),
    "o4k19a010_2": (0.81918, (798.511, 1408.855, 2595.982), (0.482018, 0.415863, 5.592)),
}
# Of the second exposure: hit, place, pixels, charge, size, shape.
HITS = {
    1: (0.6184, 203.3379, 3, 19.685, 0.479436, 0.561666),
    10: (15.8566, 292.0169, 12, 41_994.286, 0.312969, 0.455696),
    617: (1015.4673, 379.4597, 36, 23_872.040, 2.510326, 0.947752),
}


def prove_the_figures_of_real_frames(folder: Path) -> Iterator[Criterion]:
    files = [HST / name for name in FRAMES]
    if not all(f.exists() for f in files):
        yield Criterion("real frames of STIS and WFPC2", f"no files in {DATA}; set LIGHTLAKE_DATA", False)
        return
    run = command(folder, "run", "cosmic_rays", *map(str, files))
    yield Criterion(
        "a STIS pair and a WFPC2 exposure, exit 0", run.stderr.strip().splitlines()[-2], run.returncode == 0
    )
    lake = Lake(folder / "lakehouse")
    images = {(r["obs_id"], r["chip"]): r for r in lake.table("cosmic_rays.images").pl().to_dicts()}
    for (obs_id, chip), (n, n_pixels, energy) in IMAGES.items():
        r = images[obs_id, chip]
        found = r["n_hits"], r["n_pixels_hit"], r["energy_e"]
        exact = found[:2] == (n, n_pixels) and abs(found[2] / energy - 1) < 0.5 / energy + 1e-8
        asked = f"{obs_id} chip {chip}: {n:,} hits, {n_pixels:,} pixels, {energy:,.10g} e"
        yield Criterion(asked, f"{found[0]:,}, {found[1]:,}, {found[2]:,.10g}", exact)
    for chip, limit in THRESHOLDS_E.items():
        found_e = images["u40x010hm", chip]["threshold_e"]
        yield Criterion(f"u40x010hm chip {chip}: threshold {limit} e", f"{found_e:.4f}", abs(found_e - limit) < 1e-4)
    yield from _exposures(lake)
    yield from _single_hits(lake)
    yield Criterion("all of it is as it was committed", f"{len(verify(lake))} findings", verify(lake) == [])


def _exposures(lake: Lake) -> Iterator[Criterion]:
    rates = {r["obs_id"]: r for r in lake.table("cosmic_rays.measurements").pl().to_dicts()}
    hits = lake.table("cosmic_rays.hits").pl()
    for obs_id, (rate, quartiles, means) in EXPOSURES.items():
        own = hits.filter(hits["obs_id"] == obs_id)
        found = rates[obs_id]["rate_per_s_cm2"]
        yield Criterion(f"{obs_id}: {rate} hits/s/cm2", f"{found:.5f}", abs(found - rate) < 1e-5)
        parts = np.quantile(own["energy_e"].to_numpy(), (0.25, 0.5, 0.75))
        asked, told = (" / ".join(f"{q:.3f}" for q in qs) for qs in (quartiles, parts))
        yield Criterion(f"{obs_id}: quartiles {asked} e", told, bool(np.allclose(parts, quartiles, rtol=1e-5)))
        mean = [float(own[name].mean()) for name in ("size_px", "shape", "n_pixels")]  # type: ignore[arg-type]
        asked, told = (" / ".join(f"{m:.6g}" for m in ms) for ms in (means, mean))
        yield Criterion(
            f"{obs_id}: mean size / shape / pixels {asked}", told, bool(np.allclose(mean, means, rtol=1e-5))
        )


def _single_hits(lake: Lake) -> Iterator[Criterion]:
    own = lake.table("cosmic_rays.hits", where={"obs_id": "o4k19a010_2"}).pl()
    for hit_id, wanted in HITS.items():
        row = own.filter(own["hit_id"] == hit_id).to_dicts()[0]
        found = [float(row[name]) for name in ("y_px", "x_px", "n_pixels", "energy_e", "size_px", "shape")]
        asked, told = (", ".join(f"{v:.7g}" for v in vs) for vs in (wanted, found))
        near = np.abs(np.subtract(found, wanted)) <= (1e-4, 1e-4, 0, 1e-3, 1e-6, 1e-6)
        yield Criterion(f"o4k19a010_2 hit {hit_id}: {asked}", told, bool(near.all()))


def prove_the_kernels(folder: Path) -> Iterator[Criterion]:
    yield passing(
        "statistics equal a loop, scikit-image and SciPy; hand check; laws", "tests/kernels/test_hits.py",
        "tests/kernels/test_thresholds.py", "tests/kernels/test_rates.py", "tests/kernels/test_tracks.py",
    )  # fmt: skip
    yield passing(
        "rejection: real STIS pair recall >= 0.99, IoU >= 0.85; simulated groups; a loop over pixels",
        "tests/kernels/test_rejections.py", "tests/kernels/test_rejection_rules.py",
    )  # fmt: skip
    yield passing(
        "orbits: test vectors, SGP4 within 6 km, all contours", "tests/kernels/test_orbits.py",
        "tests/kernels/test_earth.py", "tests/kernels/test_tles.py", "tests/kernels/test_anomaly.py",
    )  # fmt: skip
    yield passing("simulated darks are what they are said to be", "tests/synth")
