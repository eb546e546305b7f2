"""`python -m tests.benchmarks [NAME…]`: the benchmarks of these names, or all, as one table."""

import sys
import tempfile
from collections.abc import Iterable, Iterator
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from pkgutil import iter_modules

from tests import benchmarks
from tests.benchmarks import Line

PACKAGES = ("duckdb", "polars", "pyarrow", "zarr", "dask", "numpy")
WIDTHS = (58, 22, 22, 6, 7, 4)


def measured(name: str) -> Iterator[Line]:
    """What one benchmark measures, in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="lightlake-benchmark-") as folder:
        yield from import_module(f"tests.benchmarks.{name}").lines(Path(folder))


def row(words: Iterable[str]) -> str:
    """One row of the table."""
    return "  ".join(word.ljust(width) for word, width in zip(words, WIDTHS, strict=True)).rstrip()


def main(words: list[str]) -> int:
    """Measure what is named."""
    names = [
        m.name
        for m in iter_modules(benchmarks.__path__)
        if not m.name.startswith("_") and hasattr(import_module(f"tests.benchmarks.{m.name}"), "lines")
    ]
    if unknown := set(words) - set(names):
        print(f"error: no benchmark {', '.join(sorted(unknown))}; has {', '.join(names)}", file=sys.stderr)
        return 2
    print(f"python {sys.version.split()[0]}, " + ", ".join(f"{p} {version(p)}" for p in PACKAGES))
    print(row(("what", "ours", "peer", "ratio", "wanted", "held")))
    for name in words or names:
        for line in measured(name):
            ratio = "" if line.ratio is None else f"{line.ratio:.2f}"
            print(row((line.what, line.ours, line.peer, ratio, line.wanted, line.held)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
