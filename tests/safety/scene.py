"""A lake, a secret beside it, and strangers who ask."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lake.kernels.event_lists import observation
from lake.kernels.photons import good_time_columns, observation_columns, photon_columns
from lake.store import Lake
from schemas.lightlane import GOOD_TIMES, OBSERVATIONS, PHOTONS
from tests.builders.lakes import origin
from tests.builders.photons import event_source, good_times
from tests.builders.relations import counted_lake
from tests.conftest import REPO

SECRET = "canary-5a9e"
# Another DuckDB of the supported range, as the path of a Python that has it.
OTHER = os.environ.get("LIGHTLAKE_OTHER_DUCKDB_PYTHON", "")


@dataclass(frozen=True)
class Scene:
    """Folders of one test: the lake, the secret, and where a statement might leave something."""

    folder: Path
    lake: Lake

    def filled(self, text: str) -> str:
        """A statement with its paths in place."""
        piece = next(iter(self.lake.snapshot.by_dataset["toy.counts"]))
        paths = {
            "root": self.lake.root,
            "piece": piece,
            "outside": self.folder / "outside",
            "new": self.folder / "new/made",
        }
        for name, path in paths.items():
            text = text.replace(f"{{{name}}}", str(path))
        return text

    def asked(
        self, python: str, walls: Sequence[str], texts: Iterable[str], *, apart: bool = True
    ) -> list[dict[str, Any]]:
        """What each statement gives behind these walls, by a Python."""
        request = {"root": self.lake.root, "walls": walls, "texts": [self.filled(t) for t in texts], "apart": apart}
        places = {"TMPDIR": str(self.folder / "tmp"), "HOME": str(self.folder / "home"), "SECRET_TOKEN": SECRET}
        run = subprocess.run(
            [python, "-m", "tests.safety.asked"], input=json.dumps(request), cwd=self.folder / "here",
            env={"PATH": os.defpath, "PYTHONPATH": str(REPO), **places}, capture_output=True, text=True, check=True,
        )  # fmt: skip
        found: list[dict[str, Any]] = json.loads(run.stdout)
        return found

    def state(self) -> dict[str, str]:
        """Everything below the folder and the SHA-256 of each file."""
        return {
            str(path.relative_to(self.folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
            for path in sorted(self.folder.rglob("*"))
        }


def scene(folder: Path) -> Scene:
    """A lake of counts and photons beside a secret, and empty folders."""
    lake = counted_lake(folder / "lake")
    events = observation(
        event_source({"TIME": [1.0, 2.5, 30.0, 55.5], "ENERGY": [2000.0, 4000.0, 6000.0, 900.0]}, good_times((0, 60)))
    )
    with lake.transaction("photons") as tx:
        for table, columns in (
            (OBSERVATIONS, observation_columns), (GOOD_TIMES, good_time_columns), (PHOTONS, photon_columns),
        ):  # fmt: skip
            tx.append(table, table.fit(columns(events)), source=origin("photons"))
    for name in ("outside", "new", "here", "tmp", "home"):
        (folder / name).mkdir()
    outside = folder / "outside"
    (outside / "secret.txt").write_text(SECRET)
    (outside / "secret.csv").write_text(f"a,b\n1,{SECRET}\n")
    (outside / "secret.json").write_text(json.dumps({"a": 1, "b": SECRET}) + "\n")
    pq.write_table(pa.table({"a": [1], "b": [SECRET]}), outside / "secret.parquet")
    Path(lake.root, "link.txt").symlink_to(outside / "secret.txt")
    return Scene(folder, lake)


def pythons() -> list[str]:
    """This Python, and the other DuckDB's where there is one."""
    return [sys.executable, *([OTHER] if OTHER else [])]
