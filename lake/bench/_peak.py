"""The most memory a task takes, in a process of its own: `python -m lake.bench._peak TASK [ROOT [SQL]]` tells bytes."""

import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path


def peak_of(task: str, *words: str) -> int:
    """Most bytes that a fresh process had in memory for a task."""
    run = subprocess.run([sys.executable, "-m", __name__, task, *words], capture_output=True, text=True, check=True)
    return int(run.stdout)


def imports() -> None:
    """What every other task loads as well."""
    import duckdb  # noqa: F401
    import pyarrow.parquet  # noqa: F401

    import lake.query
    import lake.store  # noqa: F401


def opened(root: str) -> None:
    """A lake, opened."""
    imports()
    from lake.store import Lake

    Lake(root)


def asked(root: str, text: str) -> None:
    """A question put to a lake."""
    imports()
    from lake.store import Lake

    Lake(root).sql(text).arrow()


def bare(files: str, text: str) -> None:
    """The same question put to DuckDB alone, of the files that a pattern finds."""
    import duckdb

    with duckdb.connect() as con:
        con.sql(text.format(f"read_parquet('{files}')")).to_arrow_table()


def peak() -> int:
    """Most bytes this process had in memory."""
    # The system's own count of a process begins with that of its parent, which may be large; this one does not.
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


TASKS: dict[str, Callable[..., None]] = {"imports": imports, "opened": opened, "asked": asked, "bare": bare}

if __name__ == "__main__":
    name, *words = sys.argv[1:]
    TASKS[name](*words)
    sys.stdout.write(f"{peak()}\n")
