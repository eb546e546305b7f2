"""One run of the command: what it may say, where, and in which colours."""

import contextlib
import json
import logging
import os
import sys
import traceback
import warnings
from argparse import Namespace
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from lake.errors import LakeError, QueryError

if TYPE_CHECKING:
    from lake.store import Lake

BOLD, DIM, RESET = "\x1b[1m", "\x1b[2m", "\x1b[0m"
OURS = ("lake", "flows")
RED, GREEN, CYAN = "\x1b[31m", "\x1b[32m", "\x1b[36m"


class Session:
    """What every command is given: the root, the manners, and the two streams.

    Attributes
    ----------
    json, quiet : as the options say.
    verbose : 1 adds a line a file, 2 adds tracebacks.
    color : `auto`, `always` or `never`.
    """

    def __init__(self, *, json: bool = False, quiet: bool = False, verbose: int = 0, color: str = "auto") -> None:
        self.json = json
        self.quiet = quiet
        self.verbose = verbose
        self.color = color
        self._root = ""
        self._at_start: int | None = None

    @classmethod
    def of_words(cls, words: Sequence[str]) -> "Session":
        """The session that a command line means, even one that can't be parsed."""
        options = words[: words.index("--")] if "--" in words else words
        verbose = 2 if "-vv" in options else 0
        return cls(json="--json" in options, verbose=verbose)

    def configure(self, args: Namespace) -> None:
        """Take over what the options say."""
        self.json, self.quiet, self.verbose, self.color = args.json, args.quiet, args.verbose, args.color
        self._root = args.root or ""

    @property
    def root(self) -> str:
        """The lake's root: the option, else `LAKE_ROOT`, else `./lakehouse`."""
        from lake.settings import Settings

        return self._root or Settings.from_environment().root

    def lake(self, at: str | None = None) -> "Lake":
        """The lake, at its newest commit or another.

        Raises
        ------
        QueryError
            There is none at the root.
        """
        from lake.store import Lake

        if not self.has_lake:
            raise QueryError(f"{self.root}: no lake there", self.hint("lake demo"))
        lake = Lake(self.root, at=at)
        if self._at_start is None:
            self._at_start = lake.number
        return lake

    @property
    def has_lake(self) -> bool:
        """Whether a lake lies at the root; an error where none could be made either."""
        from lake.storage import storage_at
        from lake.store import exists

        return exists(storage_at(self.root))

    def hint(self, line: str) -> str:
        """A line to paste: it names the root where the environment does not."""
        from lake.settings import Settings

        if not line.startswith("lake ") or self.root == Settings.from_environment().root or " --root " in line:
            return line
        command, _, rest = line.removeprefix("lake ").partition(" ")
        import shlex

        return f"lake {command} --root {shlex.quote(self.root)}{' ' + rest if rest else ''}"

    def colors(self, stream: TextIO) -> bool:
        """Whether escapes may go to a stream."""
        if self.color != "auto":
            return self.color == "always"
        if os.environ.get("NO_COLOR"):
            return False
        if os.environ.get("FORCE_COLOR"):
            return True
        return stream.isatty() and os.environ.get("TERM") != "dumb"

    def painted(self, text: str, escape: str, stream: TextIO | None = None) -> str:
        """The text in a colour, where the stream takes colours."""
        return f"{escape}{text}{RESET}" if text and self.colors(stream or sys.stderr) else text

    def say(self, text: str) -> None:
        """Talk: a summary, a warning, a hint; silent with `-q`."""
        if not self.quiet:
            _write(sys.stderr, text + "\n")

    def detail(self, text: str) -> None:
        """Talk that only `-v` wants."""
        if self.verbose:
            self.say(text)

    def answer(self, text: str) -> None:
        """A line of the answer."""
        _write(sys.stdout, text + "\n")
        sys.stdout.flush()

    def blocks(self, blocks: Iterator[bytes]) -> None:
        """The answer as bytes."""
        sys.stdout.flush()
        for block in blocks:
            sys.stdout.buffer.write(block)
        sys.stdout.flush()

    def document(self, value: Any) -> None:
        """The answer as one JSON document."""
        from lake.export import json_value

        self.answer(json.dumps(json_value(value), ensure_ascii=False, indent=1))

    def failed(self, error: Exception, code: int) -> int:
        """Tell an error in one line, and how to go on in another; return the exit code."""
        if self.verbose >= 2:
            _write(sys.stderr, "".join(traceback.format_exception(error)))
        message, hint = _told(error)
        if not hint and not isinstance(error, LakeError | OSError) and self.verbose < 2:
            hint = "the same command with -vv shows where"
        if self.json:
            self.answer(json.dumps({"error": message, "hint": self.hint(hint) or None}, ensure_ascii=False))
        _write(sys.stderr, f"{self.painted('error:', RED)} {message}\n")
        if hint:
            _write(sys.stderr, f"{self.painted('hint:', CYAN)} {self.hint(hint)}\n")
        return code

    def interrupted(self) -> None:
        """Tell where an interrupted command leaves the lake."""
        where = "nothing was changed"
        with contextlib.suppress(Exception):
            before = self._at_start
            now = self.lake().number
            parts = "as before" if before in (None, now) else f"{now - (before or 0)} after the start, which stay"
            where = f"the lake is at commit {now}, {parts}" if now >= 0 else "the lake is empty, as before"
        line = f"interrupted: {where}; the same command starts again"
        if self.json:
            self.answer(json.dumps({"error": line, "hint": None}))
        _write(sys.stderr, f"\r{line}\n")

    @contextlib.contextmanager
    def logging(self) -> Iterator[None]:
        """Keep other libraries' logs and warnings off the terminal; `-v` shows our own lines."""
        handler = _Talk(self)
        ours = [logging.getLogger(name) for name in OURS]
        before = [(logger, logger.level, logger.propagate) for logger in ours]
        everybody = [*ours, logging.getLogger()] if self.verbose >= 2 else ours
        for logger in everybody:
            logger.addHandler(handler)
        for logger in ours:
            # A scheduler hangs a handler of its own on the root logger.
            logger.setLevel(logging.INFO)
            logger.propagate = False
        try:
            with warnings.catch_warnings():
                if self.verbose < 2:
                    warnings.simplefilter("ignore")
                yield
        finally:
            for logger in everybody:
                logger.removeHandler(handler)
            for logger, level, propagate in before:
                logger.setLevel(level)
                logger.propagate = propagate


