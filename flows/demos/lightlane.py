"""X-ray photons for the demo: M82 as Chandra saw it, a long list in XMM's format, and simulated sources."""

import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import polars

from flows.demos import Found
from lake.store import Lake
from lake.synth.photons import Emitter, Scene, Truth, write_event_list

SEED = 20_260_301
# Chandra's M82 is real; the XMM list is made up by its package, in the real format.
SAMPLES = {"chandra_test.fits": 4_612, "xmm_test.fits": 1_708_244}
DURATION_S, AMPLITUDE, BIN_S = 4000.0, 0.2, 20.0
SCENES = {
    "dithered_acis.fits": Scene(
        "chandra-acis",
        6000.0,
        (Emitter(3.0, (0.2, 1.0)), Emitter(0.5, (0.2, 1.0), detector_id=6)),
        good_times={7: ((0.0, 2500.0), (3000.0, 6000.0)), 6: ((0.0, 6000.0),)},
        obs_id="90001",
        bad_share=0.02,
    ),
    "shifted_hrc.fits": Scene("chandra-hrc", 3000.0, (Emitter(20.0),), obs_id="90002"),
    "sine_nicer.fits": Scene(
        "nicer", DURATION_S, (Emitter(25.0, amplitude=AMPLITUDE, period_s=400.0),), obs_id="90003"
    ),
}


def inputs(folder: Path, small: bool) -> list[Path]:
    """Two lists that ship with stingray (the short one alone if `small`), and the simulated ones."""
    package = find_spec("stingray")
    (place,) = (package.submodule_search_locations if package else None) or [str(folder)]
    samples = Path(place, "tests", "data")
    for name, scene in SCENES.items():
        if not (folder / name).exists():
            write_event_list(folder / name, scene, SEED)
    return [*(samples / name for name in list(SAMPLES)[: 1 if small else None]), *(folder / name for name in SCENES)]


def check(lake: Lake, small: bool) -> Iterator[Found]:
    """Photons, their flags, the times HRC gave away, and variability that is there or isn't."""
    for name in list(SAMPLES)[: 1 if small else None]:
        yield _photons(lake, name, SAMPLES[name])
    with tempfile.TemporaryDirectory() as folder:
        truths = {name: write_event_list(Path(folder, name), scene, SEED) for name, scene in SCENES.items()}
    yield _good(lake, truths["dithered_acis.fits"])
    yield _shifted(lake, truths["shifted_hrc.fits"])
    yield from _variability(lake, truths["sine_nicer.fits"])


def _photons(lake: Lake, name: str, planted: int) -> Found:
    """Rows of a list that ships with a package."""
    sources = [sha256 for sha256, words in lake.snapshot.sources.items() if Path(words["uri"]).name == name]
    seen = lake.table("lightlane.observations", ["n_photons", "source_sha256"]).pl()
    n = int(seen.filter(seen["source_sha256"].is_in(sources))["n_photons"].sum())
    return Found(f"photons of {name}", planted, n, "all", n == planted)


def _good(lake: Lake, truth: Truth) -> Found:
    """Photons in the good time of their own chip, of good grade and status."""
    planted = int((truth.is_good_time & truth.is_good_grade & truth.is_good_status).sum())
    n = len(_own(lake.query("lightlane.good_events").pl(), "chandra-90001-"))
    return Found("good photons, ACIS", planted, n, "all", n == planted)


def _shifted(lake: Lake, truth: Truth) -> Found:
    """Photons that get the time back which HRC stored with their neighbour."""
    shifted = _own(lake.query("lightlane.shifted_events").pl(), "chandra-90002-")
    error = shifted["arrival_s"].to_numpy() - truth.arrival_s[shifted["event_id"].to_numpy()]
    right = int((abs(error) < 1e-6).sum())
    return Found("HRC times given back", truth.n_photons - 1, right, "all", right == truth.n_photons - 1)


def _variability(lake: Lake, truth: Truth) -> list[Found]:
    """Variance over mean of a source with a sine, and of the same photons at times drawn anew."""
    planted = round(1 + truth.n_photons / DURATION_S * BIN_S * AMPLITUDE**2 / 2, 2)
    seen = _variance_over_mean(lake, ["good_events"])
    drawn = _variance_over_mean(lake, ["good_events", "poissonized_events"])
    return [
        Found("variance/mean, sine", planted, seen, "± 25 %", abs(seen / planted - 1) < 0.25),
        Found("same, times redrawn", 1.0, drawn, "± 0.4", abs(drawn - 1) < 0.4),
    ]


def _variance_over_mean(lake: Lake, chain: list[str]) -> float:
    """Of the counts of the simulated NICER list, in full bins."""
    counts = _own(lake.query("lightlane.light_curves", chain=chain, bin_s=BIN_S).pl(), "nicer-90003-")
    n = counts.filter(counts["exposure_s"] > 0.999 * BIN_S)["n_photons"].to_numpy()
    return round(float(n.var(ddof=1) / n.mean()), 2)


def _own(rows: polars.DataFrame, start: str) -> polars.DataFrame:
    """Rows of the simulated list whose obs_id starts so."""
    return rows.filter(rows["obs_id"].str.starts_with(start))
