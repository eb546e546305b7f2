"""The log: one numbered JSON a commit, and the state of the lake that they add up to.

Every entry carries a checksum of itself and the hash of the entry before it. Readers replay entries from the newest
checkpoint; a checkpoint is only ever a shortcut and may be deleted.
"""

import hashlib
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lake.bounds import Bounds
from lake.errors import CommitError, Forbidden, QueryError
from lake.layers import layered
from lake.schema import Array, Declaration, Table, declaration
from lake.storage import Storage

FORMAT = 1
CHECKPOINT_EVERY = 100
# A checkpoint lists every piece again, so it waits for as many commits as a twentieth of the pieces.
CHECKPOINT_SHARE = 20
# Below the root and without a step back, whoever wrote the log.
PIECE_PATH = re.compile(r"(tables|arrays)(/[A-Za-z0-9_][A-Za-z0-9_.-]*)+", re.ASCII)
FILE_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*", re.ASCII)
ENTRY = re.compile(r"\d{20}\.json")
CHECKPOINT = re.compile(r"\d{20}\.checkpoint\.parquet")
SORTED = json.JSONEncoder(sort_keys=True, ensure_ascii=False)
Json = dict[str, Any]


@dataclass(frozen=True)
class Piece:
    """One immutable file of a table, or one immutable Zarr segment of an array.

    Attributes
    ----------
    dataset, path : whose it is and where, from the root.
    sha256 : of the bytes (of a segment: of the list of its files and their hashes).
    n_bytes, n_rows : size and rows (frames).
    columns : column names and types of a table file; of a segment `yx`, the size of its frames.
    stats : least and greatest value and the number of nulls of each column that has an order.
    sources : SHA-256 of the inputs its rows are from.
    run : identity of the run that made it.
    files : hash and size of each file of a segment.
    """

    dataset: str
    path: str
    sha256: str
    n_bytes: int
    n_rows: int
    columns: Mapping[str, str] = field(default_factory=dict)
    stats: Mapping[str, list[Any]] = field(default_factory=dict)
    sources: tuple[str, ...] = ()
    run: str = ""
    partition: str = ""
    files: Mapping[str, list[Any]] = field(default_factory=dict)

    @property
    def is_segment(self) -> bool:
        """Whether it holds frames."""
        return bool(self.files)

    def to_json(self) -> Json:
        """The piece as the log keeps it; what is empty is left out."""
        words = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in words.items() if v or k in ("n_rows", "n_bytes")}

    @classmethod
    def from_json(cls, words: Mapping[str, Any]) -> "Piece":
        """The piece from the log.

        Raises
        ------
        Forbidden
            It would lie outside of the lake.
        """
        names = [words["path"], *words.get("files", ())]
        if not PIECE_PATH.fullmatch(names[0]) or not all(map(FILE_PATH.fullmatch, names[1:])):
            raise Forbidden(
                "the log", "piece-path", f"found {names[0][:200]!r}, expected a name below tables or arrays"
            )
        return cls(**{**words, "sources": tuple(words.get("sources", ()))})


