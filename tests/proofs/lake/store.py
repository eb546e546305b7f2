"""Histories, crashes, writers at once, and the layers they rest on."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from lake.store import Lake
from lake.verify import verify
from tests.conftest import REPO
from tests.proofs import Criterion, passing


def prove_the_store(folder: Path) -> Iterator[Criterion]:
    yield passing("any history of commits, crashes and housekeeping equals a dictionary", "tests/test_state_machine.py")
    yield passing(
        "killed three times and shuffled, the corpus equals a clean run hash for hash", "tests/test_exactly_once.py"
    )
    yield passing("commits, keys, time travel, evolution, compaction, gc, frames", "tests/test_store.py")
    yield passing("the same on an S3 server on loopback", "tests/test_object_store.py")


def prove_that_writers_at_once_lose_nothing(folder: Path) -> Iterator[Criterion]:
    code = (
        "import sys; from lake.store import Lake; from tests.builders.lakes import COUNTS, counts, origin\n"
        "own = Lake(sys.argv[1])\n"
        "for i in range(25):\n"
        "    for name in (f'{sys.argv[2]}-{i}', 'shared'):\n"
        "        with own.transaction('race', catalog=False) as tx:\n"
        "            tx.append(COUNTS, counts(name, 3), source=origin(name))\n"
    )
    Lake.create(folder / "lake")
    writers = [subprocess.Popen([sys.executable, "-c", code, str(folder / "lake"), str(n)], cwd=REPO) for n in range(4)]
    codes = [w.wait() for w in writers]
    lake = Lake(folder / "lake")
    n = len(lake.snapshot.pieces)
    whole = codes == [0] * 4 and n == 101 and lake.number == 100 and verify(lake) == []
    yield Criterion("4 processes x 25 commits and one source all want: 101 kept, none doubled", f"{n} kept", whole)


def prove_the_layers(folder: Path) -> Iterator[Criterion]:
    yield passing("layers, lightness, lock", "tests/test_architecture.py")
    yield passing("a sixth pipeline by added files only", "tests/test_sixth_pipeline.py")
    yield passing("the README prints what it says", "tests/test_readme.py")
    yield passing("one seam to Dask: threads, in order, a cluster", "tests/test_blocks.py")
