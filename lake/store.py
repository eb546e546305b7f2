"""The lake: opening it, reading it at a commit, and beginning a transaction on it."""

import logging
import re
import secrets
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lake.errors import CommitError, LakeError, QueryError
from lake.log import FORMAT, Json, Snapshot, decode, encode, load, replay, utc_text
from lake.names import listed, unknown
from lake.schema import Array, Declaration, Table
from lake.storage import LocalStorage, Storage, storage_at
from lake.transaction import Transaction

if TYPE_CHECKING:
    from lake.answer import Answer

HEAD = "lake.json"
log = logging.getLogger(__name__)


class Lake:
    """A lake at one commit, the newest when it was opened.

    Parameters
    ----------
    root : a folder, or a URL that fsspec opens (`s3://bucket/lake`).
    at : a commit's number, a UTC time or a tag; such a lake can be read only.

    Raises
    ------
    QueryError
        There is no lake, or no such commit.
    """

    def __init__(self, root: str | Path, *, at: int | str | None = None, storage: Storage | None = None) -> None:
        self.storage = storage or storage_at(root)
        self.root = self.storage.root
        if not exists(self.storage):
            raise QueryError(f"{self.root}: no lake there", f"lake demo --root {self.root}")
        head = decode(self.storage.read(HEAD), f"{self.root}/{HEAD}")
        self.id: str = head["id"]
        self.snapshot = load(self.storage)
        if self.number < 0:
            # Whoever makes the lake may be killed before its own name is durable, and this may be its first writer.
            with suppress(LakeError, OSError):
                self.storage.secure(HEAD)
        self.is_pinned = at is not None
        if at is not None:
            self.snapshot = load(self.storage, self._number(at))

    @classmethod
    def create(cls, root: str | Path, *, storage: Storage | None = None) -> "Lake":
        """Make a lake in an empty folder or prefix, or open the one that is there.

        Raises
        ------
        CommitError
            The folder holds something else, or its file system cannot promise that a name is given once.
        """
        storage = storage or storage_at(root)
        if not exists(storage):
            # Whoever makes the lake at the same time puts lake.json before all else.
            if not storage.is_free() and storage.size(HEAD) is None:
                raise CommitError(f"{storage.root}: not empty, and no lake", "lake demo --root lakehouse")
            storage.prepare()
            head = {"format": FORMAT, "id": secrets.token_hex(16), "created": utc_text(datetime.now(UTC))}
            content = encode(head)
            if storage.create(HEAD, content) and storage.create(HEAD, content + b"\n"):
                raise CommitError(f"{storage.root}: the store gave one name twice; it cannot hold a lake")
        return cls(root, storage=storage)

    @property
    def number(self) -> int:
        """The commit this lake is at; -1 before the first."""
        return self.snapshot.number

    @property
    def n_bytes(self) -> int:
        """Bytes of the files of this commit."""
        return sum(p.n_bytes for p in self.snapshot.pieces.values())

    def refresh(self) -> "Lake":
        """Move on to the newest commit; a lake pinned by `at` stays."""
        if not self.is_pinned:
            self.snapshot = replay(self.storage, self.snapshot)
        return self

    def at(self, commit: int | str) -> "Lake":
        """The lake as it was at a commit, a UTC time or a tag."""
        return Lake(self.root, at=commit, storage=self.storage)

    def _number(self, at: int | str) -> int:
        newest = self.snapshot
        number = commit_number(newest, at)
        if number < newest.oldest and number not in newest.tags.values():
            raise QueryError(f"commit {number} was given up; the oldest kept is {newest.oldest}", "lake log")
        return number

    @contextmanager
    def transaction(self, reason: str, run: Json | None = None, *, catalog: bool = True) -> Iterator[Transaction]:
        """A commit: all that happens in the `with` block appears at once, or nothing does.

        Parameters
        ----------
        reason : a few words for the log.
        run : the run it belongs to, as `lake.provenance.new_run` describes it.
        catalog : whether to refresh `catalog.duckdb` afterwards.
        """
        if self.is_pinned:
            raise CommitError(f"{self.root}: opened at commit {self.number}; open it without `at` to write")
        self.refresh()
        tx = Transaction(self.storage, self.snapshot, reason, run)
        with tx:
            yield tx
        moved = tx.snapshot.number != self.snapshot.number
        self.snapshot = tx.snapshot
        if catalog:
            self._offer_catalog(moved)

    def refresh_catalog(self) -> None:
        """Write `catalog.duckdb` for the newest commit, where the root is a folder."""
        if not isinstance(self.storage, LocalStorage):
            return
        from lake.catalog import write_catalog

        written = -2
        while written != self.snapshot.number:
            written = self.snapshot.number
            write_catalog(self.snapshot, self.storage)
            self.refresh()

    def _offer_catalog(self, moved: bool) -> None:
        """Bring the catalogue up to the newest commit, which stands whether or not that works."""
        import duckdb

        from lake.catalog import is_current

        try:
            if moved or not is_current(self.snapshot, self.storage):
                self.refresh_catalog()
        except (OSError, LakeError, duckdb.Error) as error:
            log.warning("catalog.duckdb stays at an older commit: %s", " ".join(str(error).split()))

    def sql(self, text: str, **params: Any) -> "Answer":
        """The answer to one SQL statement over every table and relation."""
        from lake import query

        return query.sql(self.snapshot, self.storage, text, params)

    def query(self, relation: str, *, chain: Sequence[str] | None = None, **params: Any) -> "Answer":
        """The rows of a named relation of `sql/`, its parameters given."""
        from lake import query

        return query.query(self, relation, chain=chain, **params)

    def table(
        self, name: str, columns: Sequence[str] | None = None, where: Mapping[str, Any] | None = None
    ) -> "Answer":
        """Rows of a table; of `where`, a value must equal, a list or set has values, a pair is the span [low, high)."""
        from lake import query

        self.declaration(name)
        return query.table(self.snapshot, self.storage, name, columns, where or {})

    def declaration(self, name: str) -> Declaration:
        """The declaration of a table or array."""
        known: dict[str, Declaration] = {**self.snapshot.tables, **self.snapshot.arrays}
        if name not in known:
            raise unknown(f"no dataset {name}", name, known, "lake show {}", otherwise="lake ls")
        return known[name]

    def __getitem__(self, name: str) -> Any:
        """An array as a lazy `xarray.DataArray`; a table as a `TableView`."""
        words = self.declaration(name)
        if isinstance(words, Array):
            from lake.arrays import open_array

            return open_array(self.snapshot, self.storage, words)
        return TableView(self, words)

    def __iter__(self) -> Iterator[str]:
        """Names of the datasets, in order."""
        return iter(self._ipython_key_completions_())

    def __contains__(self, name: object) -> bool:
        return name in self.snapshot.declarations or name in self.snapshot.tables

    def map(self, name: str, place: int) -> Any:
        """Frame number `place` of an array as a `sunpy.map.Map`."""
        from lake.arrays import sunpy_map

        if not isinstance(self.declaration(name), Array):
            arrays = listed(sorted(self.snapshot.arrays)) or "no array"
            raise QueryError(f"{name}: a table, expected an array of images; has {arrays}", f"lake show {name}")
        return sunpy_map(self[name], place)

    def why(self, dataset: str, **key: Any) -> Json:
        """Where a row came from: its file, the run that wrote it, and the bytes it was made of."""
        from lake.provenance import why
        from lake.relations import inner_first, relations

        known = relations()
        if dataset in known:
            reads = {read for inner in inner_first(known, [dataset]) for read in known[inner].reads}
            tables = ", ".join(sorted(reads - set(known)))
            raise QueryError(f"{dataset}: computed when asked, of rows of {tables}; ask those", f"lake show {dataset}")
        self.declaration(dataset)
        return why(self.snapshot, self.storage, dataset, key)

    def diff(self, before: int | str, after: int | str | None = None) -> Json:
        """What changed between two commits: files and rows of each dataset, and inputs."""
        from lake.provenance import diff

        return diff(self.at(before).snapshot, self.snapshot if after is None else self.at(after).snapshot)

    def tag(self, name: str, number: int | None = None, *, catalog: bool = True) -> int:
        """Give a commit (this one) a name."""
        if not re.fullmatch(r"[a-z][a-z0-9_.-]{0,62}", name):
            raise QueryError(f"tag {name!r}: a tag is lower-case letters, digits, . _ -, starting with a letter")
        self.refresh()
        if name in self.snapshot.tags:
            raise QueryError(f"tag {name} is commit {self.snapshot.tags[name]} already", f"lake show --at {name}")
        number = self._number(self.number if number is None else number)
        with self.transaction(f"tag {name}", catalog=catalog) as tx:
            tx.tag(name, number)
        return number

    def _ipython_key_completions_(self) -> list[str]:
        return sorted({*self.snapshot.arrays, *self.snapshot.tables})

    def _repr_html_(self) -> str:
        from lake.pages import lake_view

        return lake_view(self)

    def __repr__(self) -> str:
        snapshot = self.snapshot
        names = {*snapshot.declarations}
        pipelines = {name.partition(".")[0] for name in names}
        when = (
            f"commit {snapshot.number} of {snapshot.time[:16].replace('T', ' ')}" if snapshot.time else "no commit yet"
        )
        counts = f"{_plural(len(pipelines), 'pipeline')}, {_plural(len(names), 'dataset')}"
        return f"<Lake {self.root}: {when}, {counts}, {size_text(self.n_bytes)}>"