class _Talk(logging.Handler):
    """Log lines as talk: ours with `-v`, everybody's with `-vv`."""

    def __init__(self, session: Session) -> None:
        super().__init__(logging.INFO)
        self.session = session

    def emit(self, record: logging.LogRecord) -> None:
        tell = self.session.say if record.levelno >= logging.WARNING else self.session.detail
        tell(printable(record.getMessage()))


def printable(text: object) -> str:
    """Text without control characters, which a file's header may bring along."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in str(text))


def _told(error: Exception) -> tuple[str, str]:
    """An error's line and its hint."""
    if isinstance(error, LakeError):
        return printable(" ".join(error.message.split())), error.hint
    if isinstance(error, OSError) and error.strerror:
        return printable(f"{error.filename}: {error.strerror}" if error.filename else error.strerror), ""
    lines = str(error).strip().splitlines()
    return printable(f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__), ""


def _write(stream: TextIO, text: str) -> None:
    """Write text, in `?` what the stream's encoding lacks; talk that nobody hears is no failure."""
    try:
        stream.write(text)
    except UnicodeEncodeError:
        encoding = stream.encoding or "ascii"
        stream.write(text.encode(encoding, "replace").decode(encoding))
    except BrokenPipeError:
        if stream is not sys.stderr:
            raise