@dataclass(frozen=True)
class Snapshot:
    """The lake at one commit. Snapshots are values: a later commit makes another."""

    number: int = -1
    time: str = ""
    digest: str = ""
    declarations: Mapping[str, Declaration] = field(default_factory=dict)
    pieces: Mapping[str, Piece] = field(default_factory=dict)
    ingested: Mapping[tuple[str, str], str] = field(default_factory=dict)
    sources: Mapping[str, Json] = field(default_factory=dict)
    runs: Mapping[str, Json] = field(default_factory=dict)
    tags: Mapping[str, int] = field(default_factory=dict)
    commits: tuple[Json, ...] = ()
    rejected: tuple[Json, ...] = ()
    deleted: Mapping[str, int] = field(default_factory=dict)
    oldest: int = 0
    by_dataset: Mapping[str, Mapping[str, Piece]] = field(default_factory=dict, compare=False, repr=False)
    _bounds: dict[str, Bounds] = field(default_factory=dict, init=False, compare=False, repr=False)

    @property
    def tables(self) -> dict[str, Table]:
        """Every table by name, those of the arrays included."""
        found: dict[str, Table] = {}
        for name, words in self.declarations.items():
            if isinstance(words, Array):
                found[words.frames.name] = words.frames
                found[words.tiles.name] = words.tiles
            else:
                found[name] = words
        return dict(sorted(found.items()))

    @property
    def arrays(self) -> dict[str, Array]:
        """Every array by name."""
        return {name: words for name, words in sorted(self.declarations.items()) if isinstance(words, Array)}

    def pieces_of(self, dataset: str) -> Sequence[Piece]:
        """The pieces of a dataset, by path."""
        return self.bounds_of(dataset).pieces

    def bounds_of(self, dataset: str) -> Bounds:
        """The bounds of the pieces of a dataset, laid out once."""
        if dataset not in self._bounds:
            pieces = dict(self.by_dataset.get(dataset, {}))
            self._bounds[dataset] = Bounds([pieces[path] for path in sorted(pieces)])
        return self._bounds[dataset]

    def advanced(self, entry: Json, digest: str) -> "Snapshot":
        """The lake after one more commit."""
        declared = {d["name"]: declaration(d) for d in entry.get("declare", ())}
        gone = [p for path in entry.get("remove", ()) if (p := self.pieces.get(path))]
        added = [Piece.from_json(words) for words in entry.get("add", ())]
        run = entry.get("run")
        ingested = dict.fromkeys(((d, s) for d, s in entry.get("ingest", ())), run["id"] if run else "")
        commit: Json = {
            **{k: entry.get(k) for k in ("number", "time", "reason")},
            "run": run["id"] if run else None,
            "n_added": len(entry.get("add", ())),
            "n_removed": len(entry.get("remove", ())),
            "n_rows": sum(p["n_rows"] for p in entry.get("add", ())),
            "digest": digest,
        }
        n: int = entry["number"]
        paths: list[str] = entry.get("delete", [])
        given_up = dict.fromkeys(paths, n)
        return Snapshot(
            number=n,
            time=entry["time"],
            digest=digest,
            declarations={**self.declarations, **declared} if declared else self.declarations,
            pieces=layered(self.pieces, {p.path: p for p in added}, {p.path for p in gone}),
            ingested=layered(self.ingested, ingested, {(d, s) for d, s in entry.get("forget", ())}),
            sources=layered(self.sources, {s["sha256"]: {"commit": n, **s} for s in entry.get("sources", ())}),
            runs=layered(self.runs, {run["id"]: {"commit": n, **run}} if run else {}),
            tags={**self.tags, **entry["tags"]} if entry.get("tags") else self.tags,
            commits=(*self.commits, commit),
            rejected=(*self.rejected, *({"commit": n, **r} for r in entry.get("reject", ()))),
            deleted=layered(self.deleted, given_up),
            oldest=max(self.oldest, entry.get("oldest", 0)),
            by_dataset=_sorted_out(self.by_dataset, gone, added),
        )


def _sorted_out(
    before: Mapping[str, Mapping[str, Piece]], gone: Iterable[Piece], added: Iterable[Piece]
) -> Mapping[str, Mapping[str, Piece]]:
    """Pieces by dataset, after some went and some came; what no dataset of theirs holds is shared, not copied."""
    after = dict(before)
    for name in {p.dataset for p in (*gone, *added)}:
        came = {p.path: p for p in added if p.dataset == name}
        after[name] = layered(before.get(name, {}), came, {p.path for p in gone if p.dataset == name})
    return {name: pieces for name, pieces in after.items() if pieces}


def entry_name(number: int) -> str:
    """Where a commit is written."""
    return f"log/{number:020d}.json"


def encode(entry: Json) -> bytes:
    """The bytes of an entry: canonical JSON that ends in a checksum of all before it."""
    body = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    check = hashlib.sha256(body.encode()).hexdigest()
    return f'{body[:-1]},"~check":"{check}"}}\n'.encode()


def decode(content: bytes, name: str) -> Json:
    """The entry in these bytes.

    Raises
    ------
    CommitError
        They are damaged, or of a format this version does not know.
    """
    found = re.fullmatch(rb'(\{.*),"~check":"([0-9a-f]{64})"\}\n', content, re.DOTALL)
    if not found or hashlib.sha256(found[1] + b"}").hexdigest().encode() != found[2]:
        raise CommitError(f"{name}: damaged, its checksum does not match its {len(content)} bytes", "lake verify")
    entry: Json = json.loads(found[1] + b"}")
    if entry.get("format", 0) > FORMAT:
        raise CommitError(
            f"{name}: format {entry['format']}, this version reads up to {FORMAT}; install a newer lightlake"
        )
    return entry


def digest(content: bytes) -> str:
    """The hash by which the next entry names this one."""
    return hashlib.sha256(content).hexdigest()


def utc_text(moment: datetime) -> str:
    """An instant as the log writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def next_time(previous: str, now: datetime) -> str:
    """The time of the next commit: now, or a microsecond after the last one where the clock went back."""
    if previous:
        now = max(now, datetime.fromisoformat(previous) + timedelta(microseconds=1))
    return utc_text(now)


def entries(storage: Storage, first: int, last: int) -> Iterator[Json]:
    """The entries from one commit to another, both included."""
    for number in range(first, last + 1):
        name = entry_name(number)
        yield decode(storage.read(name), name)


def replay(storage: Storage, snapshot: Snapshot, until: int | None = None) -> Snapshot:
    """The snapshot brought forward to the newest commit, or to the one asked for."""
    while until is None or snapshot.number < until:
        name = entry_name(snapshot.number + 1)
        try:
            content = storage.read(name)
        except FileNotFoundError:
            break
        entry = decode(content, name)
        if entry.get("parent", "") != snapshot.digest:
            raise CommitError(f"{name}: does not follow the entry before it; the log was changed", "lake verify")
        snapshot = snapshot.advanced(entry, digest(content))
    return snapshot


def load(storage: Storage, until: int | None = None) -> Snapshot:
    """The snapshot at a commit (the newest), from the best checkpoint before it.

    Raises
    ------
    QueryError
        There is no commit of that number.
    """
    names = storage.list("log")
    marked = [name for name in reversed(names) if name.endswith(".parquet")]
    numbers = [int(name[:20]) for name in marked if CHECKPOINT.fullmatch(name)]
    start = next((s for n in numbers if (until is None or n <= until) and (s := checkpoint_of(storage, n))), Snapshot())
    snapshot = replay(storage, start, until)
    newest = next((int(name[:20]) for name in reversed(names) if ENTRY.fullmatch(name)), -1)
    if newest > snapshot.number and (until is None or snapshot.number < until <= newest):
        raise CommitError(f"{entry_name(snapshot.number + 1)}: missing, though later commits are there", "lake verify")
    if until is not None and snapshot.number != until:
        raise QueryError(f"no commit {until}; the newest is {snapshot.number}", "lake log")
    return snapshot


def checkpoint_name(number: int) -> str:
    """Where the state at a commit is written."""
    return f"log/{number:020d}.checkpoint.parquet"


def is_checkpoint_due(snapshot: Snapshot) -> bool:
    """Whether the state at a commit is worth writing: every hundred commits, more rarely in a large lake."""
    doublings = (len(snapshot.pieces) // (CHECKPOINT_SHARE * CHECKPOINT_EVERY)).bit_length()
    every = CHECKPOINT_EVERY << max(doublings - 1, 0)
    return snapshot.number > 0 and snapshot.number % every == 0


def write_checkpoint(storage: Storage, snapshot: Snapshot) -> None:
    """Write the state at a commit; whoever comes second finds it there and leaves it."""
    kinds, bodies = zip(*_rows(snapshot), strict=True)
    table = pa.table({"kind": [*kinds, "seal"], "body": [*bodies, _seal(kinds, bodies)]})
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd", compression_level=1)
    storage.create(checkpoint_name(snapshot.number), buffer.getvalue())


def _seal(kinds: Sequence[str], bodies: Sequence[str]) -> str:
    """The hash of all rows of a checkpoint, what each is included."""
    lines = (f"{kind} {body}" for kind, body in zip(kinds, bodies, strict=True))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _rows(snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    """The state as (kind, JSON) rows."""

    def rows(kind: str, values: Iterable[Any]) -> Iterator[tuple[str, str]]:
        return ((kind, SORTED.encode(v)) for v in values)

    head = {"number": snapshot.number, "time": snapshot.time, "digest": snapshot.digest, "oldest": snapshot.oldest}
    yield from rows("head", [head])
    yield from rows("declaration", (d.to_json() for d in snapshot.declarations.values()))
    yield from rows("piece", (p.to_json() for p in snapshot.pieces.values()))
    yield from rows("ingested", ([*k, v] for k, v in snapshot.ingested.items()))
    yield from rows("source", snapshot.sources.values())
    yield from rows("run", snapshot.runs.values())
    yield from rows("tag", snapshot.tags.items())
    yield from rows("commit", snapshot.commits)
    yield from rows("rejected", snapshot.rejected)
    yield from rows("deleted", snapshot.deleted.items())


def checkpoint_of(storage: Storage, number: int) -> Snapshot | None:
    """The state a checkpoint holds; None where it is damaged, for the log itself has it all."""
    try:
        table = pq.read_table(io.BytesIO(storage.read(checkpoint_name(number))))
        kinds, bodies = table["kind"].to_pylist(), table["body"].to_pylist()
        if _seal(kinds[:-1], bodies[:-1]) != bodies[-1]:
            return None
    except (OSError, ValueError, LookupError, TypeError, pa.ArrowException):
        return None
    texts: dict[str, list[str]] = {}
    for kind, body in zip(kinds[:-1], bodies[:-1], strict=True):
        texts.setdefault(kind, []).append(body)
    # One long text is parsed in half the time of many short ones.
    found: dict[str, list[Any]] = {kind: json.loads(f"[{','.join(each)}]") for kind, each in texts.items()}
    pieces = [Piece.from_json(p) for p in found.get("piece", ())]
    return Snapshot(
        **found["head"][0],
        declarations={d["name"]: declaration(d) for d in found.get("declaration", ())},
        pieces={p.path: p for p in pieces},
        by_dataset=_sorted_out({}, (), pieces),
        ingested={(d, s): r for d, s, r in found.get("ingested", ())},
        sources={s["sha256"]: s for s in found.get("source", ())},
        runs={r["id"]: r for r in found.get("run", ())},
        tags=dict(found.get("tag", ())),
        commits=tuple(found.get("commit", ())),
        rejected=tuple(found.get("rejected", ())),
        deleted=dict(found.get("deleted", ())),
    )
