"""The readers, and the first pipeline as its own proof has it."""

from collections.abc import Iterator
from pathlib import Path

from tests.proofs import Criterion, passing
from tests.proofs.lake.safety import ATTACKS
from tests.proofs.lightlane import prove_the_filters, prove_the_first_pipeline_on_real_photons

__all__ = ["prove_the_filters", "prove_the_first_pipeline_on_real_photons", "prove_the_readers"]


def prove_the_readers(folder: Path) -> Iterator[Criterion]:
    # Attacks have a line of their own among the safety.
    others = "tests/readers", "-k", f"not ({ATTACKS})"
    yield passing("every real file decodes as an independent reader does; damaged ones are told", *others)
    yield passing(
        "instants of every time scale and clock equal Astropy's", "tests/test_times.py", "tests/test_clocks.py"
    )
