"""Signs of life on stderr: a bar on a terminal after two seconds, elsewhere a plain line every thirty."""

import contextlib
import logging
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

from lake.cli.session import OURS, Session, printable

BAR_AFTER_S = 2.0
LINE_EVERY_S = 30.0
PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


class Progress(logging.Handler):
    """How far some work is; it listens to the log lines of the work itself.

    A line with `extra={"done": n, "total": n}` sets the count, one with `amount` and `unit` the rate in the science's
    own unit, and one with `stage` and `total` begins anew under another name. Lines that name a `source=` count one
    each where nothing better is said.
    """

    def __init__(self, session: Session, label: str, total: int | None = None) -> None:
        super().__init__(logging.INFO)
        self.session = session
        self.tells_stages = False
        self._stop = threading.Event()
        self._begin(label, total)

    def _begin(self, label: str, total: int | None) -> None:
        self.label = label
        self.total = total
        self.done = 0
        self.amount = 0.0
        self.unit = "files"
        self._start = time.monotonic()
        self._is_told = False

    def emit(self, record: logging.LogRecord) -> None:
        words = record.__dict__
        if "stage" in words:
            self._begin(str(words["stage"]), words.get("total"))
            if self.tells_stages:
                self.session.say(printable(record.getMessage()))
        if "done" in words:
            self.done, self.total, self._is_told = int(words["done"]), words.get("total", self.total), True
        elif not self._is_told and "source=" in str(record.msg):
            self.done += 1
        if "amount" in words:
            self.amount += float(words["amount"])
            self.unit = str(words.get("unit", self.unit))

    @property
    def rate(self) -> str:
        """What is done in a second, in the unit of the work."""
        seconds = max(time.monotonic() - self._start, 1e-3)
        value = (self.amount or self.done) / seconds
        for size, prefix in PREFIXES:
            if value >= size and self.amount:
                return f"{value / size:.3g} {prefix}{self.unit}/s"
        return f"{value:.2g} {self.unit}/s"

    def line(self) -> str:
        """The state in one plain line."""
        count = f"{self.done:,}/{self.total:,}" if self.total else f"{self.done:,}"
        return f"{self.label}: {count}, {time.monotonic() - self._start:.0f} s, {self.rate}"

    def _lines(self) -> None:
        while not self._stop.wait(LINE_EVERY_S):
            self.session.say(printable(self.line()))

    def _bar(self) -> None:
        if self._stop.wait(BAR_AFTER_S):
            return
        from rich.console import Console
        from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar

        console = Console(file=sys.stderr, no_color=not self.session.colors(sys.stderr), highlight=False)
        seen: list[Any] = [TextColumn("{task.description}"), BarColumn() if self.total else SpinnerColumn()]
        columns = [*seen, TextColumn("{task.fields[count]}"), TimeElapsedColumn(), TextColumn("{task.fields[rate]}")]
        with Bar(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False) as bar:
            task = bar.add_task(printable(self.label), total=self.total, count="", rate="")
            while not self._stop.wait(0.2):
                count = f"{self.done:,}/{self.total:,}" if self.total else f"{self.done:,}"
                rate = self.rate if self.done else ""
                label = printable(self.label)
                bar.update(task, description=label, completed=self.done, total=self.total, count=count, rate=rate)


@contextlib.contextmanager
def progress(session: Session, label: str, total: int | None = None) -> Iterator[Progress]:
    """Show how far the work of the block is; nothing with `-q`."""
    state = Progress(session, label, total)
    draws = sys.stderr.isatty() and session.colors(sys.stderr) and not session.verbose
    # A bar changes its name, and -v shows the line anyway.
    state.tells_stages = not draws and not session.verbose
    thread = threading.Thread(target=state._bar if draws else state._lines, daemon=True)
    loggers = [logging.getLogger(name) for name in OURS]
    for logger in loggers:
        logger.addHandler(state)
    if not session.quiet:
        thread.start()
    try:
        yield state
    finally:
        for logger in loggers:
            logger.removeHandler(state)
        state._stop.set()
        if thread.is_alive():
            thread.join()
