"""Histories, crashes, writers at once, and the layers they rest on."""

from collections.abc import Iterator
from pathlib import Path

from tests.proofs import Criterion, passing


def prove_the_store(folder: Path) -> Iterator[Criterion]:
    yield passing("any history of commits, crashes and housekeeping equals a dictionary", "tests/test_state_machine.py")
    yield passing(
        "killed three times and shuffled, the corpus equals a clean run hash for hash", "tests/test_exactly_once.py"
    )
    yield passing(
        "commits, keys, time travel, evolution, compaction, gc, frames",
        "tests/test_store.py",
        "tests/test_upkeep.py",
        "tests/test_frames.py",
    )
    yield passing("the same on an S3 server on loopback", "tests/test_object_store.py")


def prove_the_layers(folder: Path) -> Iterator[Criterion]:
    yield passing("layers, lightness, lock", "tests/test_architecture.py")
    yield passing("a sixth pipeline by added files only", "tests/test_sixth_pipeline.py")
    yield passing("the README prints what it says", "tests/test_readme.py")
    yield passing("one seam to Dask: threads, in order, a cluster", "tests/test_blocks.py")
