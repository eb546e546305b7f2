"""Files into the lake: read, fitted and staged by workers, committed by the driver, each file whole or not at all."""

import contextlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lake.blocks import THREADS, Outcome, Progress, map_items
from lake.errors import LakeError, SchemaError, SourceError
from lake.log import Json, Snapshot
from lake.readers import read
from lake.readers.child import children
from lake.readers.guards import sha256_of
from lake.redaction import recorded
from lake.schema import Array, Declaration, Table, Taken
from lake.source import Source
from lake.staging import Staged, source_record, stage_frames, stage_rows
from lake.storage import Storage

if TYPE_CHECKING:
    from lake.store import Lake

log = logging.getLogger(__name__)

BATCH_BYTES = 256 << 20
BATCH_FILES = 64


@dataclass(frozen=True)
class Frames:
    """Images of one file and the rows that describe them."""

    pixels: Any
    rows: dict[str, Any]


Rows = Sequence[tuple[Declaration, Taken | Frames]]
RowsOf = Callable[[Source], Rows]
"""What one file gives: rows or frames for each dataset. Pure; raises where the file is not for this pipeline."""


@dataclass(frozen=True)
class Intake:
    """What became of one file: staged, known already, or left out for a reason."""

    uri: str
    source: Json = field(default_factory=dict)
    staged: tuple[Staged, ...] = ()
    is_known: bool = False
    reason: str = ""
    problems: tuple[Json, ...] = ()


def batches(paths: Sequence[str]) -> list[list[str]]:
    """Files in groups worth a task: at most so many, and at most so many bytes where there is more than one."""
    found: list[list[str]] = []
    size = 0
    for path in dict.fromkeys(paths):
        own = Path(path).stat().st_size if Path(path).is_file() else 0
        if not found or len(found[-1]) >= BATCH_FILES or size + own > BATCH_BYTES:
            found.append([])
            size = 0
        found[-1].append(path)
        size += own
    return found


def told(done: int, total: int) -> None:
    """Progress as a log line, which whoever draws a bar listens to."""
    log.info("files=%d of=%d", done, total, extra={"done": done, "total": total})


def take_in(
    lake: "Lake",
    paths: Sequence[str],
    datasets: Sequence[Declaration],
    rows_of: RowsOf,
    *,
    kinds: Sequence[Sequence[Declaration]] = (),
    run: str = "",
    scheduler: str = THREADS,
    workers: int = 0,
    strict: bool = False,
    before: int = 0,
    total: int = 0,
    progress: Progress = told,
) -> list[Intake]:
    """Read files and stage what they give; nothing is committed.

    Decoders written in C run in child processes (`lake.readers`), one a thread, which end with this call; those of
    a cluster's workers end with the workers.

    Parameters
    ----------
    datasets : what a file fills; one that all of them have is known and not read again.
    kinds : the same for files of other kinds, where a pipeline takes several; each kind has datasets of its own.
    rows_of : what one file gives; it runs where the scheduler runs it.
    strict : raise what the first bad file raises, instead of leaving it out.
    before, total : files of the run that other batches took in already, and files of the run; 0 for these alone.
    progress : called after each file with those done and all of the run.
    """
    n_all = total or len(paths)
    known = known_inputs(lake.snapshot, [[d.name for d in kind] for kind in (datasets, *kinds)])
    try:
        outcomes = map_items(
            stage_file, paths, scheduler=scheduler, workers=workers, strict=strict,
            progress=lambda done, _: progress(before + done, n_all),
            storage=lake.storage, known=known, rows_of=rows_of,
            words={"run": run, "given_up": dict(lake.snapshot.deleted), "staged_on": lake.number},
        )  # fmt: skip
    finally:
        children().close()
    names = ", ".join(declaration.name for declaration in datasets)
    return [o.value if o.value is not None else _left_out(o, names) for o in outcomes]


def known_inputs(snapshot: Snapshot, kinds: Sequence[Sequence[str]]) -> frozenset[str]:
    """SHA-256 of the files that all datasets of one kind have."""
    held: dict[str, set[str]] = {}
    for dataset, sha256 in snapshot.ingested:
        held.setdefault(dataset, set()).add(sha256)
    return frozenset().union(*(set.intersection(*(held.get(name, set()) for name in kind)) for kind in kinds if kind))


