"""The third wall, from inside: one statement in a process of its own, under limits that the system keeps."""

import io
import json
import os
import pickle
import resource
import sys
from collections.abc import Collection
from typing import Any, BinaryIO

import duckdb
import pyarrow as pa

from lake.errors import Forbidden, LakeError, Refused, TooLarge
from lake.explain import check_calls
from lake.limits import lower
from lake.log import Piece, Snapshot
from lake.prune import pruned
from lake.query import checked_parameters, explained
from lake.relations import relations
from lake.views import own_names, with_inputs
from lake.walls.files import Opener, PinnedFiles, local_opener, sealed
from lake.walls.job import ANSWER, BLOCK, ERROR, AskedFile, Channel, Job, Limits
from lake.walls.syntax import checked

BATCH = 2048
READ = b"lake.read"


def main() -> None:
    """Take the job from the parent, give back rows or an error."""
    limit(*map(int, sys.argv[-2:]))
    channel = Channel(sys.stdin.buffer, os.fdopen(os.dup(1), "wb"))
    os.dup2(2, 1)
    # Only the parent writes here. What goes back is Arrow and JSON, for a statement may have had its way with us.
    job = pickle.loads(channel.receive()[1])
    try:
        channel.send(ANSWER, answer(job, channel))
    except Exception as error:
        channel.send(ERROR, json.dumps(told(error, job.limits)).encode())
    # DuckDB may abort while it is taken down; all is said by then.
    os._exit(0)


def limit(seconds: int, memory: int) -> None:
    """Let the kernel end this process at a time on the CPU, refuse it memory, and keep it from writing to any file."""
    lower(
        {
            resource.RLIMIT_AS: memory,
            resource.RLIMIT_CPU: seconds,
            resource.RLIMIT_FSIZE: 0,
            resource.RLIMIT_CORE: 0,
        }
    )


def answer(job: Job, channel: Channel) -> bytes:
    """The rows as an Arrow stream, the names that were read in its schema's metadata."""
    snapshot = job.snapshot
    names = with_inputs(checked(job.text, names_of(snapshot), relations()), snapshot)
    check_calls(job.text, snapshot)
    files = PinnedFiles(snapshot, local_opener(job.folder) if job.folder else asking_opener(channel))
    pieces = pruned(snapshot, job.text, job.params, names)
    try:
        with sealed(snapshot, files, only=names, pieces=pieces, memory=job.limits.memory // 4) as con:
            return rows(con, job, names)
    except duckdb.Error as error:
        if files.refused or isinstance(error, duckdb.OutOfMemoryException | duckdb.PermissionException):
            raise files.refused or error from error
        raise explained(error, snapshot, job.text) from error


def names_of(snapshot: Snapshot) -> set[str]:
    """Every name that `lake sql` knows at this commit."""
    return {*relations(), *snapshot.tables, *own_names()}


def asking_opener(channel: Channel) -> Opener:
    """Opens files whose bytes the parent gives."""

    def open_piece(piece: Piece) -> BinaryIO:
        return io.BufferedReader(AskedFile(channel, piece.path, piece.n_bytes), BLOCK)

    return open_piece


def rows(con: duckdb.DuckDBPyConnection, job: Job, names: Collection[str]) -> bytes:
    """The answer, fetched in batches and given up at its limits.

    Raises
    ------
    TooLarge
        It has more rows or bytes than an answer may.
    """
    checked_parameters(con, job.text, job.params)
    reader = con.sql(job.text, params=dict(job.params) or None).to_arrow_reader(BATCH)
    sink, n_rows, n_bytes = io.BytesIO(), 0, 0
    with pa.ipc.new_stream(sink, reader.schema.with_metadata({READ: json.dumps(sorted(names))})) as stream:
        for batch in reader:
            n_rows, n_bytes = n_rows + batch.num_rows, n_bytes + batch.nbytes
            check_size(n_rows, n_bytes, job.limits)
            stream.write_batch(batch)
    return sink.getvalue()


def check_size(n_rows: int, n_bytes: int, limits: Limits) -> None:
    """That an answer is still within its limits."""
    most = "the most of an answer"
    if n_rows > limits.rows:
        raise TooLarge("sql", "sql-rows", f"found more than {limits.rows:,} rows, {most}", f"limit {limits.rows}")
    if n_bytes > limits.result:
        raise TooLarge("sql", "sql-bytes", f"found more than {limits.result:,} bytes in {n_rows:,} rows, {most}")


def told(error: Exception, limits: Limits) -> dict[str, Any]:
    """An error as words that the parent can read."""
    if isinstance(error, MemoryError | duckdb.OutOfMemoryException | pa.ArrowMemoryError):
        error = out_of_memory(limits)
    elif isinstance(error, duckdb.PermissionException):
        error = Forbidden("sql", "sql-file", "found something outside the lake")
    if isinstance(error, Refused):
        return {"kind": type(error).__name__, "rule": error.rule, "detail": error.detail, "hint": error.hint}
    if isinstance(error, LakeError):
        return {"kind": "QueryError", "detail": error.message, "hint": error.hint}
    return {"kind": "QueryError", "detail": f"{type(error).__name__}: {error}".strip().splitlines()[-1], "hint": ""}


def out_of_memory(limits: Limits) -> TooLarge:
    """The error for a statement that needs more memory than it may have."""
    mib = limits.memory >> 20
    detail = f"more memory than {mib // 4:,} MiB in DuckDB's buffers or {mib:,} MiB in all, the most for a statement"
    return TooLarge("sql", "sql-memory", detail)
