"""How fast, how large and how alike on every scheduler: ratios of one run, simulated frames."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
from distributed import LocalCluster

from lake.kernels.hits import labelled, measured
from lake.store import Lake
from lake.synth.darks import Darks, group_of, write_exposure
from lake.synth.exposures import frame_of, truth_of
from tests.proofs import Criterion

WFC = Darks("ACS_WFC", "jbaa01aaq", 56000.0, 1000.0, flux_per_s_cm2=1.165, seed=7)
STIS = Darks("STIS_CCD", "odkx01aaq", 55927.0, 1000.0, flux_per_s_cm2=0.956, seed=1)
RUN = """
import resource, sys, time
from pathlib import Path
from flows import _darks
from lake.derived import derive
from lake.intake import commit, take_in
from lake.kernels.measurements import Finding
from lake.provenance import new_run
from lake.store import Lake
from schemas.cosmic_rays import KINDS
root, scheduler, instrument, *paths = sys.argv[1:]
import zarr, dask, xarray
lake = Lake.create(root)
run = new_run("cosmic_rays", {})
began = time.perf_counter()
for path in [paths] if scheduler != "each" else [[p] for p in paths]:
    how = {"scheduler": "sync" if scheduler == "each" else scheduler}
    commit(lake, take_in(lake, path, KINDS[0], _darks.file_rows, kinds=KINDS[1:], run=run["id"], **how), run)
work = list(_darks.groups(lake, Finding("auto"), instrument, "1990-01-01", "2100-01-01"))
staged = derive(lake, work, _darks.measured_rows, run=run["id"], **how)
with lake.transaction("cosmic_rays", run=run) as tx:
    for entries in staged:
        for entry in entries:
            tx.add(entry)
print(time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def ran(root: Path, scheduler: str, instrument: str, paths: list[Path], cores: int) -> tuple[float, float]:
    """Seconds and most memory [B] of a process that takes files in and measures them, on so many cores."""
    own = sorted(os.sched_getaffinity(0))[:cores]
    words = [sys.executable, "-c", RUN, str(root), scheduler, instrument, *map(str, paths)]
    told = subprocess.run(
        words, capture_output=True, text=True, check=True, preexec_fn=lambda: os.sched_setaffinity(0, own)
    )  # fmt: skip
    seconds, memory = map(float, told.stdout.split())
    return seconds, memory


def prove_the_speed(folder: Path) -> Iterator[Criterion]:
    truth = write_exposure(folder / "wfc", WFC, flagged=True)
    path = folder / "wfc" / WFC.root / f"{WFC.root}_flt.fits"
    runs = [ran(folder / f"lake-{k}", "sync", "ACS_WFC", [path], 1) for k in range(3)]
    seconds, memory = sorted(runs)[1]
    lake = Lake(folder / "lake-0")
    n = lake.table("cosmic_rays.hits").arrow().num_rows
    asked = f"a WFC exposure of {len(truth.time_s):,} rays read, labelled, measured, committed on one core"
    yield Criterion(f"{asked} < 3 s", f"{seconds:.2f} s, {n:,} hits", seconds < 3)
    yield Criterion("the same < 1 GB", f"{memory / 1e9:.2f} GB", memory < 1e9)
    size = sum(p.n_bytes for p in lake.snapshot.pieces_of("cosmic_rays.hits")) / n
    yield Criterion("Parquet of hits with their pixels <= 48 bytes each", f"{size:.1f} bytes", size <= 48)
    yield from _statistics()


def _statistics() -> Iterator[Criterion]:
    """Statistics of all hits at once beside a loop over them."""
    truth = truth_of(WFC)
    frame = frame_of(WFC, truth, 0)
    mask = frame > 5 * WFC.noise_e + np.median(frame)
    labels = labelled(mask)
    few = 2000
    measured(labels, frame)
    begin = time.perf_counter()
    for _ in range(5):
        measured(labels, frame)
    ours = (time.perf_counter() - begin) / 5 / labels.n_hits
    begin = time.perf_counter()
    for first, stop in list(pairwise(labels.offsets.tolist()))[:few]:
        _one(labels.index[first:stop], frame)
    loop = (time.perf_counter() - begin) / few
    yield Criterion("statistics >= 200 x a loop over hits", f"{loop / ours:.0f} x", loop / ours >= 200)
    yield Criterion("statistics <= 1 ms per 1000 hits", f"{ours * 1e6:.2f} ms", ours * 1e6 <= 1)


def _one(index: np.ndarray, frame: np.ndarray) -> tuple[float, ...]:
    """The formulae for one hit, pixel by pixel of its box, as a plain program has them."""
    y, x = np.divmod(index, frame.shape[1])
    own = set(zip(y.tolist(), x.tolist(), strict=True))
    pixels = [
        (row, column, max(float(frame[row, column]), 0.0))
        for row in range(y.min(), y.max() + 1)
        for column in range(x.min(), x.max() + 1)
        if (row, column) in own
    ]
    energy = sum(e for _, _, e in pixels)
    cy, cx = (sum(e * p[k] for p in pixels for e in [p[2]]) / energy for k in (0, 1))
    iyy = sum(e * (row - cy) ** 2 for row, _, e in pixels) / energy
    ixx = sum(e * (column - cx) ** 2 for _, column, e in pixels) / energy
    ixy = sum(e * (row - cy) * (column - cx) for row, column, e in pixels) / energy
    total = ixx + iyy
    return energy, cy, cx, (total / 2) ** 0.5, (((ixx - iyy) ** 2 + 4 * ixy**2) ** 0.5 / total) if total else np.nan


def prove_that_two_cores_are_used(folder: Path) -> Iterator[Criterion]:
    scenes = group_of(STIS, 8)
    for scene in scenes:
        write_exposure(folder / "stis", scene, flagged=True)
    paths = [folder / "stis" / s.root / f"{s.root}_flt.fits" for s in scenes]
    one = min(ran(folder / f"one-{k}", "sync", "STIS_CCD", paths, 1)[0] for k in range(2))
    two = min(ran(folder / f"two-{k}", "threads", "STIS_CCD", paths, 2)[0] for k in range(2))
    yield Criterion("two cores >= 1.7 x one", f"{one / two:.2f} x ({one:.1f} s, {two:.1f} s)", one / two >= 1.7)
    with LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None) as cluster:
        victim = min(worker.pid for worker in cluster.workers.values())
        timer = threading.Timer(one / 4, os.kill, (victim, signal.SIGKILL))
        timer.start()
        ran(folder / "cluster", cluster.scheduler_address, "STIS_CCD", paths, 2)
        is_dead = victim not in {worker.pid for worker in cluster.workers.values()}
    kept = [set(Lake(folder / name).snapshot.pieces) for name in ("one-0", "two-0", "cluster")]
    alike = all(pieces == kept[0] for pieces in kept)
    told = f"{len(kept[0])} files, {'a' if is_dead else 'no'} worker killed"
    yield Criterion("sync, threads and two workers, one killed midway, give the same files", told, alike and is_dead)
