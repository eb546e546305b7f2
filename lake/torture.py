"""Torture: writers killed again and again, then a count of what was lost, on the disk or bucket where a lake is.

Each writer puts numbered items into a scratch lake below the `staging` folder of the root: some rows and a frame in one
commit, now and then a compaction and a garbage collection. It tells of an item only after the commit has returned. A
writer that is killed is started again a few items before the last it told of, so that what it repeats must be known.
"""

import logging
import platform
import random
import secrets
import signal
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from multiprocessing import get_context, set_start_method
from multiprocessing.connection import Connection, wait
from pathlib import Path

from lake.log import Json
from lake.scratch import Scratch
from lake.store import Lake
from lake.torture_items import Found, Item, LakeWriter, Writer

WAIT_S = (0.3, 1.2)
REPEATED = 3
"""Items before the last acknowledged one that a writer puts again after a kill."""
STARTED_WITHIN_S = 60.0
KEEP_NOTHING = ("tmpfs", "ramfs", "memory")
log = logging.getLogger(__name__)


@dataclass
class Certificate:
    """What was tried, and what became of it."""

    root: str
    file_system: str
    seed: int
    writers: int
    kills: int = 0
    seconds: float = 0.0
    acknowledged: int = 0
    fsyncs: int = 0
    lost: list[Item] = field(default_factory=list)
    doubled: list[Item] = field(default_factory=list)
    found: Found = field(default_factory=lambda: Found(Counter()))

    @property
    def holds(self) -> bool:
        """Whether nothing was lost, doubled or wrong."""
        found = self.found
        return self.acknowledged > 0 and not (
            self.lost or self.doubled or found.wrong_rows or found.wrong_frames or found.findings
        )

    @property
    def verdict(self) -> str:
        """The certificate in a few words."""
        if not self.acknowledged:
            return "NOTHING WAS ACKNOWLEDGED, so nothing was tried"
        return "nothing acknowledged was lost" if self.holds else "DATA WAS LOST"

    @property
    def machine(self) -> str:
        """System and Python."""
        return f"{platform.system()} {platform.release()}, Python {platform.python_version()}"

    def to_json(self) -> Json:
        """The certificate as a document."""
        found = self.found
        return {
            "holds": self.holds,
            **{k: getattr(self, k) for k in ("root", "file_system", "seed", "writers", "kills", "acknowledged")},
            "commits": found.commits,
            "fsyncs": self.fsyncs,
            "lost": len(self.lost),
            "doubled": len(self.doubled),
            "wrong_rows": found.wrong_rows,
            "wrong_frames": found.wrong_frames,
            "findings": list(found.findings),
            "orphans": found.orphans,
            "seconds": round(self.seconds, 1),
            "machine": self.machine,
        }

    def lines(self) -> list[str]:
        """The certificate as text, a line a fact."""
        found = self.found
        each = f", {self.fsyncs / self.acknowledged:.1f} fsyncs each" if self.fsyncs else ""
        rows = {
            "torture": f"{self.kills} kills -9 of {self.writers} writers in {self.seconds:.0f} s, seed {self.seed}",
            "place": f"{self.root}, {self.file_system}",
            "machine": self.machine,
            "acknowledged": f"{self.acknowledged:,} commits of {found.commits:,}{each}",
            "lost": f"{len(self.lost):,}",
            "doubled": f"{len(self.doubled):,}",
            "wrong rows": f"{found.wrong_rows:,}",
            "wrong frames": f"{found.wrong_frames:,}",
            "verify": f"{len(found.findings):,} findings",
            "left behind": f"{found.orphans:,} files of killed writers in no commit, for lake gc",
            "verdict": self.verdict,
        }
        if self.file_system in KEEP_NOTHING:
            rows["note"] = f"{self.file_system} keeps nothing over a power cut, whatever fsync says"
        return [f"{name:<13} {text}" for name, text in rows.items()]


