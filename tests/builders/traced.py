"""Calls of the system that commits make, counted by strace; `python -m tests.builders.traced ROOT` is traced."""

import collections
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from lake.storage import LocalStorage
from lake.store import Lake
from tests.builders.works import add
from tests.conftest import REPO

MARK = "/lightlake-commit"


def can_trace() -> bool:
    """Whether there is a strace, and it may trace."""
    if not shutil.which("strace"):
        return False
    return not subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, check=False).returncode


def traced_commits(folder: Path) -> list[dict[str, int]]:
    """Of the first and of a later commit of a process, the calls of fsync and link, as strace and the steps count."""
    trace = folder / "trace"
    command = ["strace", "-f", "-e", "trace=fsync,fdatasync,sync,syncfs,link,linkat,access,faccessat,faccessat2"]
    child = [sys.executable, "-m", "tests.builders.traced", str(folder / "lake")]
    done = subprocess.run([*command, "-o", str(trace), *child], cwd=REPO, capture_output=True, text=True, check=True)
    parts = re.split(MARK, trace.read_text())[1:-1]
    calls = [collections.Counter(re.findall(r"\b(f(?:data)?sync|sync(?:fs)?|link(?:at)?)\(", part)) for part in parts]
    told = [collections.Counter(line.split()) for line in done.stdout.splitlines()]
    return [
        {"fsync": c.total() - n_links, "link": n_links, "told fsync": t["fsync"], "told link": t["link"]}
        for c, t in zip(calls, told, strict=True)
        for n_links in [c["link"] + c["linkat"]]
    ]


def main(root: Path) -> None:
    """Commit rows twice, with a mark before each and after the last; print the steps of each."""
    acts: list[str] = []
    storage = LocalStorage(root, lambda act, name, done: acts.append(act.split()[0]) if done else None)
    add("old")(LocalStorage(Path(Lake.create(root).root)))
    lines = []
    for place in (1, 2):
        acts.clear()
        os.access(MARK, os.F_OK)
        add(f"new{place}", first=10 * place)(storage)
        lines.append(" ".join(acts))
    os.access(MARK, os.F_OK)
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
