"""Signs of life: what the work's own log lines make of the bar, and what is told where there is none."""

import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lake.cli.progress import Progress, progress
from lake.cli.session import Session
from lake.store import Lake
from lake.verify import derive_again
from tests.builders.lakes import COUNTS, counts
from tests.cli.conftest import Said

Run = Callable[..., Said]


@pytest.fixture
def derivable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lake of two inputs of one run that reads text files, which can be run again."""
    run = {"id": "r1", "pipeline": "toy", "parameters": "{}"}

    def toy(name: str, root: str, paths: list[str], parameters: str) -> None:
        lake = Lake.create(root)
        with lake.transaction(name, run=run, catalog=False) as tx:
            for path in map(Path, paths):
                text = path.read_text()
                source = {"uri": str(path), "sha256": sha256(path), "size": len(text), "reader": "toy"}
                tx.append(COUNTS, counts(path.stem, int(text)), source=source)
                logging.getLogger("lake").info("source=%s", path.name)

    paths = [tmp_path / "a.txt", tmp_path / "bb.txt"]
    for path in paths:
        path.write_text(str(len(path.name)))
    toy("toy", str(tmp_path / "lakehouse"), [str(p) for p in paths], "{}")
    monkeypatch.setattr("lake.pipelines.run", toy)
    monkeypatch.delenv("LAKE_ROOT", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "lakehouse"


def sha256(path: Path) -> str:
    from lake.storage import staged_digest

    return staged_digest(path)[0]


def test_verify_tells_when_it_derives_again(derivable: Path, lake: Run) -> None:
    said = lake("verify", "--rederive")
    assert said.code == 0, said.out
    first, stage, last = said.err.splitlines()
    assert re.fullmatch(r"reading \d files, \d\.\d MB", first)
    assert stage == "rederiving toy of run r1: 2 inputs"
    assert last == "commit 0: all as it was committed"
    assert lake("verify", "--rederive", "-q").err == ""
    assert lake("verify", "--rederive", "-v").err.count(stage) == 1


def test_rederiving_begins_a_count_of_its_own(derivable: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    class Watched(Progress):
        def emit(self, record: logging.LogRecord) -> None:
            super().emit(record)
            seen.append((self.label, self.done, self.total))

    monkeypatch.setattr("lake.cli.progress.Progress", Watched)
    with Session().logging(), progress(Session(quiet=True), "verify", 2):
        logging.getLogger("lake.verify").info("", extra={"done": 2, "total": 2})
        assert list(derive_again(Lake(derivable))) == []
    assert seen[:2] == [("verify", 2, 2), ("rederive toy", 0, 2)]
    assert seen[-1] == ("rederive toy", 2, 2)


def test_every_file_that_is_checked_counts_with_its_bytes(derivable: Path, caplog: pytest.LogCaptureFixture) -> None:
    from lake.verify import verify

    with caplog.at_level(logging.INFO, "lake.verify"):
        assert verify(Lake(derivable)) == []
    told: list[Any] = [(r.done, r.total, r.amount, r.unit) for r in caplog.records]  # type: ignore[attr-defined]
    n = len(Lake(derivable).snapshot.pieces)
    assert [t[:2] for t in told] == [(i, n) for i in range(1, n + 1)]
    assert sum(t[2] for t in told) == Lake(derivable).n_bytes
