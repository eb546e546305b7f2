"""Statements asked behind some of the walls, each in a fork of its own; a DuckDB of either major runs this file.

The request comes on stdin as JSON: the lake's root, which of the walls stand (`files`, `syntax`), the statements. The
answers go to stdout as JSON, one a statement: its rows as text, or its error, or the signal that ended it.
"""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from lake.log import Snapshot
from lake.relations import relations
from lake.store import Lake
from lake.views import connect, with_inputs
from lake.walls.child import names_of
from lake.walls.files import PinnedFiles, local_opener, sealed
from lake.walls.syntax import checked

SECONDS = 10
SHOWN = 100_000
# So little memory that a large sort would spill if it could.
MEMORY = 128 << 20
FEW = ("toy.counts", "lake.commits", "lake.tags")


def ask(snapshot: Snapshot, root: str, walls: list[str], text: str) -> dict[str, Any]:
    """What a statement gives behind these walls."""
    try:
        names = set(FEW)
        if "syntax" in walls:
            names = with_inputs(checked(text, names_of(snapshot), relations()), snapshot)
            if "files" not in walls:
                return {"rows": "passed"}
        if "files" in walls:
            files = PinnedFiles(snapshot, local_opener(root))
            con = sealed(snapshot, files, only=names, memory=MEMORY)
        else:
            con = connect(snapshot, Lake(root).storage)
        return {"rows": str(con.execute(text).fetchall())[:SHOWN]}
    except Exception as error:
        return {"error": type(error).__name__, "message": str(error)}


def apart(snapshot: Snapshot, root: str, walls: list[str], text: str) -> dict[str, Any]:
    """The same in a process that may die of it."""
    reads, writes = os.pipe()
    child = os.fork()
    if not child:
        signal.alarm(SECONDS)
        os.write(writes, json.dumps(ask(snapshot, root, walls, text)).encode())
        os._exit(0)
    os.close(writes)
    with os.fdopen(reads, "rb") as pipe:
        answer = pipe.read()
    _, status = os.waitpid(child, 0)
    found: dict[str, Any] = json.loads(answer) if answer else {"died": os.waitstatus_to_exitcode(status)}
    return found


def main() -> None:
    """Answer the request."""
    request = json.load(sys.stdin)
    snapshot = Lake(Path(request["root"])).snapshot
    # A variable that a statement may try to read by its name.
    secret_rows = [os.environ["SECRET_TOKEN"]]
    answers = [apart(snapshot, request["root"], request["walls"], text) for text in request["texts"]]
    json.dump(answers, sys.stdout)
    secret_rows.clear()


if __name__ == "__main__":
    main()
