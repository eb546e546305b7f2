"""A new pipeline is files added: the command finds it, and no file that was there is touched."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders.toy_ingest import write_toy
from tests.conftest import REPO

SCHEMA = '''"""Counts of a made-up detector."""

import pyarrow as pa

from lake.schema import Column, Table

COUNTS = Table(
    name="toy.counts",
    doc="Counts, one row each.",
    key=("obs_id", "row_id"),
    columns=(
        Column("obs_id", pa.string(), "Observation", source="OBS_ID"),
        Column("row_id", pa.int64(), "Row, from 0", source="#row"),
        Column("energy_ev", pa.float64(), "Energy", unit="eV", source="energy"),
    ),
    part="COUNTS",
)
'''
FLOW = '''"""Toy counts: files of a made-up detector to one row a count."""

import time
from typing import Any

from prefect import flow, task

from flows._parts import PASSING, report
from lake.intake import Intake, Rows, batches, commit, summed, take_in
from lake.provenance import new_run
from lake.source import Source
from lake.store import Lake
from schemas.toy import COUNTS


def toy_rows(source: Source) -> Rows:
    """What one file gives."""
    return [(COUNTS, COUNTS.take(source))]


@task(**PASSING)
def staged(root: str, paths: list[str], run: str, strict: bool) -> list[Intake]:
    """Counts of a batch of files, staged."""
    return take_in(Lake(root), paths, [COUNTS], toy_rows, run=run, strict=strict)


@flow
def toy(root: str, paths: list[str], *, strict: bool = False) -> dict[str, Any]:
    """Commit the counts of some files."""
    started = time.perf_counter()
    run = new_run("toy", {"strict": strict})
    lake = Lake.create(root)
    parts = [commit(lake, staged(root, group, run["id"], strict), run) for group in batches(paths)]
    summary = summed(parts, lake, time.perf_counter() - started)
    report("toy", summary)
    return summary
'''
RELATION = """-- Counts above an energy.
--
-- grain   one row per obs_id, row_id
-- reads   counts
-- param   $least_ev = 1000.0  least energy, kept  [eV]

select
    obs_id,
    row_id,
    energy_ev
from counts
where energy_ev >= $least_ev
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project beside the files of a new pipeline."""
    top = tmp_path_factory.mktemp("project")
    for name in ("flows", "lake", "schemas", "sql", "tests"):
        shutil.copytree(REPO / name, top / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("README.md", "prefect.yaml", "pyproject.toml", "requirements.lock"):
        shutil.copy(REPO / name, top / name)
    (top / "schemas" / "toy.py").write_text(SCHEMA)
    (top / "flows" / "toy.py").write_text(FLOW)
    (top / "sql" / "toy").mkdir()
    (top / "sql" / "toy" / "bright_counts.sql").write_text(RELATION)
    return top


def lake(copy: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The command of the copy."""
    start = f"import sys; sys.path.insert(0, {str(copy)!r}); from lake.cli import main; sys.exit(main())"
    environment = {**os.environ, "LAKE_ROOT": str(copy / "lakehouse")}
    command = [sys.executable, "-c", start, *words]
    return subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)


def test_a_pipeline_of_added_files_runs_and_answers(copy):
    assert "Toy counts: files of a made-up detector" in lake(copy, "run").stdout
    ran = lake(copy, "run", "toy", str(write_toy(copy, 1)))
    assert ran.returncode == 0, ran.stderr
    assert "toy: 1 read, 1 new, 0 known, commit 0" in ran.stderr
    bright = lake(copy, "query", "toy.bright_counts", "--param", "least_ev=2250")
    assert bright.stdout.splitlines() == ["obs_id,row_id,energy_ev", "obs001,18,2250.0", "obs001,19,2375.0"]
    assert lake(copy, "sql", "select count(*) as n from toy.bright_counts").stdout.split() == ["n", "12"]


def test_the_project_s_own_rules_hold_for_added_files(copy):
    words = [
        "tests/test_architecture.py",
        "tests/test_schemas.py",
        "tests/test_relations.py",
        "tests/test_prefect_server.py",
    ]
    command = [sys.executable, "-m", "pytest", "-m", "not slow", "-p", "no:cacheprovider", *words]
    ran = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout
