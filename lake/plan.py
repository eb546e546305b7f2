"""What a transaction changes, worked out on top of one snapshot: a source never in twice, a key never for two rows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from lake.errors import CommitError, ConflictError, SchemaError
from lake.keys import clashes, without
from lake.layers import overlaid
from lake.log import Json, Piece, Snapshot
from lake.pieces import read_rows, write_rows
from lake.schema import Array, Declaration, Table
from lake.staging import Staged
from lake.storage import Storage


@dataclass(frozen=True)
class Delete:
    """Rows to take away: those of some inputs, or those with some values."""

    dataset: str
    sources: tuple[str, ...] | None = None
    where: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Replace:
    """Pieces to put in the place of others, with the same rows."""

    removed: tuple[str, ...]
    added: tuple[Piece, ...]


class Plan:
    """What a transaction changes, on top of one snapshot."""

    def __init__(self, storage: Storage, snapshot: Snapshot, staged_on: int, run: str) -> None:
        self.storage = storage
        self.snapshot = snapshot
        self.staged_on = staged_on
        self.run = run
        self.added: dict[str, Piece] = {}
        self.removed: set[str] = set()
        self.declared: dict[str, Declaration] = {}
        self.ingest: list[tuple[str, str]] = []
        self.forget: list[tuple[str, str]] = []
        self.sources: dict[str, Json] = {}
        self.rejects: list[Json] = []
        self.new: list[str] = []
        self.known: list[Json] = []
        self.skipped: list[tuple[str, str]] = []

    def entry(
        self,
        staged: list[Staged],
        changes: list[Delete | Replace],
        declared: list[Declaration],
        rejects: list[Json],
        extra: Json,
    ) -> Json:
        """The words of the log entry; none where nothing would change."""
        for words in (*declared, *(s.declaration for s in staged)):
            self._declare(words)
        for change in changes:
            self._delete(change) if isinstance(change, Delete) else self._replace(change)
        for source in _by_source(staged):
            self._append(source)
        self.check_tags(extra.get("tags", {}))
        every = self._unheard_of([*rejects, *self.rejects])
        entry = {
            "declare": [d.to_json() for d in self.declared.values()],
            "add": [p.to_json() for p in self.added.values()],
            "remove": sorted(self.removed),
            "ingest": self.ingest,
            "forget": self.forget,
            "sources": [s for s in self.sources.values() if s["sha256"] not in self.snapshot.sources],
            "reject": every,
            **extra,
        }
        return {k: v for k, v in entry.items() if v}

    def _unheard_of(self, rejects: list[Json]) -> list[Json]:
        """Those of these rejects that no commit has recorded: the same broken file is told once."""
        if not rejects:
            return []
        words = ("uri", "reason", "dataset", "sha256", "place")
        heard = {tuple(r[w] for w in words) for r in self.snapshot.rejected}
        return [r for r in rejects if tuple(r[w] for w in words) not in heard]

    def _declare(self, words: Declaration) -> None:
        old = self.declared.get(words.name) or self.snapshot.declarations.get(words.name)
        if old == words:
            return
        if old is not None and type(old) is not type(words):
            raise SchemaError(f"{words.name}: is an {type(old).__name__}, cannot become a {type(words).__name__}")
        new = words if old is None else old.evolved(words)  # type: ignore[arg-type]
        if old is None or old.to_json() != new.to_json():
            # What cannot be built must fail here, not in everyone's lake after the commit.
            for part in [new] if isinstance(new, Table) else [new.frames, new.tiles]:
                part.arrow  # noqa: B018
            self.declared[words.name] = new

    def live(self, dataset: str) -> Mapping[str, Piece]:
        """The pieces of a dataset by path, as the plan leaves them so far."""
        added = {path: piece for path, piece in self.added.items() if piece.dataset == dataset}
        return overlaid(self.snapshot.by_dataset.get(dataset, {}), added, self.removed)

    def _append(self, group: list[Staged]) -> None:
        """All that one input gives, in or out together."""
        record = group[0].source
        sha256 = record.get("sha256", "")
        fresh = [s for s in group if s.supersede or not sha256 or not self._is_in(s.source_key)]
        if not fresh:
            self.known.append(record)
            return
        for staged in fresh:
            self._check_kept([p.path for p in staged.pieces], staged.staged_on)
        before = self._contents()
        if found := self._put_in(fresh, sha256):
            self.added, self.removed, self.ingest, self.forget = before
            self._leave_out(record, *found)
            return
        for staged in fresh:
            for r in staged.rejected:
                self._reject(record, staged.declaration.name, r.reason, r.n_rows, f"row {r.first_row}")
        if sha256:
            self.sources[sha256] = record
            self.ingest += [s.source_key for s in fresh]
            self.new.append(record["uri"])

    def _contents(self) -> tuple[dict[str, Piece], set[str], list[tuple[str, str]], list[tuple[str, str]]]:
        return dict(self.added), set(self.removed), list(self.ingest), list(self.forget)

    def _put_in(self, group: list[Staged], sha256: str) -> tuple[str, str] | None:
        """Add what an input gives, in place of what it supersedes; else the table it does not fit into, and why."""
        for staged in group:
            if staged.supersede and sha256:
                self._delete(Delete(staged.declaration.name, (sha256,)))
        for staged in group:
            if odd := self._odd_shape(staged):
                return staged.declaration.name, odd
            while found := self._clashing(staged):
                table, source, example = found
                if not (staged.supersede and source) or source == sha256:
                    return table, f"{example} is there already, from {'this' if source == sha256 else 'another'} file"
                for name in {s.declaration.name for s in group}:
                    self._delete(Delete(name, (source,)))
            self.added.update((p.path, p) for p in staged.pieces)
        return None

    def _check_kept(self, paths: list[str], staged_on: int) -> None:
        """That no garbage collection took files that were staged on an older commit.

        Raises
        ------
        ConflictError
            One did; they have to be staged again.
        """
        for path in paths:
            if self.snapshot.deleted.get(path, -1) > staged_on:
                raise ConflictError(f"{path}: a garbage collection took it away; nothing was written, run again")

    def _is_in(self, key: tuple[str, str]) -> bool:
        """Whether an input is in a dataset, as the plan leaves it so far."""
        return key in self.ingest or (key in self.snapshot.ingested and key not in self.forget)

    def _clashing(self, staged: Staged) -> tuple[str, str, str] | None:
        """A key of the new rows that the lake has already: its table, the input that brought it, and the key."""
        table = staged.declaration if isinstance(staged.declaration, Table) else staged.declaration.frames
        own = [p for p in staged.pieces if p.dataset == table.name]
        found = clashes(self.storage, table.key, own, self.live(table.name))
        return (table.name, *found) if found else None

    def _odd_shape(self, staged: Staged) -> str:
        """How new frames differ in shape from those of the array; empty where they don't."""
        for piece in (p for p in staged.pieces if p.is_segment):
            # All segments of an array are alike, so the first one speaks for them.
            first = next(iter(self.live(piece.dataset).values()), piece)
            if first.columns["yx"] != piece.columns["yx"]:
                return f"frames are {piece.columns['yx']} pixels, the array has {first.columns['yx']}"
        return ""

    def _leave_out(self, record: Json, table: str, why: str) -> None:
        if not record:
            raise ConflictError(f"{table}: {why}; nothing was written")
        self.skipped.append((record["uri"], f"{table}: {why}"))
        self._reject(record, table, f"{table}: {why}", None, "")

    def _reject(self, record: Json, dataset: str, reason: str, count: int | None, place: str) -> None:
        words = {"uri": record.get("uri", ""), "sha256": record.get("sha256", ""), "dataset": dataset}
        self.rejects.append({**words, "reason": reason, "n_rows": count, "place": place})

    def _delete(self, change: Delete) -> None:
        declared = self.declared.get(change.dataset) or self.snapshot.declarations.get(change.dataset)
        if declared is None:
            return
        table = declared if isinstance(declared, Table) else declared.frames
        for name in change.where:
            table.column(name)
        gone = self._cut(table, change.sources, change.where)
        if isinstance(declared, Array):
            # Tiles go with their frames, whatever column those were named by.
            self._cut(declared.tiles, change.sources, {}, gone.select(list(declared.frame_dims)) if gone else None)
            self._drop_unused_segments(declared)
        for key in ((change.dataset, source) for source in change.sources or ()):
            if key in self.ingest:
                self.ingest.remove(key)
            elif key in self.snapshot.ingested and key not in self.forget:
                self.forget.append(key)

    def _cut(
        self, table: Table, sources: tuple[str, ...] | None, where: Mapping[str, Any], keys: pa.Table | None = None
    ) -> pa.Table | None:
        """Take rows of some inputs, with some values or keys, out of a table; the keys of those that went."""
        cuts = []
        for piece in list(self.live(table.name).values()):
            try:
                cut = without(self.storage, table, piece, sources, where, keys)
            except CommitError:
                # Of a file that can't be read nothing is lost when all that it was made of is to go.
                if not piece.sources or not set(piece.sources) <= set(sources or ()):
                    raise
                self._take_out(piece)
                continue
            if cut:
                rows, gone = cut
                self._take_out(piece)
                pieces = write_rows(self.storage, table, rows, run=self.run, taken_names=self.snapshot.deleted)
                self.added.update((p.path, p) for p in pieces)
                cuts.append(gone)
        return pa.concat_tables(cuts) if cuts else None

    def _drop_unused_segments(self, array: Array) -> None:
        """Take out segments that no frame names any more."""
        frames = [read_rows(self.storage, p, ["segment"]) for p in self.live(array.frames.name).values()]
        used = {path for rows in frames for path in rows["segment"].to_pylist()}
        for piece in list(self.live(array.name).values()):
            if piece.path not in used:
                self._take_out(piece)

    def _take_out(self, piece: Piece) -> None:
        if self.added.pop(piece.path, None) is None:
            self.removed.add(piece.path)

    def _replace(self, change: Replace) -> None:
        gone = [path for path in change.removed if path not in self.snapshot.pieces]
        if gone:
            raise ConflictError(f"{gone[0]}: another commit took it away; nothing was written, run again")
        self._check_kept([p.path for p in change.added], self.staged_on)
        self.removed.update(change.removed)
        self.added.update((p.path, p) for p in change.added)

    def check_tags(self, tags: Mapping[str, int]) -> None:
        """That a tag is new and names a commit that is kept.

        Raises
        ------
        ConflictError
            Another writer took the name, or gave the commit up, in the meantime.
        """
        for name, number in tags.items():
            if name in self.snapshot.tags:
                raise ConflictError(f"tag {name} is commit {self.snapshot.tags[name]} already; nothing was written")
            if number < self.snapshot.oldest and number not in self.snapshot.tags.values():
                raise ConflictError(f"commit {number} was given up meanwhile; nothing was written")


def _by_source(staged: list[Staged]) -> list[list[Staged]]:
    """What was staged, grouped by input in the order it came; what has no input is a group of its own."""
    groups: dict[str, list[Staged]] = {}
    for place, one in enumerate(staged):
        groups.setdefault(one.source.get("sha256") or f"#{place}", []).append(one)
    return list(groups.values())
