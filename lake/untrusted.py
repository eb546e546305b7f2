"""SQL of people we do not trust: `lake sql --untrusted`, and the door of any page.

The same answers as `lake sql` over the same tables and relations, from behind three walls (`lake.walls`): a statement
sees the files of one commit and cannot write; it is one select with functions of values only; it runs in a process of
its own, which is ended at a limit of time or memory. What is not permitted raises `Forbidden`, what costs too much
`TooLarge`.
"""

import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from lake import errors
from lake.answer import Answer, answered
from lake.errors import LakeError, QueryError, TooLarge
from lake.log import Snapshot
from lake.query import plain
from lake.storage import Storage
from lake.walls.job import ANSWER, ASK, BYTES, ERROR, MOST_ASKED, NONE, Channel, Job, Limits

if TYPE_CHECKING:
    from lake.store import Lake

__all__ = ["Limits", "sql"]
PYTHON = sys.executable
# The isolated interpreter knows neither this folder nor the environment, so it is told where our code is.
START = "import sys; sys.path.insert(0, sys.argv[1]); from lake.walls.child import main; main()"
CODE = str(Path(__file__).parent.parent)
FRAMING = 1 << 20
# What reading a message raises where the process is gone, or says what we never would.
NO_MESSAGE = (EOFError, BrokenPipeError, ValueError, TypeError, IndexError, RecursionError)


def sql(lake: "Lake", text: str, params: Mapping[str, Any] | None = None, limits: Limits = Limits()) -> Answer:
    """The answer to a stranger's statement over every table and relation of a lake.

    Parameters
    ----------
    params : values of the statement's named parameters; they are bound, never made part of the text.

    Raises
    ------
    Forbidden
        The statement asks for something that is not permitted.
    TooLarge
        It, or its answer, is beyond one of the limits.
    QueryError
        It names a column or parameter that isn't there, or DuckDB cannot answer it.
    """
    began = time.perf_counter()
    if len(text) > limits.text:
        raise TooLarge("sql", "sql-text", f"found {len(text):,} characters, expected at most {limits.text:,}")
    given = {name: plain(value) for name, value in (params or {}).items()}
    storage, snapshot = lake.storage, lake.snapshot
    folder = "" if storage.filesystem is not None else str(Path(storage.root).absolute())
    rows = _asked(Job(snapshot, folder, text, given, limits), storage)
    read = set(json.loads((rows.schema.metadata or {}).get(b"lake.read", b"[]")))
    tables = {name: table for name, table in snapshot.tables.items() if name in read}
    return answered(rows.replace_schema_metadata(), snapshot, tables, time.perf_counter() - began)


def _asked(job: Job, storage: Storage) -> pa.Table:
    """The rows that a process of its own finds."""
    limits = job.limits
    words = [PYTHON, "-I", "-c", START, CODE, str(int(limits.seconds) + 2), str(limits.memory)]
    known = {name: os.environ[name] for name in ("TZ", "LANG") if name in os.environ}
    process = subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd="/", env=known
    )
    assert process.stdin
    assert process.stdout
    late = threading.Event()
    timer = threading.Timer(limits.seconds, _kill, (process, late))
    timer.start()
    try:
        channel = Channel(process.stdout, process.stdin, limits.result + FRAMING)
        with suppress(BrokenPipeError):
            channel.send(BYTES, pickle.dumps(job))
        kind, content = _told(channel, job.snapshot, storage)
    except NO_MESSAGE as error:
        raise _ended(_code(process), late.is_set(), limits) from error
    finally:
        timer.cancel()
        process.kill()
        with suppress(BrokenPipeError):
            process.stdin.close()
        process.stdout.close()
        process.wait()
    return _rows(kind, content)


def _kill(process: "subprocess.Popen[bytes]", late: threading.Event) -> None:
    """End a process whose time is over."""
    late.set()
    process.kill()


def _code(process: "subprocess.Popen[bytes]") -> int:
    """How a process ended that is ending, or shall."""
    with suppress(subprocess.TimeoutExpired):
        return process.wait(timeout=1)
    process.kill()
    return process.wait()


def _told(channel: Channel, snapshot: Snapshot, storage: Storage) -> tuple[bytes, bytes]:
    """The process's answer or error; until then it is given the bytes it asks for."""
    while True:
        kind, content = channel.receive()
        if kind != ASK:
            return kind, content
        found = _bytes_of(json.loads(content), snapshot, storage)
        channel.send(NONE if found is None else BYTES, found or b"")


def _bytes_of(asked: Any, snapshot: Snapshot, storage: Storage) -> bytes | None:
    """A span of one of the snapshot's files; None where it is no such file."""
    path, start, n = str(asked[0]), int(asked[1]), int(asked[2])
    piece = snapshot.pieces.get(path)
    if piece is None or storage.filesystem is None or not 0 <= start <= piece.n_bytes or not 0 <= n <= MOST_ASKED:
        return None
    try:
        found: bytes = storage.filesystem.cat_file(storage.url(path), start=start, end=start + n)
    except OSError:
        return None
    return found


def _rows(kind: bytes, content: bytes) -> pa.Table:
    """The rows of an answer, checked through; or its error raised."""
    try:
        told = json.loads(content) if kind == ERROR else None
    except (ValueError, RecursionError):
        kind = b""
    if kind == ERROR and isinstance(told, dict):
        raise _error(told)
    if kind != ANSWER:
        raise QueryError("sql: its process said something that is no answer")
    try:
        rows = pa.ipc.open_stream(content).read_all()
        rows.validate(full=True)
    except pa.ArrowException as error:
        raise QueryError(f"sql: its answer is no table: {error}") from error
    return rows


def _error(told: Mapping[str, Any]) -> LakeError:
    words = {name: str(told.get(name, "")) for name in ("kind", "rule", "detail", "hint")}
    if words["kind"] in ("Forbidden", "TooLarge"):
        refused: LakeError = getattr(errors, words["kind"])("sql", words["rule"], words["detail"], words["hint"])
        return refused
    return QueryError(words["detail"], words["hint"].replace("lake sql ", "lake sql --untrusted ", 1))


def _ended(code: int, is_late: bool, limits: Limits) -> LakeError:
    """The error for a process that ended before it had answered."""
    if is_late or code == -signal.SIGXCPU:
        return TooLarge("sql", "sql-time", f"no answer within {limits.seconds:g} s, the most for a statement")
    if code >= 0:
        return QueryError(f"sql: its process ended before it answered, with exit code {code}")
    most = f"{limits.memory >> 20:,} MiB of memory and {limits.seconds:g} s"
    found = f"its process was ended by {signal.Signals(-code).name}, with at most {most}"
    return TooLarge("sql", "sql-process", found)
