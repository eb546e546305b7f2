"""Is the lake still what was committed? Hashes of everything, keys, and, when asked, all of it derived anew."""

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from lake.errors import LakeError
from lake.keys import merged
from lake.log import Json, Piece, Snapshot, checkpoint_of, entries, replay
from lake.maintain import needed_paths
from lake.pieces import read_rows
from lake.schema import SOURCE
from lake.storage import Storage, content_digest

if TYPE_CHECKING:
    from lake.store import Lake

log = logging.getLogger(__name__)


def verify(lake: "Lake", *, rederive: bool = False) -> list[Json]:
    """What differs from what was committed; nothing, where all is as it was.

    Keys and inputs are looked at only where every file is whole.

    Parameters
    ----------
    rederive : also read every input that is still in its place, run its pipeline again in a scratch lake, and compare
        the rows bit for bit.

    Returns
    -------
    One entry a finding: `what`, `where`, `found`, `expected`; of a damaged file also the `inputs` it was made of.
    """
    found = list(check_log(lake.storage, lake.snapshot))
    if found:
        return found
    pieces = kept_pieces(lake.storage, lake.snapshot)
    for done, piece in enumerate(pieces, 1):
        inputs = [lake.snapshot.sources.get(s, {}).get("uri", s) for s in piece.sources]
        found += [finding | {"inputs": inputs} for finding in check_piece(lake.storage, piece)]
        words = {"done": done, "total": len(pieces), "amount": piece.n_bytes, "unit": "B"}
        log.info("files=%d of=%d", done, len(pieces), extra=words)
    if found:
        return found
    found += check_frames(lake)
    found += check_keys(lake)
    return found + list(derive_again(lake)) if rederive else found


def _finding(what: str, where: str, found: object, expected: object) -> Json:
    return {"what": what, "where": where, "found": str(found), "expected": str(expected)}


def check_log(storage: Storage, snapshot: Snapshot) -> Iterator[Json]:
    """Damaged entries, breaks of the chain, and checkpoints that differ from the log."""
    state = Snapshot()
    names = [n for n in storage.list("log") if n.endswith(".checkpoint.parquet")]
    for name in [*names, None]:
        number = snapshot.number if name is None else int(name[:20])
        if number > snapshot.number:
            continue
        try:
            state = replay(storage, state, number)
        except LakeError as error:
            yield _finding("log", "log", error, "entries as they were committed")
            return
        kept = snapshot if name is None else checkpoint_of(storage, number)
        if kept != state:
            found = "damaged" if kept is None else "another state"
            yield _finding("log", f"log/{name or ''}", found, f"what the entries add up to at commit {number}")


def kept_pieces(storage: Storage, snapshot: Snapshot) -> list[Piece]:
    """The pieces of every commit that can still be read, by path."""
    needed = needed_paths(storage, snapshot, snapshot.oldest)
    found = dict(snapshot.pieces)
    for entry in entries(storage, 0, snapshot.number):
        found |= {words["path"]: Piece.from_json(words) for words in entry.get("add", ()) if words["path"] in needed}
    return [found[path] for path in sorted(found)]


def check_piece(storage: Storage, piece: Piece) -> Iterator[Json]:
    """Files that are missing or have other bytes."""
    files = {f"{piece.path}/{n}": words for n, words in piece.files.items()}
    files = files or {piece.path: [piece.sha256, piece.n_bytes]}
    for name, (sha256, size) in files.items():
        try:
            content = storage.read(name)
        except OSError:
            yield _finding("file", name, "missing", f"{size} bytes")
            continue
        if len(content) != size:
            yield _finding("file", name, f"{len(content)} bytes", f"{size} bytes")
        elif content_digest(content) != sha256:
            yield _finding("file", name, f"sha256 {content_digest(content)[:12]}…", f"sha256 {sha256[:12]}…")


def check_frames(lake: "Lake") -> Iterator[Json]:
    """Frames whose pixels no segment of the lake holds."""
    for name, array in lake.snapshot.arrays.items():
        there = {piece.path for piece in lake.snapshot.pieces_of(name)}
        for piece in lake.snapshot.pieces_of(array.frames.name):
            named = read_rows(lake.storage, piece, ["segment"])["segment"].to_pylist()
            for path in sorted({p for p in named if p is not None} - there):
                yield _finding("frames", piece.path, "no segment", path)


def check_keys(lake: "Lake") -> Iterator[Json]:
    """Keys that name two rows."""
    for name, table in lake.snapshot.tables.items():
        if not table.key or not lake.snapshot.pieces_of(name):
            continue
        key = ", ".join(f'"{k}"' for k in table.key)
        repeats = f"select {key} from {name} group by {key} having count(*) > 1"
        n = lake.sql(f"select count(*) as n from ({repeats})").arrow()["n"][0].as_py()
        if n:
            yield _finding("key", name, f"{n} keys come twice", f"each {', '.join(table.key)} once")


def derive_again(lake: "Lake") -> Iterator[Json]:
    """Rows that come out otherwise when the pipeline reads its inputs again."""
    from lake.pipelines import run
    from lake.storage import staged_digest

    by_run: dict[str, set[str]] = {}
    for (_, source), name in lake.snapshot.ingested.items():
        by_run.setdefault(name, set()).add(source)
    for name, sources in sorted(by_run.items()):
        record = lake.snapshot.runs.get(name)
        if record is None:
            continue
        there = {s: Path(lake.snapshot.sources[s]["uri"]) for s in sources}
        paths = {s: p for s, p in there.items() if p.is_file() and staged_digest(p)[0] == s}
        for source in sorted(set(there) - set(paths)):
            yield _finding("input", str(there[source]), "absent or changed", f"sha256 {source[:12]}…")
        words = {"stage": f"rederive {record['pipeline']}", "total": len(paths)}
        inputs = f"{len(paths):,} input{'' if len(paths) == 1 else 's'}"
        log.info("rederiving %s of run %s: %s", record["pipeline"], name, inputs, extra=words)
        with tempfile.TemporaryDirectory() as folder:
            run(record["pipeline"], folder, [str(p) for p in paths.values()], record["parameters"])
            yield from _compare(lake, folder, sorted(paths), name)


def _compare(lake: "Lake", folder: str, sources: list[str], run: str) -> Iterator[Json]:
    """Datasets of a run, input by input, beside those of its repetition."""
    from lake.store import Lake

    again = Lake(folder)
    datasets = {d for (d, s), r in lake.snapshot.ingested.items() if r == run and s in sources}
    for name in sorted(t for t in lake.snapshot.tables if t in datasets or t.removesuffix("_tiles") in datasets):
        for source in sources:
            ours, theirs = (rows_from(one, name, source) for one in (lake, again))
            if not ours.equals(theirs):
                found = f"{theirs.num_rows} rows, not the same"
                yield _finding("rows", f"{name} from {source[:12]}…", found, f"{ours.num_rows} rows")


def rows_from(lake: "Lake", name: str, source: str) -> pa.Table:
    """The rows of a table that one input gave, in order of the key."""
    pieces = [p for p in lake.snapshot.pieces_of(name) if source in p.sources]
    rows = merged(lake.snapshot.tables[name], [read_rows(lake.storage, p) for p in pieces])
    return rows.filter(pc.equal(rows[SOURCE], source))
