"""Statements asked behind some of the walls; a DuckDB of either major runs this file.

The request comes on stdin as JSON: the lake's root, which of the walls stand (`files`, `syntax`), the statements, and
whether each is asked apart, in a fork and database of its own. The
answers go to stdout as JSON, one a statement: its rows as text, or its error, or the signal that ended it.
"""

import json
import os
import signal
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.dataset  # noqa: F401 - loaded once here, not in every fork

import lake.own_tables  # noqa: F401
from lake.log import Snapshot
from lake.relations import relations
from lake.storage import storage_at
from lake.store import Lake
from lake.views import CLOSED, connect
from lake.walls.child import names_of
from lake.walls.files import PinnedFiles, local_opener, sealed
from lake.walls.syntax import checked

SECONDS = 10
SHOWN = 100_000
# So little memory that a large sort would spill if it could.
MEMORY = 128 << 20


FEW = ("toy.counts", "lake.commits", "lake.tags")


def opened(snapshot: Snapshot, root: str, walls: list[str], only: Collection[str] | None) -> duckdb.DuckDBPyConnection:
    """The database that a statement is asked of: behind the wall of files, or as the owner has it."""
    if "files" in walls:
        return sealed(snapshot, PinnedFiles(snapshot, local_opener(root)), only=only, memory=MEMORY)
    return connect(snapshot, storage_at(root), only=only, config={**CLOSED, "threads": 1})


def ask(con: duckdb.DuckDBPyConnection, snapshot: Snapshot, walls: list[str], text: str) -> dict[str, Any]:
    """What a statement gives behind these walls; behind that of syntax alone it is only read."""
    try:
        if "syntax" in walls:
            checked(text, names_of(snapshot), relations())
        if walls == ["syntax"]:
            return {"rows": "passed"}
        return {"rows": str(con.execute(text).fetchall())[:SHOWN]}
    except Exception as error:
        return {"error": type(error).__name__, "message": str(error)}


def apart(snapshot: Snapshot, root: str, walls: list[str], text: str) -> dict[str, Any]:
    """The same in a process that may die of it, and whose settings and views go with it."""
    reads, writes = os.pipe()
    child = os.fork()
    if not child:
        signal.alarm(SECONDS)
        answer = ask(opened(snapshot, root, walls, FEW), snapshot, walls, text)
        os.write(writes, json.dumps(answer).encode())
        os._exit(0)
    os.close(writes)
    with os.fdopen(reads, "rb") as pipe:
        content = pipe.read()
    _, status = os.waitpid(child, 0)
    found: dict[str, Any] = json.loads(content) if content else {"died": os.waitstatus_to_exitcode(status)}
    return found


def main() -> None:
    """Answer the request."""
    request = json.load(sys.stdin)
    root, walls = request["root"], request["walls"]
    snapshot = Lake(Path(root)).snapshot
    # A variable that a statement may try to read by its name.
    secret_rows = [os.environ["SECRET_TOKEN"]]
    if request["apart"]:
        answers = [apart(snapshot, root, walls, text) for text in request["texts"]]
    else:
        con = opened(snapshot, root, walls, None)
        answers = [ask(con, snapshot, walls, text) for text in request["texts"]]
    json.dump(answers, sys.stdout)
    secret_rows.clear()


if __name__ == "__main__":
    main()
