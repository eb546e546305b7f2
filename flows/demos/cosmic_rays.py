"""Hubble's darks for the demo: exposures of STIS that are compared with one another, and one of WFPC2 with a threshold.

All are simulated: a charged particle leaves 75 electrons a micrometre of silicon, as many come from each direction as
the cosine law has it, and charge spreads. `truth_of` knows each of them.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from flows.demos import Found
from lake.store import Lake
from lake.synth.darks import Darks, group_of, write_exposure
from lake.synth.exposures import Truth, truth_of

N_EXPOSURES = 3
STIS = Darks("STIS_CCD", "odkx01aaq", 55927.0, 1000.0, flux_per_s_cm2=0.956, seed=1)
# A threshold takes hot pixels beside a ray for its own, so there are few.
WFPC2 = Darks("WFPC2", "u9aa0101m", 52000.0, 1000.0, flux_per_s_cm2=1.189, hot_share=0.0002, seed=2)
# A hit counts from three pixels on; a pixel is told from noise at five times the read noise.
LEAST_PIXELS, SIGMAS = 3, 5.0
# Where the orbit of the simulated telemetry has Hubble at the start of the first exposure.
LATITUDE_DEG = 27.7077


def scenes(small: bool) -> list[Darks]:
    """Exposures of STIS, and one of WFPC2 where they are not to be few."""
    return [*group_of(STIS, N_EXPOSURES), *([] if small else [WFPC2])]


def inputs(folder: Path, small: bool) -> list[Path]:
    """The simulated images with their telemetry files."""
    for scene in scenes(small):
        if not (folder / scene.root).is_dir():
            write_exposure(folder, scene)
    return sorted(path for scene in scenes(small) for path in (folder / scene.root).iterdir())


def check(lake: Lake, small: bool) -> Iterator[Found]:
    """Rays, their charge and rate, and where Hubble was."""
    yield from _of_detector(lake, "STIS_CCD", group_of(STIS, N_EXPOSURES))
    if not small:
        yield from _of_detector(lake, "WFPC2", [WFPC2])
    found = lake.sql(
        "select latitude_deg from cosmic_rays.positions where obs_id = $root order by mjd limit 1", root=STIS.root
    )
    latitude = round(float(found.pl()["latitude_deg"][0]), 2)
    yield Found(
        "latitude of Hubble [deg]", round(LATITUDE_DEG, 2), latitude, "± 0.1", abs(latitude - LATITUDE_DEG) < 0.1
    )


def _of_detector(lake: Lake, instrument: str, series: list[Darks]) -> Iterator[Found]:
    """What was planted in exposures of a detector beside what was found."""
    truths = [truth_of(replace(scene, limit_e=SIGMAS * scene.noise_e)) for scene in series]
    planted = sum(_rays(truth) for truth in truths)
    seen = lake.table("cosmic_rays.measurements", where={"instrument": instrument}).pl()
    n, corrected = int(seen["n_hits"].sum()), round(float(seen["n_hits_corrected"].sum()))
    yield Found(
        f"rays in {len(series)} of {instrument}", planted, corrected, "± 3 %", abs(corrected / planted - 1) < 0.03
    )
    charge = sum(float(truth.inside_e.sum()) for truth in truths)
    (energy,) = lake.sql(
        "select sum(energy_net_e) as e from cosmic_rays.hit_details where obs_id in (from unnest($names))",
        names=[s.root for s in series],
    ).pl()["e"]
    yield Found(
        "their charge [Me]", round(charge / 1e6, 1), round(energy / 1e6, 1), "± 3 %", abs(energy / charge - 1) < 0.03
    )
    yield Found("hits, some of two rays", planted, n, f"≤ {planted:,}", 0.85 * planted < n <= planted)


def _rays(truth: Truth) -> int:
    """Rays with pixels enough to count."""
    return int((truth.n_pixels >= LEAST_PIXELS).sum())
