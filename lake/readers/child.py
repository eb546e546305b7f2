"""Files decoded in a child process: a decoder written in C that fails there takes nobody with it.

One child serves a batch. The parent writes a request to its standard input, a line of JSON; the child decodes the file
under limits of memory, time and file size, leaves a parcel in a private folder, and answers with one byte. Where it
dies instead, the file is `Malformed` and the next file gets another child. Without a parent its input ends, and so does
it. It sees no variable of the parent's environment, and no module but those of the interpreter and of this package.
"""

import atexit
import errno
import json
import os
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import lake.errors as errors
from lake.errors import Malformed, Refused, SourceError
from lake.limits import lower
from lake.readers import decoded
from lake.readers.parcel import pack, unpack
from lake.source import Content

MEMORY = 4 << 30
FILE_BYTES = 4 << 30
CPU_S = 60
# Of the clock for each second of the processor.
PATIENCE = 1.5
STARTED_WITHIN_S = 120.0
FILES = 256
READY, DONE = b"r", b"d"
ERROR = "error"
# This very package, wherever it lies: an isolated Python knows neither PYTHONPATH nor the working directory.
PROGRAM = (
    "import sys, importlib.util as u; s = u.spec_from_file_location('lake', sys.argv[1]); "
    "sys.modules['lake'] = lake = u.module_from_spec(s); s.loader.exec_module(lake); sys.path.append(sys.argv[2]); "
    "from lake.readers.child import serve; serve(int(sys.argv[3]))"
)
# One thread, no plug-ins of HDF5, and nothing of the parent but where its libraries are.
ENVIRONMENT = {
    "PATH": os.defpath,
    "HDF5_PLUGIN_PRELOAD": "::",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}
KEPT = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")


class Child:
    """A process that decodes one file after another.

    Attributes
    ----------
    folder : its private folder, where parcels and temporary files lie.
    n_files : how many it was asked for.

    Raises
    ------
    OSError
        It did not start; with its last words. No file is to blame.
    """

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="lightlake-"))
        self.n_files = 0
        self._is_busy = True
        home = {"HOME": str(self.folder), "TMPDIR": str(self.folder)}
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        package = Path(errors.__file__).with_name("__init__.py").absolute()
        words = [str(package), str(package.parent.parent), str(MEMORY)]
        with (self.folder / "talk").open("wb") as talk:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-c", PROGRAM, *words],
                env=ENVIRONMENT | home | kept,
                cwd=self.folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=talk,
                bufsize=0,
            )
        if self._answer(STARTED_WITHIN_S) != READY:
            talk_ = self._last_words()
            self.close()
            raise OSError(f"the process that decodes files did not start: {talk_}")
        self._is_busy = False

    @property
    def is_free(self) -> bool:
        """Whether it waits for a request."""
        return not self._is_busy and self._process.poll() is None

    def content(self, path: Path, kind: str, most: int, seconds: int, identity: list[int]) -> Content:
        """What the reader of this kind finds in a file.

        Raises
        ------
        SourceError
            As the reader raised it; `Malformed` by the rule `child` where the process ended over it.
        """
        self._is_busy = True
        self.n_files += 1
        request = json.dumps([str(path.absolute()), kind, most, seconds, identity])
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(request.encode("ascii") + b"\n")
        answer = self._answer(seconds * PATIENCE)
        if answer != DONE:
            raise Malformed(path.name, "child", self._ending(answer is None, seconds))
        self._is_busy = False
        try:
            failure = self.folder / ERROR
            if failure.exists():
                words = json.loads(failure.read_bytes())
                failure.unlink()
                raise _told(words)
            return unpack(self.folder)
        except (ValueError, TypeError, LookupError, MemoryError) as error:
            raise Malformed(path.name, "child", f"its parcel is unreadable: {type(error).__name__}: {error}") from error

    def close(self) -> None:
        """End it, and take its folder away."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _answer(self, seconds: float) -> bytes | None:
        """Its next byte; an empty one where it ended, None where it is silent for so long."""
        assert self._process.stdout is not None
        poll = select.poll()
        poll.register(self._process.stdout, select.POLLIN)
        return self._process.stdout.read(1) if poll.poll(seconds * 1e3) else None

    def _ending(self, is_late: bool, seconds: int) -> str:
        """How it ended, in words."""
        if is_late:
            return f"its decoder took more than {seconds * PATIENCE:g} s, expected {seconds} s of the processor at most"
        code = self._process.wait()
        if code == -signal.SIGXCPU:
            return f"its decoder took more than {seconds} s of the processor"
        if code == -signal.SIGKILL:
            return "its decoder was killed by SIGKILL, as happens where the machine's memory runs out"
        if code < 0:
            return f"its decoder ended by {signal.Signals(-code).name}"
        return f"its decoder ended with code {code}: {self._last_words()}"

    def _last_words(self) -> str:
        with suppress(OSError), (self.folder / "talk").open("rb") as talk:
            talk.seek(max(talk.seek(0, os.SEEK_END) - 4096, 0))
            lines = talk.read().decode(errors="replace").split("\n")
            return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
        return "it said nothing"


class Children:
    """The children of a process: as many as there are threads that ask at once, each kept for the next file."""

    def __init__(self) -> None:
        self._idle: list[Child] = []

    def content(self, *request: Any) -> Content:
        """What a child finds in a file, as `Child.content` tells."""
        child = self._taken()
        try:
            return child.content(*request)
        finally:
            if child.is_free and child.n_files < FILES:
                self._idle.append(child)
            else:
                child.close()

    def _taken(self) -> Child:
        """One that is free, or a new one."""
        with suppress(IndexError):
            while True:
                child = self._idle.pop()
                if child.is_free:
                    return child
                child.close()
        return Child()

    def close(self) -> None:
        """End those that wait."""
        with suppress(IndexError):
            while True:
                self._idle.pop().close()


def children() -> Children:
    """The children of this process, which end with it."""
    return _children_of(os.getpid())


@cache
def _children_of(pid: int) -> Children:
    """Those of one process: a fork has none of its parent's."""
    found = Children()
    atexit.register(found.close)
    return found


