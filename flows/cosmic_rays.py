"""Cosmic rays: darks of Hubble's ACS, STIS, WFC3, WFPC2 and NICMOS to every hit, its pixels, and where Hubble was.

Files may be calibrated images (_flt, _c0m, _ima), telemetry (_spt, _shm), two-line elements, the archive's tables of
rejection parameters (_crr) and NOAA's solar indices, in any order; what is derived of them is brought up to date at the
end of each run, month by month. Without files, a run does that alone.

coming from HSTcosmicrays:
  -instr stis_ccd         --instrument STIS_CCD (ACS_WFC, ACS_HRC, WFC3_UVIS, WFPC2, WFC3_IR, NICMOS_NIC1 …)
  -initialize, dates      --from 2009-05-01 --to 2010-01-01
  -process                --method rejection: exposures of a month and amplifier are compared with one another
  -use_dq                 --method flags: bits 8192 of the files, as they come
  (WFPC2, no -use_dq)     --method threshold, with --n-spreads 5, or --threshold-e for a fixed one
  -ccd, -ir               not needed: the files tell
  -analyze                always; labels and statistics are cosmic_rays.hits, images and measurements
  -chunks N               not needed: results are Parquet, one file an exposure; lake compact merges them
  -download, -aws         give the folder of downloaded files; names of the archive's own tree are fine
  processed_dates, …      lake query cosmic_rays.months; cosmic_rays.failures for what failed, tried again each run
  *_cr_*.hdf5, catalogue  lake export cosmic_rays --to original; lake query cosmic_rays.catalogue
  e-mail, plots           lake report cosmic_rays; lake plot cosmic_rays.fig_rate_series
"""

import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from itertools import chain
from typing import Any

from prefect import flow, task

from flows._darks import PLANES, Exposed, Group, exposed, file_rows, groups, measured_rows, position_rows, present
from flows._parts import PASSING, report
from lake.derived import derive
from lake.errors import QueryError
from lake.intake import Intake, batches, commit, summed, take_in
from lake.kernels.measurements import Finding
from lake.names import unknown
from lake.provenance import new_run
from lake.settings import Settings
from lake.store import Lake
from schemas.cosmic_rays import KINDS, TABLES


@task(**PASSING)
def staged_files(root: str, paths: list[str], run: str, strict: bool, before: int, total: int) -> list[Intake]:
    """A batch of files, staged and in no commit yet; `before` files of `total` were staged earlier."""
    return take_in(
        Lake(root), paths, KINDS[0], file_rows, kinds=KINDS[1:], run=run, before=before, total=total,
        strict=strict, **scheduler(),
    )  # fmt: skip


@task(**PASSING)
def measured_month(root: str, work: list[Group], run: str) -> list[Any]:
    """Groups of a month, measured and staged."""
    return derive(Lake(root), work, measured_rows, run=run, **scheduler())


@task(**PASSING)
def placed(root: str, work: list[list[Exposed]], run: str) -> list[Any]:
    """Where Hubble was during some exposures, staged."""
    return derive(Lake(root), work, position_rows, run=run, **scheduler())


def scheduler() -> dict[str, Any]:
    """Where kernels run."""
    settings = Settings.from_environment()
    return {"scheduler": settings.scheduler, "workers": settings.workers}


@flow
def cosmic_rays(
    root: str,
    paths: list[str],
    *,
    instrument: str = "",
    since: str = "1990-01-01",
    until: str = "2100-01-01",
    method: str = "auto",
    n_spreads: float = 5.0,
    threshold_e: float = 0.0,
    more_than: int = 2,
    fewer_than: int = 100_000,
    strict: bool = False,
) -> dict[str, Any]:
    """Commit files, then measure what of them is not measured yet, a month at a time.

    Parameters
    ----------
    instrument : detector to measure, all of them if empty.
    since : first instant of exposures to measure, kept, UTC; those that they are compared with are measured along.
    until : last instant of exposures to measure, not kept, UTC.
    method : how hits are told: flags, rejection or threshold; auto takes the flags of files that have some, compares
        those that have none, and sets a threshold where a detector has no quality.
    n_spreads : height of the threshold above the median in spreads of the image.
    threshold_e : the threshold itself in electrons, where it is above 0.
    more_than : hits of more pixels than this are kept.
    fewer_than : hits of fewer pixels than this are kept.
    """
    started = time.perf_counter()
    finding = Finding(method, n_spreads, threshold_e, more_than, fewer_than)
    detectors, _ = chosen(instrument), span(since, until)
    given = {"instrument": instrument, "since": since, "until": until, **asdict(finding), "strict": strict}
    run = new_run("cosmic_rays", given)
    lake = Lake.create(root)
    declare(lake, run)
    parts = taken_in(lake, run, paths, strict)
    n = 0
    for name in present(lake.refresh(), detectors):
        for month in by_month(groups(lake, finding, name, since, until)):
            add(lake, run, measured_month(root, month, run["id"]))
            n += sum(len(group.members) for group in month)
    if work := exposed(lake.refresh()):
        add(lake, run, placed(root, work, run["id"]))
    summary = {**summed(parts, lake, time.perf_counter() - started), "measured": n}
    report("cosmic_rays", summary)
    return summary


def declare(lake: Lake, run: dict[str, Any]) -> None:
    """Make every table known, so that queries answer where nothing is in one of them yet."""
    missing = [table for table in TABLES if table.name not in lake.snapshot.declarations]
    if missing:
        with lake.transaction("cosmic_rays", run=run) as tx:
            for table in missing:
                tx.declare(table)


def taken_in(lake: Lake, run: dict[str, Any], paths: list[str], strict: bool) -> list[dict[str, Any]]:
    """Commit files, a batch at a time; the summary of each."""
    files = [list(dict.fromkeys(paths))] if strict else batches(paths)
    parts: list[dict[str, Any]] = []
    for batch in files:
        before = sum(part["read"] for part in parts)
        staged = staged_files(str(lake.root), batch, run["id"], strict, before, sum(map(len, files)))
        parts.append(commit(lake, staged, run))
    return parts


def chosen(instrument: str) -> list[str]:
    """The detectors that a word means: one, or all where it is empty.

    Raises
    ------
    QueryError
        It is none that is known.
    """
    if instrument and instrument.upper() not in PLANES:
        raise unknown(f"no detector {instrument}", instrument.upper(), PLANES, "lake run cosmic_rays --instrument {}")
    return [instrument.upper()] if instrument else list(PLANES)


def span(since: str, until: str) -> tuple[datetime, datetime]:
    """Two instants.

    Raises
    ------
    QueryError
        One is none, or they are not in order.
    """
    try:
        first, last = datetime.fromisoformat(since), datetime.fromisoformat(until)
        if first.tzinfo or last.tzinfo or first >= last:
            raise ValueError("expected two instants of UTC in order, without a zone")
    except ValueError as error:
        raise QueryError(f"from {since} to {until}: {error}", "lake run cosmic_rays --help") from error
    return first, last


def add(lake: Lake, run: dict[str, Any], staged: list[Any]) -> None:
    """Commit what was staged."""
    with lake.transaction("cosmic_rays", run=run) as tx:
        for entry in chain.from_iterable(staged):
            tx.add(entry)


def by_month(work: Iterator[Group]) -> list[list[Group]]:
    """Groups of each month, in the order of time."""
    found: dict[str, list[Group]] = {}
    for group in work:
        found.setdefault(f"{group.members[0].facts['start_time']:%Y-%m}", []).append(group)
    return [found[month] for month in sorted(found)]
