"""Other stores as writers that append 1,000 rows when asked."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from lake.bench import _peers as peers
from lake.errors import LakeError

# Names an interpreter that has pyiceberg[sql-sqlite] and icechunk, which the lake's own environment does without.
VARIABLE = "LIGHTLAKE_PEERS"
MODULES = {"delta": "deltalake", "iceberg": "pyiceberg", "icechunk": "icechunk"}


def interpreter(store: str) -> str:
    """The interpreter that has a store; empty where none has."""
    for program in filter(None, (os.environ.get(VARIABLE, ""), sys.executable)):
        if program == sys.executable:
            return program if find_spec(MODULES[store]) else ""
        looked = subprocess.run([program, "-c", f"import {MODULES[store]}"], capture_output=True, check=False)
        if not looked.returncode:
            return program
    return ""


def installed() -> list[str]:
    """The peers that can be measured here."""
    return [store for store in MODULES if interpreter(store)]


class Peer:
    """Another store, in a process of its own."""

    def __init__(self, store: str, folder: Path, writer: str = "w") -> None:
        words = [interpreter(store), peers.__file__, store, str(folder), writer]
        self._process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        if (said := self.answer()) != peers.READY:
            raise LakeError(f"{store}: does not start in {words[0]}, it said {said or 'nothing'}")

    def ask(self) -> None:
        """Have it make one append."""
        assert self._process.stdin
        self._process.stdin.write("append\n")
        self._process.stdin.flush()

    def answer(self) -> str:
        """What it says of the append before, past what its libraries print."""
        assert self._process.stdout
        said = (line.strip() for line in self._process.stdout)
        return next((line for line in said if line.startswith(peers.WORDS)), "")

    def append(self) -> float:
        """One append, timed where it was made [s]."""
        self.ask()
        return float(self.answer().removeprefix(peers.DONE))

    def close(self) -> None:
        """Close its streams, which ends it."""
        self._process.__exit__(None, None, None)


@contextmanager
def peer(store: str, folder: Path, writer: str = "w") -> Iterator[Peer]:
    """A peer that is stopped in the end."""
    found = Peer(store, folder, writer)
    try:
        yield found
    finally:
        found.close()


def count_of(store: str, folder: Path) -> int:
    """Rows that a peer has."""
    words = [interpreter(store), peers.__file__, store, str(folder), "count"]
    # Some die while they end, after they have answered.
    said = subprocess.run(words, capture_output=True, text=True, check=False).stdout.split()
    if not said or not said[-1].isdecimal():
        raise LakeError(f"{store}: did not tell how many rows it has; run the bench again")
    return int(said[-1])
