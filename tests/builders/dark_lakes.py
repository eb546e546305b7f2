"""Small simulated darks, put through the flow of cosmic rays, and the rows that come out."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from lake.store import Lake
from lake.synth.darks import Darks, group_of, write_exposure, write_telemetry

STIS = Darks("STIS_CCD", "o3st05eaq", 50853.25, 150.0, n_rays=25, hot_share=1e-4, seed=3)
DERIVED = ("measurements", "images", "hits", "positions")


def scenes(n: int, first: Darks = STIS) -> list[Darks]:
    """Exposures one after the other."""
    return group_of(first, n)


def written(folder: Path, exposures: Iterable[Darks], *, flagged: bool = False) -> list[Path]:
    """Their files, without telemetry."""
    found = []
    for scene in exposures:
        write_exposure(folder, scene, flagged=flagged)
        found.append(folder / scene.root / f"{scene.root}_{scene.camera.product}.fits")
    return found


def telemetry(folder: Path, scene: Darks, **words: Any) -> Path:
    """The telemetry of an exposure."""
    path = folder / f"{scene.root}_{scene.camera.telemetry}.fits"
    write_telemetry(path, scene, **words)
    return path


def ran(root: Path, *paths: Path, **words: Any) -> dict[str, Any]:
    """The summary of a run."""
    from flows.cosmic_rays import cosmic_rays

    summary: dict[str, Any] = cosmic_rays(str(root), [str(path) for path in paths], **words)
    return summary


def rows(root: Path, table: str, *columns: str) -> pl.DataFrame:
    """Rows of a table of cosmic rays, all columns or some."""
    lake = Lake(str(root))
    if f"cosmic_rays.{table}" not in lake.snapshot.tables:
        return pl.DataFrame()
    return lake.table(f"cosmic_rays.{table}", list(columns) or None).pl()


def derived(root: Path) -> dict[str, pl.DataFrame]:
    """All rows that were worked out, in the order of their keys."""
    found = {}
    for name in DERIVED:
        table = rows(root, name)
        keys = [c for c in ("obs_id", "chip", "read_id", "hit_id", "time") if c in table.columns]
        found[name] = table.sort(keys) if keys else table
    return found


def same(one: dict[str, pl.DataFrame], other: dict[str, pl.DataFrame]) -> bool:
    """Whether two lakes have the same rows."""
    return all(one[name].equals(other[name]) for name in DERIVED)


def later(scene: Darks, days: float) -> Darks:
    """The same scene some days later, under another name."""
    return replace(scene, root=f"{scene.root[:4]}{int(days):02d}{scene.root[6:]}", start_mjd=scene.start_mjd + days)
