"""A small lake in the present folder, and the command run in this process."""

import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import flows
import flows.demos
from lake import pipelines
from lake.cli import main
from lake.relations import relations
from lake.schema import INSTANT, Column, Table
from lake.store import Lake
from tests.builders.lakes import COUNTS, FRAMES, counts, images, instants, origin

FLARES = Table(
    name="sun.flares",
    doc="Flares of the Sun, one row each.",
    key=("flare_id",),
    columns=(
        Column("flare_id", pa.int64(), "Number of the flare"),
        Column("peak_time", INSTANT, "Time of the peak"),
        Column("goes_class", pa.string(), "Class by peak flux"),
        Column("peak_flux_w_m2", pa.float64(), "Peak flux at 0.1 to 0.8 nm", unit="W / m2", nullable=True),
    ),
)


FLOW = '''"""Made-up counts: text files to one row a line."""
from pathlib import Path

from lake.source import Content, Source
from lake.storage import staged_digest
from lake.store import Lake
from tests.builders.lakes import COUNTS, counts


def toy(root: str, paths: list[str], *, strict: bool = False, level: float = 1.5, names: list[str] | None = None):
    """Commit the counts of some text files."""
    lake, new, skipped = Lake(root), 0, []
    with lake.transaction("toy", catalog=False) as tx:
        for path in map(Path, paths):
            text = path.read_text()
            if not text.isdecimal():
                skipped.append({"source": str(path), "reason": f"{path.name}: not a number"})
                continue
            sha256, size = staged_digest(path)
            new += ("toy.counts", sha256) not in lake.snapshot.ingested
            source = Source(str(path), sha256, size, "toy", Content({}, ()))
            tx.append(COUNTS, COUNTS.fit(counts(path.stem, int(text))), source=source)
    counts_ = {"read": len(paths), "new": new, "known": len(paths) - new - len(skipped)}
    return {"commit": tx.snapshot.number, **counts_, "skipped": skipped, "seconds": 0.5}
'''
DEMO = '''"""Two files of seven and three rows."""
from collections import namedtuple

Found = namedtuple("Found", "what planted found wanted ok")


def inputs(folder, small):
    for name, n in (("seven", 7), ("three", 3)):
        (folder / f"{name}.txt").write_text(str(n))
    return [folder / "seven.txt", folder / "three.txt"]


def check(lake, small):
    n = sum(p.n_rows for p in lake.snapshot.pieces_of("toy.counts"))
    yield Found("rows", 10, n, WANTED, n >= WANTED)
'''
SCHEMA = 'COUNTS = Table(name="toy.counts", doc="Counts.", key=("obs_id",), columns=())\n'
SQL = """-- Counts above a level of energy.
--
-- grain   one row per obs_id, row_id
-- reads   counts
-- param   $level_kev = 1.0  lowest energy, kept  [keV]

select
    obs_id,
    row_id,
    energy_kev
from counts
where energy_kev >= $level_kev
"""
FIGURE = """-- Energy against row.
--
-- grain   one row per obs_id, row_id
-- reads   loud

select
    obs_id,
    row_id,
    energy_kev
from loud
order by obs_id, row_id
"""


@dataclass(frozen=True)
class Said:
    """What a command answered, what it said besides, and its exit code."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake of four commits: two inputs of counts, three images, three flares; made once, never changed."""
    root = tmp_path_factory.mktemp("built") / "lakehouse"
    lake = Lake.create(root)
    for name in ("one", "two"):
        with lake.transaction(f"counts {name}", catalog=False) as tx:
            tx.append(COUNTS, COUNTS.fit(counts(name)), source=origin(name))
    with lake.transaction("images", catalog=False) as tx:
        rows = {"time": instants(0, 12, 24), "exposure_s": np.ones(3)}
        tx.append_frames(FRAMES, images(3), rows, source=origin("images"))
    with lake.transaction("flares", catalog=False) as tx:
        peaks = ["2017-09-10T16:06:00", "2011-08-09T08:05:00", "2012-01-01T00:00:00"]
        columns = {
            "flare_id": np.arange(3),
            "peak_time": np.array(peaks, "datetime64[us]"),
            "goes_class": ["X8.2", "X6.9", "C1.0"],
            "peak_flux_w_m2": [8.2e-4, 6.9e-4, np.nan],
        }
        tx.append(FLARES, FLARES.fit(columns), source=origin("flares"))
    return root


@pytest.fixture
def lakehouse(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that lake as ./lakehouse of an otherwise empty folder."""
    shutil.copytree(built, tmp_path / "lakehouse")
    for name in ("LAKE_ROOT", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "lakehouse"


@pytest.fixture
def lake(capsysbinary: pytest.CaptureFixture[bytes]) -> Callable[..., Said]:
    """The command, run in this process."""

    def run(*words: str) -> Said:
        capsysbinary.readouterr()
        code = main(list(words))
        out, err = capsysbinary.readouterr()
        return Said(code, out.decode(), err.decode())

    return run


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A sixth pipeline, found where packages are listed, in an empty present folder."""
    files = {
        "flows/toy.py": FLOW,
        "flows/demos/toy.py": DEMO.replace("WANTED", "10"),
        "schemas/toy.py": SCHEMA,
        "sql/toy/loud.sql": SQL,
        "sql/toy/fig_energies.sql": FIGURE,
    }
    content = tmp_path / "content"
    for name, text in files.items():
        (content / name).parent.mkdir(parents=True, exist_ok=True)
        (content / name).write_text(text)
    # This pipeline is a plain function: no scheduler's server starts for it.
    for name in ("lake.pipelines.warm_up", "lake.cli.work.warm_up"):
        monkeypatch.setattr(name, lambda: None)
    monkeypatch.setattr(pipelines, "_places", lambda package: [content / package])
    real = resources.files
    monkeypatch.setattr(resources, "files", lambda name: content / name if name == "sql" else real(name))
    monkeypatch.setattr(flows, "__path__", [*flows.__path__, str(content / "flows")])
    monkeypatch.setattr(flows.demos, "__path__", [*flows.demos.__path__, str(content / "flows/demos")])
    for name in ("flows.toy", "flows.demos.toy"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.delenv("LAKE_ROOT", raising=False)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    relations.cache_clear()
    yield content
    relations.cache_clear()
