"""X-ray photons: event lists of Chandra, XMM-Newton, NuSTAR, NICER, RXTE and others to one row a photon.

Each file gives an observation, the good times of its detectors, and its photons in the order of telemetry, with
energy and wavelength by instrument and flags in place of cuts. The filters are SQL, `lake query lightlane.NAME`; who
comes from Lightlane Studio finds its tasks there: `chandrashift` is shifted_events, `wrange` banded_events, `wbin`
wavelength_binned_events, `flatten` flattened_events, `poissonize` poissonized_events; `--chain` puts them in a row.
"""

import time
from typing import Any

from prefect import flow, task

from flows._parts import PASSING, report
from lake.intake import Intake, Rows, batches, commit, summed, take_in
from lake.kernels.event_lists import observation
from lake.kernels.photons import good_time_columns, observation_columns, photon_columns
from lake.provenance import new_run
from lake.settings import Settings
from lake.source import Source
from lake.store import Lake
from schemas.lightlane import GOOD_TIMES, OBSERVATIONS, PHOTONS

DATASETS = (OBSERVATIONS, GOOD_TIMES, PHOTONS)


def event_rows(source: Source) -> Rows:
    """What one event list gives."""
    events = observation(source)
    return [
        (OBSERVATIONS, OBSERVATIONS.fit(observation_columns(events))),
        (GOOD_TIMES, GOOD_TIMES.fit(good_time_columns(events))),
        (PHOTONS, PHOTONS.fit(photon_columns(events))),
    ]


@task(**PASSING)
def staged_events(root: str, paths: list[str], run: str, strict: bool, before: int, total: int) -> list[Intake]:
    """Photons of a batch of event lists, staged and in no commit yet; `before` files of `total` were staged earlier."""
    settings = Settings.from_environment()
    words: dict[str, Any] = {"scheduler": settings.scheduler, "workers": settings.workers, "strict": strict}
    return take_in(Lake(root), paths, DATASETS, event_rows, run=run, before=before, total=total, **words)


@flow
def lightlane(root: str, paths: list[str], *, strict: bool = False) -> dict[str, Any]:
    """Commit the photons of some event lists, a batch of files at a time; with `strict`, all of them or none."""
    started = time.perf_counter()
    run = new_run("lightlane", {"strict": strict})
    lake = Lake.create(root)
    groups = [list(dict.fromkeys(paths))] if strict else batches(paths)
    parts: list[dict[str, Any]] = []
    for group in groups:
        before = sum(part["read"] for part in parts)
        parts.append(commit(lake, staged_events(root, group, run["id"], strict, before, sum(map(len, groups))), run))
    summary = summed(parts, lake, time.perf_counter() - started)
    report("lightlane", summary)
    return summary
