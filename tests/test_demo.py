"""The main job on an empty machine: a real demo, run as a person runs it."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).parent.parent


def demo(folder: Path) -> subprocess.CompletedProcess[str]:
    """`lake demo --small` in a folder, with Prefect's home below it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "LAKE_"))}
    command = [sys.executable, "-m", "lake.cli", "demo", "--small"]
    environment = kept | {"PREFECT_HOME": str(folder / "prefect"), "PYTHONPATH": str(REPO)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.timeout(300)
def test_a_demo_in_an_empty_folder_finds_what_was_planted_and_says_nothing_else(tmp_path: Path) -> None:
    said = demo(tmp_path)
    assert said.returncode == 0, said.stderr
    lines = said.stdout.splitlines()
    assert lines[0].split() == ["pipeline", "planted", "found", "wanted", "s"]
    findings = [line for line in lines[1:] if line.endswith("   ok")]
    assert len(findings) >= 5
    rest = [line.split()[0] for line in lines[1:] if line not in findings]
    assert rest == ["lake", "report", "try", "try", "try"]
    assert len(lines) <= 40
    # A slow machine adds signs of life, which are ours.
    talk = [line for line in said.stderr.splitlines() if ": " not in line or not line.split(": ")[1][:1].isdigit()]
    assert talk == ["made a new lake at ./lakehouse"]

    with sqlite3.connect(f"file:{tmp_path}/prefect/prefect.db?mode=ro", uri=True) as con:
        states = con.execute("select state_type from flow_run").fetchall()
    con.close()
    assert states
    assert set(states) == {("COMPLETED",)}

    again = demo(tmp_path)
    assert again.returncode == 0, again.stderr
    assert again.stderr.startswith("everything known: the lake is at commit ")
    assert again.stderr.count("\n") == 1