def exists(storage: Storage) -> bool:
    """Whether a lake lies at a root; False where one could be made, or where something else lies.

    Raises
    ------
    QueryError
        The root is a file.
    CommitError
        A log lies there, but its `lake.json` is gone.
    """
    if storage.size(HEAD) is not None:
        return True
    if isinstance(storage, LocalStorage) and storage.folder.is_file():
        raise QueryError(f"{storage.root}: a file, expected a folder with a lake", "lake demo --root lakehouse")
    n = sum(name.endswith(".json") for name in storage.list("log"))
    # Whoever makes the lake at the same time puts its head before all else.
    if n and storage.size(HEAD) is None:
        has = f"has a log of {n:,} commit{'' if n == 1 else 's'} but no {HEAD}"
        raise CommitError(f"{storage.root}: {has}; put it back from a copy, or make one", _head_line(storage))
    return n > 0


def _head_line(storage: Storage) -> str:
    """A line for a shell that gives a lake its head again, with another identity; empty where there is no folder."""
    head = encode({"format": FORMAT, "id": secrets.token_hex(16)}).decode().rstrip()
    place = shlex.quote(f"{storage.root}/{HEAD}")
    return f"echo '{head}' > {place}" if isinstance(storage, LocalStorage) else ""


def commit_number(snapshot: Snapshot, at: int | str) -> int:
    """The number of a commit named by number, tag or time.

    Raises
    ------
    QueryError
        It names none.
    """
    if isinstance(at, bool) or not isinstance(at, int | str):
        raise QueryError(f"{at!r} found, expected a commit's number, a UTC time or a tag as text", "lake log")
    if isinstance(at, int) or re.fullmatch(r"-?\d+", at, re.ASCII):
        if not 0 <= int(at) <= snapshot.number:
            raise QueryError(f"no commit {at}; the newest is {snapshot.number}", "lake log")
        return int(at)
    if at in snapshot.tags:
        return snapshot.tags[at]
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        tags = ", ".join(sorted(snapshot.tags)) or "none"
        raise QueryError(f"{at!r} is no commit, time or tag; tags: {tags}", "lake log") from None
    text = utc_text(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    before = [c["number"] for c in snapshot.commits if c["time"] <= text]
    if not before:
        first = snapshot.commits[0]["time"] if snapshot.commits else "still to come"
        raise QueryError(f"no commit before {at}; the first is {first}", "lake log")
    return int(before[-1])


@dataclass(frozen=True)
class TableView:
    """A table of the lake; its repr reads no row."""

    lake: Lake
    declaration: Table

    def read(self, columns: Sequence[str] | None = None, where: Mapping[str, Any] | None = None) -> "Answer":
        """Its rows, as `Lake.table` gives them."""
        return self.lake.table(self.declaration.name, columns, where)

    @property
    def n_rows(self) -> int:
        """Rows at this commit, known from the log."""
        return sum(p.n_rows for p in self.lake.snapshot.pieces_of(self.declaration.name))

    def __repr__(self) -> str:
        names = ", ".join(f"{c.name} [{c.unit}]" if c.unit else c.name for c in self.declaration.columns)
        return f"<Table {self.declaration.name}  {_plural(self.n_rows, 'row')}: {names}; not loaded>"

    def _repr_html_(self) -> str:
        from lake.pages import table_view

        return table_view(self.lake, self.declaration)


def _plural(n: int, word: str) -> str:
    return f"{n:,} {word}{'' if n == 1 else 's'}"


def size_text(n_bytes: float) -> str:
    """A size in the largest unit that leaves a number above one."""
    for unit in ("B", "kB", "MB", "GB"):
        if n_bytes < 1000:
            return f"{n_bytes:.3g} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.3g} TB"
