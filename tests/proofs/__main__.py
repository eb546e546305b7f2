"""`python -m tests.proofs NAME`: a line a criterion; exit code 1 where one falls short."""

import inspect
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType

from tests import proofs
from tests.proofs import Criterion


def modules(name: str) -> Iterator[ModuleType]:
    """The modules of a proof: one, or those of its package by name."""
    top = import_module(f"{proofs.__name__}.{name}")
    yield top
    for found in iter_modules(getattr(top, "__path__", ())):
        yield import_module(f"{top.__name__}.{found.name}")


def proved(module: ModuleType) -> int:
    """Measure every criterion of a module, telling each as it comes; the number that fell short."""
    short = 0
    steps = [f for name, f in inspect.getmembers(module, inspect.isfunction) if name.startswith("prove_")]
    for step in sorted(steps, key=lambda f: f.__code__.co_firstlineno):
        start = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            short += sum(map(told, measured(step, Path(folder))))
        print(f"{'':8}    {time.perf_counter() - start:.1f} s", flush=True)
    return short


def measured(step: Callable[[Path], Iterator[Criterion]], folder: Path) -> Iterator[Criterion]:
    """The criteria of one step; what it throws is one that doesn't hold."""
    try:
        yield from step(folder)
    except Exception as error:
        yield Criterion(step.__name__.removeprefix("prove_").replace("_", " "), f"{error!r}", False)


def told(criterion: Criterion) -> bool:
    """Print a criterion; whether it fell short."""
    verdict = "held" if criterion.holds else "NOT HELD"
    print(f"{verdict:8}  {criterion.asked}: {criterion.measured}", flush=True)
    return not criterion.holds


def main(words: list[str]) -> int:
    """Prove what is named."""
    names = [m.name for m in iter_modules(proofs.__path__) if not m.name.startswith("_")]
    if len(words) != 1 or words[0] not in names:
        print(f"error: prove what? has {', '.join(names)}\nhint: make prove P={names[0]}", file=sys.stderr)
        return 2
    short = sum(map(proved, modules(words[0])))
    print(f"{words[0]}: {short} criteria not held" if short else f"{words[0]}: every criterion held")
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
