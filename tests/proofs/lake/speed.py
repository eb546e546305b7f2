"""Hot paths of the lake and its pipelines beside their limits and peers, as `lake bench --quick` measures them."""

import json
from collections.abc import Iterator
from pathlib import Path

from lake.bench import Line
from tests.proofs import Criterion, command, passing


def prove_the_bench(folder: Path) -> Iterator[Criterion]:
    yield passing("every bench runs, says what it measured, and leaves nothing behind", "tests/test_bench.py")


def prove_the_speed(folder: Path) -> Iterator[Criterion]:
    run = command(folder, "bench", "--quick", "--json")
    yield Criterion("lake bench --quick: exit 0", "".join(run.stderr.splitlines()[-1:]), run.returncode == 0)
    if run.returncode:
        return
    document = json.loads(run.stdout)
    seconds = document["seconds"]
    yield Criterion("lake bench --quick: under two minutes", f"{seconds:.0f} s", seconds < 120)
    for words in document["lines"]:
        bench, held = words.pop("bench"), words.pop("held")
        if words["wanted"]:
            what, ours, peer, ratio, wanted, _ = Line(**words).cells()
            yield Criterion(f"{bench}: {what} {wanted}", f"{ratio} ({ours}, {peer})", held)