def torture(
    root: str | Path,
    *,
    kills: int = 30,
    minutes: float | None = None,
    writers: int = 3,
    seed: int | None = None,
    kind: type[Writer] = LakeWriter,
) -> Certificate:
    """Kill writers of a scratch lake on the disk of `root`, and count what they lost.

    Parameters
    ----------
    root : a folder or URL; what is there is left alone.
    kills : how many, each after 0.3 to 1.2 s; `minutes`, where given, says how long instead.
    seed : of the times and victims; chosen where it is not given.
    kind : what is tortured.

    Returns
    -------
    The certificate. The scratch lake is removed, unless something was lost.
    """
    place = Scratch(root, "torture")
    scratch = place.root
    seed = secrets.randbits(32) if seed is None else seed
    proof = Certificate(scratch, place.file_system, seed, writers)
    chance = random.Random(seed)
    Lake.create(scratch)
    start = time.monotonic()
    herd = [_Killable(kind, scratch, number) for number in range(writers)]
    try:
        _await(herd)
        while time.monotonic() - start < minutes * 60 if minutes is not None else proof.kills < kills:
            _listen(herd, chance.uniform(*WAIT_S))
            chance.choice(herd).kill()
            proof.kills += 1
            log.info("killed=%d", proof.kills, extra={"done": proof.kills, "total": None if minutes else kills})
    finally:
        for each in herd:
            each.stop()
    proof.seconds = time.monotonic() - start
    proof.found = kind.found(scratch)
    acknowledged = {(each.writer, item) for each in herd for item in each.acknowledged}
    proof.acknowledged = len(acknowledged)
    proof.fsyncs = sum(each.fsyncs for each in herd)
    proof.lost = sorted(acknowledged - set(proof.found.items))
    proof.doubled = sorted(item for item, n in proof.found.items.items() if n > 1)
    if proof.holds:
        place.remove()
    return proof


class _Killable:
    """A writer in a process of its own, and what it told."""

    def __init__(self, kind: type[Writer], root: str, writer: int) -> None:
        self.kind, self.root, self.writer = kind, root, writer
        self.acknowledged: set[int] = set()
        self.fsyncs = 0
        self._begin()

    def _begin(self) -> None:
        context = get_context("forkserver")
        context.set_forkserver_preload([__name__])
        self.heard, told = context.Pipe(duplex=False)
        first = max(max(self.acknowledged, default=-1) + 1 - REPEATED, 0)
        words = (self.kind, self.root, self.writer, first, told)
        self._process = context.Process(target=_write, args=words, daemon=True)
        self._process.start()
        told.close()

    def listen(self) -> None:
        """Take down what the writer told; a death of its own accord is an error of the store."""
        with suppress(EOFError, OSError):
            while self.heard.poll():
                item, fsyncs = self.heard.recv()
                self.acknowledged.add(item)
                self.fsyncs += fsyncs

    def kill(self) -> None:
        """Kill -9, and start again."""
        self.stop()
        self._begin()

    def stop(self) -> None:
        """Kill -9, and hear what it had told."""
        if self._process.exitcode is None:
            self._process.kill()
        self._process.join()
        self.listen()
        self.heard.close()
        if self._process.exitcode not in (-signal.SIGKILL, 0):
            raise RuntimeError(f"writer {self.writer} of {self.root}: died by itself, exit {self._process.exitcode}")


def _await(herd: list[_Killable]) -> None:
    """Wait for the first item of each: processes take a while to start, and a kill before it shows nothing."""
    until = time.monotonic() + STARTED_WITHIN_S
    while not all(each.acknowledged for each in herd) and time.monotonic() < until:
        _listen(herd, WAIT_S[0])


def _listen(herd: list[_Killable], seconds: float) -> None:
    """Hear the writers for some time."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        by_pipe = {each.heard: each for each in herd}
        for pipe in wait(list(by_pipe), left):
            by_pipe[pipe].listen()  # type: ignore[index]


def _write(kind: type[Writer], root: str, writer: int, first: int, told: Connection) -> None:
    """What a writer's process does until it is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Locks of libraries then have no name that a kill would leave behind.
    set_start_method("fork", force=True)
    own = kind(root, writer)
    before = 0
    for item in count(first):
        fsyncs = own.put(item)
        told.send((item, fsyncs - before))
        before = fsyncs
