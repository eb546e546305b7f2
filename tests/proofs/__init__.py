"""Proofs: for each part of the product, what was asked of it and what is measured, on this machine, now.

A module here, or a package of them, is the proof of the part it is named for: each of its functions
`prove_…(folder)` measures a few criteria.
"""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import REPO

LAKE = Path(sys.executable).with_name("lake")


@dataclass(frozen=True)
class Criterion:
    """What was asked, what was measured, and whether that holds."""

    asked: str
    measured: str
    holds: bool


def command(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The `lake` command in a folder of its own, Prefect's home in it too."""
    words_ = {"LAKE_ROOT": str(folder / "lakehouse"), "PREFECT_HOME": str(folder / "prefect")}
    return subprocess.run(
        [str(LAKE), *words], cwd=folder, env=os.environ | words_, capture_output=True, text=True, check=False
    )


def passing(asked: str, *words: str) -> Criterion:
    """Tests that pass, and how many."""
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-o", "addopts=", "--import-mode=importlib", *words],
        cwd=REPO, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    last = [line for line in run.stdout.splitlines() if " in " in line][-1:] or run.stdout.splitlines()[-1:]
    passed = int(found[1]) if (found := re.search(r"(\d+) passed", "".join(last))) else 0
    return Criterion(asked, "".join(last).strip("= "), run.returncode == 0 and passed > 0)
