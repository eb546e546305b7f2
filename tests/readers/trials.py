"""Damaged files put to the readers, in children that are watched: what each gave, how fast, and how large it grew.

`python -m tests.readers.trials FILE NUMBER` tries one damage again, in this process.
"""

import json
import resource
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.conftest import REPO

MOST_SECONDS = 5.0
MOST_MEMORY = 1 << 30
# For what the trial itself does beside the read: damage, the other decoder, the comparison.
ALLOWED_SECONDS = 30.0
# Formats with a checksum over all of their bytes.
SUMMED = (b"\x89PNG", b"\x1f\x8b", b"BZh")
# What no checksum can see, as it goes with the damage or covers whole blocks that moved.
UNSEEN = (
    "as_it_is", "damage_within", "lie_in_a_chunk", "swap", "double", "drop", "append", "compress", "damage_compressed",
)  # fmt: skip


Part = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Trial:
    """One damage of one file: `good`, `kept` with a problem, `refused`, or `wrong` and why."""

    file: str
    number: int
    damage: str
    outcome: str
    why: str = ""
    seconds: float = 0.0
    megabytes: float = 0.0

    def __str__(self) -> str:
        return f"{self.file} {self.number} {self.damage}: {self.outcome} {self.why}"


def tried(
    files: Sequence[Path], n: int, children: int = 2, prelude: str = "", patience: float = ALLOWED_SECONDS
) -> list[Trial]:
    """Each file as it is and with n damages, in so many children; one that dies or hangs is told of and replaced.

    `prelude` is code that each child runs first, `patience` for how long a reader may be silent by the clock [s]: a
    busy machine makes nobody slow, and of the processor it may take 5 s.
    """
    todo = [[(str(file), 0, n) for file in files[i::children]] for i in range(children)]
    watched = [_Child(jobs, prelude, patience) for jobs in todo if jobs]
    found: list[Trial] = []
    try:
        while running := [child for child in watched if child.process is not None]:
            select.select([child.out for child in running], [], [], 0.5)
            for child in running:
                found.extend(child.heard())
    finally:
        for child in watched:
            child.end()
    return found


