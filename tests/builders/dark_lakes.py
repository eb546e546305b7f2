"""Small simulated darks, put through the flow of cosmic rays, and the rows that come out."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl

from lake.store import Lake
from lake.synth.darks import Darks, group_of, write_exposure, write_telemetry

STIS = Darks("STIS_CCD", "o3st05eaq", 55932.25, 150.0, n_rays=25, hot_share=1e-4, seed=3)
NICMOS = Darks("NICMOS_NIC1", "n3st05eaq", 51000.5, 240.0, n_rays=20, n_reads=4, hot_share=0.0, seed=5)
DERIVED = ("measurements", "images", "hits", "hit_details", "positions")
KEYS = ("obs_id", "chip", "read_id", "hit_id", "time")


def written(folder: Path, exposures: Iterable[Darks], *, flagged: bool = False) -> list[Path]:
    """Files of exposures, telemetry apart."""
    found = []
    for scene in exposures:
        write_exposure(folder, scene, flagged=flagged)
        found.append(folder / scene.root / f"{scene.root}_{scene.camera.product}.fits")
    return found


def telemetry(folder: Path, scene: Darks) -> Path:
    """The telemetry of an exposure."""
    path = folder / f"{scene.root}_{scene.camera.telemetry}.fits"
    write_telemetry(path, scene)
    return path


def series(n: int, first: Darks = STIS) -> list[Darks]:
    """Exposures one after the other."""
    return group_of(first, n)


def ran(root: Path, *paths: Path, **words: Any) -> dict[str, Any]:
    """The summary of a run."""
    from flows.cosmic_rays import cosmic_rays

    summary: dict[str, Any] = cosmic_rays(str(root), [str(path) for path in paths], **words)
    return summary


def rows(root: Path, table: str, *columns: str) -> pl.DataFrame:
    """Rows of a table of cosmic rays in the order of their keys, all columns or some."""
    found = Lake(str(root)).table(f"cosmic_rays.{table}", list(columns) or None).pl()
    return found.sort([name for name in KEYS if name in found.columns])


def derived(root: Path) -> dict[str, pl.DataFrame]:
    """All rows that were worked out."""
    known = Lake(str(root)).snapshot.tables
    return {name: rows(root, name) for name in DERIVED if f"cosmic_rays.{name}" in known}


def same(one: dict[str, pl.DataFrame], other: dict[str, pl.DataFrame]) -> bool:
    """Whether two lakes have the same rows."""
    return one.keys() == other.keys() and all(one[name].equals(other[name]) for name in one)


def digests(root: Path) -> set[str]:
    """SHA-256 of every file with rows that were worked out."""
    snapshot = Lake(str(root)).snapshot
    return {piece.sha256 for name in DERIVED for piece in snapshot.pieces_of(f"cosmic_rays.{name}")}
