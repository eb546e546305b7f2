"""The first wall: a database that sees the files of one snapshot, and can write nothing."""

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, BinaryIO

import duckdb
from fsspec import AbstractFileSystem

from lake.errors import Forbidden
from lake.log import Piece, Snapshot
from lake.relations import literal
from lake.views import CLOSED, connect

PROTOCOL = "lake"
# A folder to spill into would be one that a statement may write to.
ALONE: dict[str, Any] = {
    **CLOSED,
    "threads": 1,
    "temp_directory": "",
    "allow_community_extensions": False,
    "allow_persistent_secrets": False,
}
Opener = Callable[[Piece], BinaryIO]


class PinnedFiles(AbstractFileSystem):  # type: ignore[misc]
    """The table files of a snapshot under `lake://`, to be read; nothing else is there, and nothing can be put there.

    Parameters
    ----------
    open_piece : gives the bytes of a file of the snapshot.

    Attributes
    ----------
    refused : what was last not permitted, which DuckDB passes on as text alone.
    """

    protocol = PROTOCOL
    cachable = False

    def __init__(self, snapshot: Snapshot, open_piece: Opener) -> None:
        super().__init__()
        self._open_piece = open_piece
        self.refused: Forbidden | None = None
        self.pieces = {path: p for path, p in snapshot.pieces.items() if not p.is_segment}

    def url(self, name: str) -> str:
        """What DuckDB opens to get the bytes of a name."""
        return f"{PROTOCOL}://{name}"

    @property
    def filesystem(self) -> "PinnedFiles":
        """Itself, as a storage has its file system."""
        return self

    def _piece(self, path: str) -> Piece:
        name = self._strip_protocol(path)
        if name not in self.pieces:
            raise Forbidden("sql", "sql-file", f"found the file {name}, expected one of this commit")
        return self.pieces[name]

    def _open(self, path: str, mode: str = "rb", **_: Any) -> BinaryIO:
        try:
            if mode != "rb":
                raise Forbidden("sql", "sql-write", f"found a file opened to write ({mode}), expected to read")
            return self._open_piece(self._piece(path))
        except Forbidden as error:
            self.refused = error
            raise

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """Name and size; FileNotFoundError for what the snapshot does not have."""
        try:
            piece = self._piece(path)
        except Forbidden as error:
            raise FileNotFoundError(path) from error
        return {"name": piece.path, "size": piece.n_bytes, "type": "file"}

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:
        """Nothing: files are known by name."""
        return []

    def modified(self, path: str) -> datetime:
        """One instant for all, as a file never changes."""
        return datetime.fromtimestamp(0, UTC)


def local_opener(root: str) -> Opener:
    """Opens files below a folder, wherever their names or links point."""
    inside = os.path.realpath(root)

    def open_piece(piece: Piece) -> BinaryIO:
        path = os.path.realpath(os.path.join(root, piece.path))  # noqa: PTH118 - a name of the log may be absolute
        if os.path.commonpath([inside, path]) != inside or not os.path.isfile(path):  # noqa: PTH113
            raise Forbidden(
                "sql", "sql-file", f"found {piece.path} outside the lake or gone, expected a file inside it"
            )
        return open(path, "rb", buffering=0)  # noqa: PTH123

    return open_piece


def sealed(
    snapshot: Snapshot,
    files: PinnedFiles,
    *,
    only: Collection[str] | None = None,
    pieces: Mapping[str, Sequence[Piece]] | None = None,
    memory: int = 512 << 20,
) -> duckdb.DuckDBPyConnection:
    """A database in memory that shows a snapshot and is cut off from everything else.

    Parameters
    ----------
    only, pieces : as `lake.views.connect` has them.
    memory : what DuckDB may use, of which values under way are not counted [byte].
    """
    con = connect(snapshot, files, only=only, pieces=pieces, config={**ALONE, "memory_limit": f"{memory}B"})
    seal(con, [files.url(name) for name in files.pieces])
    return con


def seal(con: duckdb.DuckDBPyConnection, paths: Sequence[str] = ()) -> None:
    """Leave a database these paths of all the world, and its settings as they are."""
    con.execute(f"set allowed_paths = [{', '.join(map(literal, paths))}]")
    con.execute("set enable_external_access = false")
    con.execute("set lock_configuration = true")
