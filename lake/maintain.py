"""Housekeeping: small files into large ones, and what no commit needs off the disk."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from lake.errors import ConflictError
from lake.keys import merged
from lake.log import Json, Piece, Snapshot, entries, load, utc_text
from lake.pieces import check_bytes, read_rows, write_rows
from lake.storage import Storage

if TYPE_CHECKING:
    from lake.store import Lake

TARGET_ROWS = 2_000_000
DAY_S = 86_400.0
ATTEMPTS = 20


def compact(
    lake: "Lake",
    dataset: str | None = None,
    *,
    target_rows: int = TARGET_ROWS,
    dry_run: bool = False,
    catalog: bool = True,
) -> Json:
    """Merge the small files of tables (all of them) into files of about `target_rows`, with the same rows.

    Segments of arrays stay as they are: each is one shard already.

    Raises
    ------
    ConflictError
        Another commit took one of the files away; nothing was written.
    """
    if dataset is not None:
        lake.declaration(dataset)
    lake.refresh()
    before = after = 0
    with lake.transaction("compact", catalog=catalog and not dry_run) as tx:
        for name, table in lake.snapshot.tables.items():
            if dataset not in (None, name):
                continue
            for group in _groups(lake.snapshot.pieces_of(name), target_rows):
                before += len(group)
                after += 1
                if not dry_run:
                    for piece in group:
                        check_bytes(lake.storage, piece)
                    rows = merged(table, [read_rows(lake.storage, p) for p in group])
                    pieces = write_rows(lake.storage, table, rows, taken_names=lake.snapshot.deleted)
                    tx.replace([p.path for p in group], pieces)
    return {"commit": lake.number, "files_before": before, "files_after": after}


def _groups(pieces: Sequence[Piece], target_rows: int) -> list[list[Piece]]:
    """Files of one partition that fit into one, in the order of their least keys; single files stay alone."""
    groups: list[list[Piece]] = []
    small = [p for p in pieces if p.n_rows < target_rows // 2]
    for partition in sorted({p.partition for p in small}):
        group: list[Piece] = []
        for piece in sorted((p for p in small if p.partition == partition), key=_first_key):
            if group and sum(p.n_rows for p in group) + piece.n_rows > target_rows:
                groups.append(group)
                group = []
            group.append(piece)
        groups.append(group)
    return [group for group in groups if len(group) > 1]


def _first_key(piece: Piece) -> tuple[str, str]:
    first = next(iter(piece.stats.values()), [""])
    return str(first[0]), piece.path


def gc(
    lake: "Lake",
    *,
    grace_s: float = DAY_S,
    before: int | str | None = None,
    dry_run: bool = False,
    catalog: bool = True,
) -> Json:
    """Delete files that no kept commit needs and that have been there for `grace_s`.

    All commits are kept, unless `before` gives up those before a number, time or tag; tagged commits, and those that
    were the newest within the grace period, are kept in any case. The log itself always stays.
    """
    for _ in range(ATTEMPTS):
        on = lake.refresh().number
        oldest = _oldest_kept(lake, before, grace_s)
        needed = needed_paths(lake.storage, lake.snapshot, oldest)
        files = [(n, age) for top in ("tables", "arrays") for n, age in lake.storage.walk(top)]
        gone = sorted(n for n, age in files if age >= grace_s and piece_path(n) not in needed)
        stale = sorted(n for n, age in lake.storage.walk("staging") if age >= grace_s)
        found = {"files": len(gone), "staging": len(stale), "oldest": oldest, "commit": lake.number}
        if dry_run:
            return found
        # Leftovers need no commit, and on a full disk they make room for one.
        for name in stale:
            lake.storage.delete(name, piece_path(name))
        try:
            if gone or oldest > lake.snapshot.oldest:
                with lake.transaction("gc", catalog=catalog) as tx:
                    tx.give_up({piece_path(n) for n in gone}, oldest, on)
        except ConflictError:
            continue
        for name in gone:
            lake.storage.delete(name, piece_path(name))
        return found | {"commit": lake.number}
    raise ConflictError(f"gc: {ATTEMPTS} other commits came first; nothing was deleted, run again")


def piece_path(name: str) -> str:
    """The piece a file belongs to: itself, its segment, or what is staged under one name."""
    parts = name.split("/")
    depth = {"arrays": 3, "staging": 2}.get(parts[0], len(parts))
    return "/".join(parts[:depth])


def needed_paths(storage: Storage, snapshot: Snapshot, oldest: int) -> set[str]:
    """Every piece that the newest, a tagged, or a commit not before `oldest` lists."""
    needed = set(snapshot.pieces)
    if snapshot.number < 0:
        return needed
    for number in {oldest, *(n for n in snapshot.tags.values() if n < oldest)}:
        needed |= set(load(storage, number).pieces)
    for entry in entries(storage, oldest + 1, snapshot.number):
        needed |= {piece["path"] for piece in entry.get("add", ())}
    return needed


def _oldest_kept(lake: "Lake", before: int | str | None, grace_s: float) -> int:
    """The first commit that stays readable."""
    from lake.store import commit_number

    snapshot = lake.snapshot
    if before is None or snapshot.number < 0:
        return snapshot.oldest
    wanted = commit_number(snapshot, before)
    horizon = utc_text(datetime.now(UTC) - timedelta(seconds=grace_s))
    current = max((c["number"] for c in snapshot.commits if c["time"] <= horizon), default=0)
    return max(snapshot.oldest, min(wanted, current))