def stage_file(path: str, *, storage: Storage, known: frozenset[str], rows_of: RowsOf, words: dict[str, Any]) -> Intake:
    """One file, read and staged with these words; left alone where its bytes are known."""
    local, uri = Path(path), recorded(path)
    if known and local.is_file():
        with local.open("rb") as raw:
            sha256 = sha256_of(raw)
        if sha256 in known:
            return Intake(uri, {"uri": uri, "sha256": sha256}, is_known=True)
    source = replace(read(path, apart=True), uri=uri)
    record = source_record(source)
    staged = []
    for declaration, rows in rows_of(source):
        if isinstance(rows, Frames):
            assert isinstance(declaration, Array)
            staged.append(stage_frames(storage, declaration, rows.pixels, rows.rows, source=record, **words))
        else:
            assert isinstance(declaration, Table)
            staged.append(stage_rows(storage, declaration, rows, source=record, **words))
    if not staged:
        raise SchemaError(f"{local.name}: gives no dataset any rows")
    last = staged[-1]
    n_rows = sum(p.n_rows for p in last.pieces if not p.is_segment)
    unit = last.declaration.name.partition(".")[2]
    log.info("source=%s %s=%d", Path(uri).name, unit, n_rows, extra={"amount": n_rows, "unit": unit})
    problems = tuple({"place": p.place, "reason": p.reason, "count": p.count} for p in source.problems)
    return Intake(uri, record, tuple(staged), problems=problems)


def commit(lake: "Lake", intakes: Sequence[Intake], run: Json) -> Json:
    """Commit what was staged and record what was left out: the summary that a flow returns.

    Returns
    -------
    `commit`, the number of files `read`, `new` and `known`, those `skipped` with their reasons, and of the others the
    `rejected_rows` and the `damaged_parts` that were left out.
    """
    with lake.transaction(run["pipeline"], run=run) as tx:
        for intake in intakes:
            for staged in intake.staged:
                tx.add(staged)
            if intake.reason:
                tx.skip(intake.uri, intake.reason, **intake.source)
            for problem in intake.problems:
                words = {k: problem[k] for k in ("place", "count")}
                tx.reject(intake.uri, problem["reason"], sha256=intake.source["sha256"], **words)
    known = {i.uri for i in intakes if i.is_known} | set(tx.known)
    return {
        "commit": lake.number,
        "read": len(intakes),
        "new": len(tx.new),
        "known": len(known),
        "skipped": [{"source": uri, "reason": reason} for uri, reason in tx.skipped],
        "rejected_rows": sum(r.n_rows for i in intakes for s in i.staged for r in s.rejected),
        "damaged_parts": sum(p["count"] for i in intakes for p in i.problems),
    }


def summed(parts: Sequence[Json], lake: "Lake", seconds: float) -> Json:
    """The summary of a run that was committed in parts."""
    return {
        "commit": lake.number,
        **{name: sum(p[name] for p in parts) for name in ("read", "new", "known", "rejected_rows", "damaged_parts")},
        "skipped": [s for p in parts for s in p["skipped"]],
        "seconds": round(seconds, 3),
    }


def _left_out(outcome: Outcome[str, Intake], datasets: str) -> Intake:
    """A file that gave these datasets no rows, and why; known by its hash where its bytes can be read."""
    path, sha256 = Path(outcome.item), ""
    with contextlib.suppress(OSError):
        if path.is_file():
            with path.open("rb") as raw:
                sha256 = sha256_of(raw)
    reason = recorded(reason_of(outcome.error, path.name))
    return Intake(recorded(outcome.item), {"sha256": sha256, "dataset": datasets}, reason=reason)


def reason_of(error: Exception | None, name: str) -> str:
    """Why a file of this name was left out, in one line that does not name it, and what to do where that is known."""
    text = str(error) if isinstance(error, LakeError) else f"{type(error).__name__}: {error}"
    hint = f"; {error.hint}" if isinstance(error, SourceError) and error.hint else ""
    return " ".join(text.split()).removeprefix(f"{name}: ") + hint
