"""Strangers' SQL behind its three walls, on this DuckDB and, where it is named, on the other."""

import resource
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lake import untrusted
from lake.errors import Refused
from lake.untrusted import Limits
from tests.proofs import Criterion, passing
from tests.safety.scene import SECRET, Scene, pythons, scene
from tests.safety.statements import MORE, READS, WRITES
from tests.safety.statements_that_cost import COSTS, PERMITTED

ATTACKS = [*READS, *WRITES, *MORE]
SECONDS = 2.0


def version(python: str) -> str:
    """The DuckDB of a Python, as words."""
    words = [python, "-c", "import duckdb; print(duckdb.__version__)"]
    return f"DuckDB {subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()}"


def prove_that_strangers_get_the_permitted_rows_alone(folder: Path) -> Iterator[Criterion]:
    stage = scene(folder)
    before = stage.state()
    for python in pythons():
        which = version(python)
        yield _refused_by_syntax(stage, python, which)
        answers = str(stage.asked(python, ["files"], [s.text for s in ATTACKS]))
        is_quiet = SECRET not in answers and stage.lake.id not in answers
        found = f"{len(ATTACKS)} tried, {_changed(stage, before)} files changed, {'no' if is_quiet else 'a'} secret out"
        asked = f"{which}: behind the wall of files alone nothing is written or read outside"
        yield Criterion(asked, found, stage.state() == before and is_quiet)
        yield _same_as_the_owner(stage, python, which)


def _refused_by_syntax(stage: Scene, python: str, which: str) -> Criterion:
    answers = stage.asked(python, ["syntax"], [s.text for s in ATTACKS], apart=False)
    kinds = [a.get("error") for a in answers]
    n = kinds.count("Forbidden")
    text = f"{n} forbidden, {kinds.count('QueryError')} no SQL there, {kinds.count(None)} passed, of {len(kinds)}"
    return Criterion(f"{which}: every hostile statement is refused by its syntax", text, None not in kinds and n > 150)


def _same_as_the_owner(stage: Scene, python: str, which: str) -> Criterion:
    found = stage.asked(python, ["files", "syntax"], PERMITTED, apart=False)
    own = stage.asked(python, [], PERMITTED, apart=False)
    n = sum(a == b and "rows" in a for a, b in zip(found, own, strict=True))
    return Criterion(
        f"{which}: what science asks has the owner's rows", f"{n} of {len(PERMITTED)} alike", n == len(own) >= 40
    )


def _changed(stage: Scene, before: dict[str, str]) -> int:
    after = stage.state()
    return sum(before.get(name) != after.get(name) for name in before.keys() | after.keys())


def prove_that_no_statement_costs_more_than_its_limits(folder: Path) -> Iterator[Criterion]:
    stage = scene(folder)
    mine = untrusted.PYTHON
    for python in pythons():
        untrusted.PYTHON = python
        try:
            with ThreadPoolExecutor(2) as pool:
                found = list(pool.map(lambda text: _ended(stage, text), [stage.filled(s.text) for s in COSTS]))
        finally:
            untrusted.PYTHON = mine
        longest = max(seconds for seconds, _ in found)
        n = sum(ended != "rows" for _, ended in found)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / (1 << 20)
        asked = f"{version(python)}: {len(COSTS)} costly statements end at {SECONDS:g} s and 2 GiB"
        measured = f"{n} stopped, longest {longest:.1f} s, largest process {peak:.2f} GiB"
        yield Criterion(asked, measured, n >= len(COSTS) - 3 and longest <= SECONDS + 2 and peak <= 2)


def _ended(stage: Scene, text: str) -> tuple[float, str]:
    """How long a statement took, and at which rule it was stopped."""
    began = time.monotonic()
    try:
        untrusted.sql(stage.lake, text, limits=Limits(seconds=SECONDS))
        ended = "rows"
    except Refused as error:
        ended = error.rule
    return time.monotonic() - began, ended


def prove_the_door(folder: Path) -> Iterator[Criterion]:
    tests = "tests/safety/test_sql_walls.py"
    words = "door or parameter or units or pinned or pruned or object_store or points or catalogue or command or limit"
    yield passing(
        "parameters, pins, units, formats, object stores, links, foreign catalogues",
        tests,
        "-k",
        words,
        "-m",
        "not slow",
    )