def serve(memory: int) -> None:
    """The child's side: decode what is asked for until nobody asks."""
    answers = os.dup(1)
    os.dup2(2, 1)  # what a library prints is talk, not an answer
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    lower({resource.RLIMIT_AS: memory, resource.RLIMIT_FSIZE: FILE_BYTES, resource.RLIMIT_CORE: 0})
    folder = Path.cwd()
    with suppress(BrokenPipeError):
        os.write(answers, READY)
        for line in sys.stdin.buffer:
            _decode(folder, *json.loads(line))
            os.write(answers, DONE)
    shutil.rmtree(folder, ignore_errors=True)


def _limit_cpu(seconds: int) -> None:
    """So many seconds of the processor from here on."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    most = int(own.ru_utime + own.ru_stime) + 1 + seconds
    soft = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def _decode(folder: Path, path: str, kind: str, most: int, seconds: int, identity: list[int]) -> None:
    """One file into a parcel, or into the words of an error."""
    _limit_cpu(seconds)
    try:
        pack(decoded(Path(path), kind, most, identity), folder)
    except Exception as error:
        (folder / ERROR).write_text(json.dumps(_words(error, Path(path).name)), encoding="ascii")


def _words(error: Exception, name: str) -> dict[str, Any]:
    """An error as JSON; what is no error of ours is a fault of the disk, or else of the file."""
    if isinstance(error, Refused):
        words = [error.source, error.rule, error.detail, error.hint]
        return {"kind": type(error).__name__, "words": words}
    if isinstance(error, SourceError):
        return {"kind": type(error).__name__, "words": [error.message, error.hint]}
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
        return {"kind": "OSError", "words": [error.errno, f"{error.strerror}, in the temporary folder"]}
    return {"kind": "Malformed", "words": [name, "child", f"{type(error).__name__}: {error}"]}


def _told(words: dict[str, Any]) -> OSError:
    """The error of these words."""
    kinds: dict[str, type[OSError]] = {"OSError": OSError, "SourceError": SourceError, "Refused": Refused}
    kinds |= {kind.__name__: kind for kind in Refused.__subclasses__()}
    return kinds[words["kind"]](*words["words"])
