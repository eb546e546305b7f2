"""One commit in the making: what it adds and takes away, planned against a snapshot and published as one log entry.

The operations are kept, not their effect. Where another writer takes the number first, they are planned again on top of
what it added, so that a source is never in twice and a key never names two rows.
"""

import logging
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from numpy.typing import NDArray

from lake.errors import CommitError, ConflictError, QueryError
from lake.log import FORMAT, Json, Piece, Snapshot, digest, encode, entry_name, is_checkpoint_due, next_time, replay
from lake.log import write_checkpoint as checkpoint
from lake.names import unknown
from lake.plan import Delete, Plan, Replace
from lake.redaction import recorded
from lake.schema import Array, Declaration, Table, Taken
from lake.source import Source
from lake.staging import Staged, source_record, stage_frames, stage_rows
from lake.storage import Storage
from lake.where import conditions

ATTEMPTS = 1000
log = logging.getLogger(__name__)


class Transaction:
    """A commit in the making; leaving the `with` block publishes it, an exception drops it.

    Attributes
    ----------
    snapshot : the lake it was begun on; after the block, the lake with it.
    new, known : names of the inputs that were added, and of those that were in already.
    skipped : (name, reason) of the inputs that were left out.
    """

    def __init__(self, storage: Storage, snapshot: Snapshot, reason: str, run: Json | None = None) -> None:
        self.storage = storage
        self.snapshot = snapshot
        self.reason = reason
        self.run = run
        self.new: list[str] = []
        self.known: list[str] = []
        self.skipped: list[tuple[str, str]] = []
        self._base = snapshot.number
        self._staged: list[Staged] = []
        self._changes: list[Delete | Replace] = []
        self._rejects: list[Json] = []
        self._declared: list[Declaration] = []
        self._extra: Json = {}
        self._only_on: int | None = None

    def __enter__(self) -> "Transaction":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._commit()

    @property
    def run_id(self) -> str:
        """Identity of the run that this commit belongs to."""
        return str(self.run["id"]) if self.run else ""

    def declare(self, declaration: Declaration) -> None:
        """Make a dataset known, or evolve it, without rows."""
        self._declared.append(declaration)

    def append(
        self,
        table: Table,
        rows: Taken | pa.Table | Mapping[str, Any],
        *,
        source: Source | Mapping[str, Any] | None = None,
        supersede: bool = False,
    ) -> None:
        """Add rows; a source that the table has already is left as it is, or replaced where `supersede`.

        Superseding also takes out other sources that hold one of the new keys: a re-processed file replaces the first.
        """
        record = source_record(source if source is not None else getattr(rows, "source", None))
        if not supersede and self._is_known(table.name, record):
            self._note_known(record)
            return
        self.add(stage_rows(self.storage, table, rows, source=record, supersede=supersede, **self._staging()))

    def append_frames(
        self,
        array: Array,
        pixels: NDArray[Any] | None,
        frames: pa.Table | Mapping[str, Any],
        *,
        source: Source | Mapping[str, Any] | None = None,
        supersede: bool = False,
    ) -> None:
        """Add frames, as `append` does rows; without pixels they are recorded as missing."""
        record = source_record(source)
        if not supersede and self._is_known(array.name, record):
            self._note_known(record)
            return
        staging = self._staging()
        self.add(stage_frames(self.storage, array, pixels, frames, source=record, supersede=supersede, **staging))

    def _staging(self) -> dict[str, Any]:
        return {"run": self.run_id, "given_up": self.snapshot.deleted, "staged_on": self.snapshot.number}

    def add(self, staged: Staged) -> None:
        """Add what a worker staged."""
        self._staged.append(staged)

    def delete(
        self, dataset: str, *, sources: Iterable[str] | None = None, where: Mapping[str, Any] | None = None
    ) -> None:
        """Take rows away: those of some inputs, or those whose columns are as `where` wants them, as in `Lake.table`.

        Parameters
        ----------
        where : for each column a value, a list or set of values, or a pair, the span [low, high).

        Raises
        ------
        QueryError
            Neither is given, which would mean all rows; or the dataset or a column is not there, or a value is not
            of its type.
        """
        if sources is None and not where:
            raise QueryError(f"{dataset}: delete what? name sources or values; found neither", f"lake show {dataset}")
        known = {d.name: d for d in (*self._declared, *(s.declaration for s in self._staged))}
        known = {**self.snapshot.declarations, **known}
        if dataset not in known:
            raise unknown(f"no dataset {dataset}", dataset, known, "lake show {}", otherwise="lake ls")
        declared = known[dataset]
        wanted = conditions(declared if isinstance(declared, Table) else declared.frames, where or {})
        self._changes.append(Delete(dataset, None if sources is None else tuple(sources), wanted))

    def replace(self, removed: Iterable[str], added: Iterable[Piece]) -> None:
        """Put pieces in the place of others that hold the same rows."""
        self._changes.append(Replace(tuple(removed), tuple(added)))

    def reject(
        self, uri: str, reason: str, *, dataset: str = "", sha256: str = "", count: int | None = 1, place: str = ""
    ) -> None:
        """Record some rows of an input, or all of it where `count` is None, as left out, and why.

        Parameters
        ----------
        dataset : what they would have been rows of; several with commas between.
        place : where in the input they were, empty for all of it.
        """
        uri, reason = recorded(uri), recorded(reason)
        words = {"uri": uri, "reason": reason, "dataset": dataset, "sha256": sha256, "n_rows": count, "place": place}
        self._rejects.append(words)

    def skip(self, uri: str, reason: str, *, dataset: str = "", sha256: str = "") -> None:
        """Leave a whole input out, and record why; how many rows it would have given is not known."""
        self.skipped.append((recorded(uri), recorded(reason)))
        self.reject(uri, reason, dataset=dataset, sha256=sha256, count=None)

    def tag(self, name: str, number: int) -> None:
        """Give a commit a name."""
        self._extra.setdefault("tags", {})[name] = number

    def give_up(self, paths: Iterable[str], oldest: int, on: int) -> None:
        """Record that files are deleted and that commits before `oldest` are no longer kept.

        Holds only on commit `on`, for which it was worked out: after any other, somebody may need those files.
        """
        self._extra |= {"delete": sorted(paths), "oldest": oldest}
        self._only_on = on

    def _is_known(self, dataset: str, record: Json) -> bool:
        return bool(record) and (dataset, record["sha256"]) in self.snapshot.ingested

    def _note_known(self, record: Json) -> None:
        if record["uri"] not in self.known:
            self.known.append(record["uri"])

    def _commit(self) -> None:
        base = self.snapshot
        for _ in range(ATTEMPTS):
            base = replay(self.storage, base)
            if base.number >= 0:
                # Nothing is put on top of a commit, nor told to be in already, that a power cut may still take.
                self.storage.secure(entry_name(base.number))
            if self._only_on not in (None, base.number):
                raise ConflictError(f"{self.reason}: commit {base.number} came first; nothing was written, run again")
            plan = Plan(self.storage, base, self._base, self.run_id)
            entry = plan.entry(self._staged, self._changes, self._declared, self._rejects, self._extra)
            if not entry:
                self._settle(plan, base)
                return
            entry |= {
                "format": FORMAT,
                "number": base.number + 1,
                "parent": base.digest,
                "time": next_time(base.time, datetime.now(UTC)),
                "reason": self.reason,
            }
            if self.run:
                entry["run"] = {**self.run, "ended": entry["time"]}
            content = encode(entry)
            if self.storage.create(entry_name(base.number + 1), content):
                self._settle(plan, base.advanced(entry, digest(content)))
                self._shorten_the_way()
                return
        raise ConflictError(f"{self.reason}: {ATTEMPTS} other commits came first; nothing was written, run again")

    def _shorten_the_way(self) -> None:
        """Write a checkpoint where one is due; the commit stands whether or not that works."""
        if is_checkpoint_due(self.snapshot):
            try:
                checkpoint(self.storage, self.snapshot)
            except (CommitError, OSError) as error:
                log.warning("no checkpoint at commit %d: %s", self.snapshot.number, error)

    def _settle(self, plan: Plan, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.new += [uri for uri in plan.new if uri not in self.new]
        self.skipped += plan.skipped
        for record in plan.known:
            self._note_known(record)
        self.known = [uri for uri in self.known if uri not in self.new]