class _Child:
    """A process that tries damages one after the other, and what it is at."""

    def __init__(self, jobs: list[tuple[str, int, int]], prelude: str, patience: float) -> None:
        self.jobs, self.prelude, self.patience, self.process = jobs, prelude, patience, None
        self._start()

    def _start(self) -> None:
        words = [sys.executable, "-m", "tests.readers.trials", "--jobs"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(words, cwd=REPO, **pipes)
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps([self.prelude, self.jobs]).encode())
        self.process.stdin.close()
        self.out, self.at, self.since, self.rest = self.process.stdout, None, time.monotonic(), b""

    def heard(self) -> Iterator[Trial]:
        """What it tells; where it is silent for too long or gone in the middle of a trial, that is what is told."""
        ready, _, _ = select.select([self.out], [], [], 0)
        if ready:
            block = self.out.read1(1 << 16)
            *lines, self.rest = (self.rest + block).split(b"\n")
            for line in map(json.loads, lines):
                self.since = time.monotonic()
                self.at = line.get("at")
                if self.at is None:
                    yield Trial(**line)
            if block:
                return
            code = self.process.wait()
            yield from self._gone(f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}")
        elif time.monotonic() - self.since > (self.patience if self.at and self.at[3] == "read" else ALLOWED_SECONDS):
            yield from self._gone("no answer")

    def _gone(self, why: str) -> Iterator[Trial]:
        self.end()
        if self.at is None:
            if why != "ended with 0":
                raise RuntimeError(f"a child that was trying nothing {why}")
            return
        file, number, damage, doing = self.at
        # What kills the other decoder says nothing of the reader.
        outcome = "wrong" if doing == "read" else "good"
        yield Trial(Path(file).name, number, damage, outcome, f"{doing}: {why}")
        place = next(i for i, job in enumerate(self.jobs) if job[0] == file)
        self.jobs = [(file, number + 1, self.jobs[place][2]), *self.jobs[place + 1 :]]
        self._start()

    def end(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.out.close()
            self.process = None


def _work(prelude: str, jobs: list[tuple[str, int, int]]) -> None:
    """The child: all jobs of its list, each step announced."""
    exec(prelude, {})
    _limit()
    for file, first, n in jobs:
        try_file = Attempts(Path(file))
        for number in range(first, n + 1):
            for line in try_file.steps(number):
                sys.stdout.write(json.dumps(line) + "\n")
                sys.stdout.flush()


def _limit() -> None:
    from tests.twins import decoders  # noqa: F401  takes its memory before the limit is set

    grown = _pages()[0] + MOST_MEMORY + (256 << 20)
    resource.setrlimit(resource.RLIMIT_AS, (grown, grown))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _pages() -> tuple[int, int]:
    """Address space and peak of memory of this process [byte]."""
    words = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return tuple(int(words[key].split()[0]) << 10 for key in ("VmSize", "VmHWM"))


class Attempts:
    """One file and its damages; number 0 is the file as it is."""

    def __init__(self, path: Path) -> None:
        self.path, self.whole = path, path.read_bytes()
        self.folder = tempfile.TemporaryDirectory()

    @cached_property
    def parts(self) -> list[Part]:
        """Those of the file as it is."""
        from lake.errors import SourceError
        from lake.readers import read

        try:
            return [of_part(part) for part in read(self.path).content.parts]
        except SourceError:
            return []

    def steps(self, number: int) -> Iterator[dict[str, Any]]:
        """What is done, as it begins, and the trial at last."""
        from lake.errors import SourceError
        from lake.readers import read
        from tests.builders.damage import damaged

        name, data = damaged(self.whole, number - 1) if number else ("as_it_is", self.whole)
        path = Path(self.folder.name) / "damaged"
        path.write_bytes(data)
        trial = {"file": self.path.name, "number": number, "damage": name}
        yield {"at": [str(self.path), number, name, "read"]}
        begin, before = time.process_time(), _reset_peak()
        signal.setitimer(signal.ITIMER_PROF, MOST_SECONDS)  # which ends the process
        try:
            source, outcome, why = read(path), "good", ""
        except SourceError as error:
            source, outcome, why = None, "refused", getattr(error, "rule", str(error)[:80])
            if _starved(error):
                outcome, why = "wrong", f"more memory than allowed: {error}"[:300]
        except BaseException as error:
            source, outcome, why = None, "wrong", f"{type(error).__name__}: {error}"[:300]
        signal.setitimer(signal.ITIMER_PROF, 0)
        seconds, megabytes = time.process_time() - begin, (_pages()[1] - before) / (1 << 20)
        if seconds > MOST_SECONDS or megabytes > MOST_MEMORY >> 20:
            outcome, why = "wrong", f"{seconds:.1f} s, {megabytes:.0f} MB"
        if source is not None and outcome == "good":
            yield {"at": [str(self.path), number, name, "compare"]}
            if source.problems:
                outcome, why = "kept", f"{source.problems[0].place}: {source.problems[0].reason}"[:300]
            if wrong := wrong_in(source, name, data, self.parts if number else [], self.whole):
                outcome, why = "wrong", wrong
        yield asdict(Trial(**trial, outcome=outcome, why=why, seconds=round(seconds, 4), megabytes=round(megabytes, 1)))


def _reset_peak() -> int:
    """Make the peak of memory what it is at this moment, and return it."""
    Path("/proc/self/clear_refs").write_text("5")
    return _pages()[1]


def _starved(error: BaseException | None) -> bool:
    """Whether memory that ran out is behind an error."""
    while error is not None:
        if isinstance(error, MemoryError) or "unable to allocate" in str(error).lower():
            return True
        error = error.__cause__ or error.__context__
    return False


# --- what is right


def of_part(part: Any) -> Part:
    """Columns and pixels of a part by name."""
    return dict(part.columns) | ({} if part.pixels is None else {"pixels": part.pixels})


def wrong_in(source: Any, damage: str, data: bytes, wanted: list[Part], whole: bytes) -> str:
    """Which numbers are passed as good and are not; empty where there are none."""
    from tests.twins.decoders import decoded, wrong_sums

    found = [of_part(part) for part in source.content.parts]
    for part in found:
        if len({len(values) for values in part.values()} - {1}) > 1 and source.reader != "cdf":
            return f"columns of {[len(values) for values in part.values()]} rows in one part"
    if data.startswith(b"SIMPLE") and not source.problems and wrong_sums(data):
        return "data differ from their DATASUM and nothing is told"
    strange = [part for part in found if not any(within(part, other) for other in wanted)]
    if not strange:
        return ""
    if damage.startswith("cut"):
        return "a file that was cut has rows or pixels that the whole one has not"
    if data.startswith(SUMMED) and whole[:2] == data[:2] and damage not in UNSEEN and not source.problems:
        return "bytes with a checksum were changed, and other numbers came out"
    if source.reader == "fits" and any(problem.count == 0 for problem in source.problems):
        return ""  # told of damage that other readers pass over
    try:
        others = decoded(data)
    except Exception as error:
        return f"the other decoder refuses it: {type(error).__name__}: {error}"[:300]
    for part in strange:
        if not any(equal_part(part, other) for other in others) and not of_frames(part, others):
            return f"the other decoder finds other numbers than those of {', '.join(part)}"[:300]
    return ""


def within(part: Part, other: Part) -> bool:
    """Whether all arrays are those of another part in their order, or the first rows of them, whatever their names."""
    pairs = zip(part.values(), other.values(), strict=False)
    return len(part) <= len(other) and all(same(a, b[: len(a)]) for a, b in pairs)


def equal_part(part: Part, other: Part) -> bool:
    """Whether all arrays equal those of another decoder; an image may have the name of its variable there."""
    upper = {key.upper(): values for key, values in other.items()}
    for key, values in part.items():
        # An epoch that a file leaves empty is made of another variable.
        is_named = key.upper() in upper and values.dtype.kind != "M"
        candidates = [upper[key.upper()]] if is_named else list(upper.values())
        if not any(same(values, candidate) for candidate in candidates):
            return False
    return True


def of_frames(part: Part, others: list[Part]) -> bool:
    """Whether a stack of images is made of images that another decoder finds one by one, in their order."""
    if "pixels" not in part or part["pixels"].ndim != 3:
        return False
    images = iter([other["pixels"] for other in others if "pixels" in other])
    return all(any(same(frame, image) for image in images) for frame in part["pixels"])


def same(found: NDArray[Any], wanted: NDArray[Any]) -> bool:
    """Whether two arrays say the same where neither is null; blanks behind words don't count."""
    if found.shape != np.shape(wanted):
        return False
    kept = ~(np.ma.getmaskarray(found) | np.ma.getmaskarray(wanted))
    a, b = np.ma.getdata(found)[kept], np.ma.getdata(wanted)[kept]
    if a.dtype.kind == "M" or b.dtype.kind == "M":
        return a.dtype.kind == b.dtype.kind and bool((np.abs(a - b) <= np.timedelta64(1, "us")).all())
    if a.dtype.kind in "OSU" or b.dtype.kind in "OSU":
        return all(_word(x) == _word(y) for x, y in zip(a.tolist(), b.tolist(), strict=True))
    with np.errstate(all="ignore"):
        return bool(((a == b) | ((a != a) & (b != b))).all())


def _word(value: Any) -> Any:
    """A cell of text or of several numbers, comparable."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str):
        return value.partition("\0")[0].rstrip()
    return [_word(v) for v in np.asarray(value).tolist()] if isinstance(value, np.ndarray | list) else repr(value)


def main(words: list[str]) -> None:
    """All jobs of a list on standard input, or one damage of one file."""
    if words == ["--jobs"]:
        _work(*json.load(sys.stdin))
    else:
        for line in Attempts(Path(words[0])).steps(int(words[1])):
            sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
