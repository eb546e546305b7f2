"""Whatever is killed and started again, in any order: the lake is the one that a single clean run makes."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lake.store import Lake
from tests.builders.toy_ingest import ingest, write_toy
from tests.conftest import REPO

N_FILES = 24


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Files of the toy pipeline, a broken one and a copy under another name among them."""
    folder = tmp_path_factory.mktemp("corpus")
    paths = [write_toy(folder, place) for place in range(N_FILES)]
    (folder / "copy.fits").write_bytes(paths[3].read_bytes())
    (folder / "cut.fits").write_bytes(paths[5].read_bytes()[:3000])
    return [str(p) for p in sorted(folder.iterdir())]


def contents(lake: Lake) -> dict[str, list[str]]:
    """The hashes of every file of the newest commit, by dataset."""
    found: dict[str, list[str]] = {}
    for piece in lake.snapshot.pieces.values():
        found.setdefault(piece.dataset, []).append(piece.sha256)
    return {name: sorted(hashes) for name, hashes in sorted(found.items())}


def rejects(lake: Lake) -> list[tuple[str, str]]:
    """Files left out and why, without counting how often they were tried."""
    return sorted({(Path(r["uri"]).name, r["reason"]) for r in lake.snapshot.rejected})


def test_killed_and_restarted_in_any_order_it_equals_a_clean_run_hash_for_hash(corpus, tmp_path):
    ingest(tmp_path / "clean", corpus)
    clean = Lake(tmp_path / "clean")
    assert len(contents(clean)["toy.counts"]) == N_FILES
    chance = random.Random(7)
    command = [sys.executable, "-m", "tests.builders.toy_ingest", str(tmp_path / "killed")]
    survived = 0
    for attempt in range(4):
        files = chance.sample(corpus, len(corpus))
        process = subprocess.Popen([*command, *files], cwd=REPO, stderr=subprocess.DEVNULL)
        if attempt < 3:
            wait_for_commits(tmp_path / "killed", survived + 3, process)
            process.kill()
            survived = len(list((tmp_path / "killed" / "log").glob("*.json")))
        process.wait(60)
    killed = Lake(tmp_path / "killed")
    assert 0 < survived < len(corpus) // 2 + 2
    assert process.returncode == 0
    assert contents(killed) == contents(clean)
    assert rejects(killed) == rejects(clean)


def wait_for_commits(root: Path, n: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until a lake has so many commits, or its writer is done."""
    while process.poll() is None and len(list((root / "log").glob("*.json"))) < n:
        time.sleep(0.005)


def test_taking_everything_in_again_changes_nothing(corpus, tmp_path):
    ingest(tmp_path / "lake", corpus)
    before = Lake(tmp_path / "lake").snapshot
    ingest(tmp_path / "lake", corpus[::-1])
    assert Lake(tmp_path / "lake").snapshot == before
