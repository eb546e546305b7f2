"""An empty machine, a newcomer, and what they break."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.proofs import LAKE, Criterion, command, passing


def prove_the_main_job_on_an_empty_machine(folder: Path) -> Iterator[Criterion]:
    start = time.perf_counter()
    words = {"LAKE_ROOT": str(folder / "lakehouse"), "PREFECT_HOME": str(folder / "prefect")}
    process = subprocess.Popen(
        [str(LAKE), "demo"],
        cwd=folder,
        env=os.environ | words,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    lines, first = [], 0.0
    for line in process.stdout:
        lines.append(line)
        if not first and line.startswith("lightlane  "):
            first = time.perf_counter() - start
    code = process.wait()
    seconds = time.perf_counter() - start
    yield Criterion("demo: everything planted is found, exit 0", f"exit {code}", code == 0)
    yield Criterion("demo: under 180 s", f"{seconds:.0f} s", seconds < 180)
    yield Criterion("demo: first line of truth within 15 s", f"{first:.1f} s", 0 < first <= 15)
    yield Criterion("demo: at most 40 lines", f"{len(lines)} lines", len(lines) <= 40)
    again = time.perf_counter()
    code = command(folder, "demo").returncode
    seconds = time.perf_counter() - again
    yield Criterion(
        "demo again: all known, exit 0, in seconds", f"exit {code}, {seconds:.0f} s", code == 0 and seconds < 30
    )


def prove_it_is_light(folder: Path) -> Iterator[Criterion]:
    for asked, most, words in (
        ("import lake", 0.3, [sys.executable, "-c", "import lake"]),
        ("lake --help", 0.25, [str(LAKE), "--help"]),
    ):
        times = []
        for _ in range(7):
            start = time.perf_counter()
            subprocess.run(words, cwd=folder, stdout=subprocess.DEVNULL, check=True)
            times.append(time.perf_counter() - start)
        middle = statistics.median(times)
        yield Criterion(f"{asked}: at most {most} s, Python's start included", f"{middle:.2f} s", middle <= most)


def prove_what_a_newcomer_breaks(folder: Path) -> Iterator[Criterion]:
    broken = folder / "broken.fits"
    broken.write_bytes(b"SIMPLE  =                    T" + b" " * 50 + b"\0" * 500)
    run = command(folder, "run", "lightlane", str(broken))
    told = next((line.strip() for line in run.stderr.splitlines() if "skipped  broken" in line), "nothing")
    yield Criterion(
        "a broken file is left out with its reason, exit 3", f"exit {run.returncode}: {told}", run.returncode == 3
    )
    typo = command(folder, "query", "lightlane.flattned_events")
    yield Criterion(
        "a mistyped relation: one error, the nearest name, exit 1", " | ".join(typo.stderr.splitlines()),
        typo.returncode == 1 and "flattened_events" in typo.stderr and "Traceback" not in typo.stderr,
    )  # fmt: skip
    yield passing("a full disk is told and leaves the lake as it was", "tests/test_upkeep.py", "-k", "full_disk")
    yield passing("a read-only root is told and leaves the lake as it was", "tests/test_upkeep.py", "-k", "read_only")
    yield passing("the catalogue in plain DuckDB, from any folder", "tests/test_catalog.py")


def prove_prefect_for_real(folder: Path) -> Iterator[Criterion]:
    yield passing(
        "a deployment run by a Prefect server and a process worker",
        "tests/test_prefect_server.py",
        "-m",
        "slow or not slow",
    )
