"""Where things came from: runs, the way back from a row to its bytes, and what changed between two commits."""

import hashlib
import json
import re
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib import metadata, resources
from typing import Any

import pyarrow.compute as pc

from lake import __version__
from lake.errors import QueryError
from lake.log import Json, Snapshot, utc_text
from lake.pieces import read_rows
from lake.redaction import recorded
from lake.schema import SOURCE
from lake.storage import Storage
from lake.where import conditions

CODE = ("flows", "lake", "schemas", "sql")
DISTRIBUTION = "lightlake"
SECRET = ("password", "secret", "token", "key_id", "credential")


def new_run(pipeline: str, parameters: Mapping[str, Any], seed: int | None = None) -> Json:
    """The description of a run that begins now, for the log.

    Parameters
    ----------
    parameters : plain values; those whose name speaks of a secret are left out, and passwords inside of others.
    """
    return {
        "id": secrets.token_hex(8),
        "pipeline": pipeline,
        "parameters": json.dumps(_plain(parameters), sort_keys=True),
        "seed": seed,
        "code": code_version(),
        "packages": package_versions(),
        "started": utc_text(datetime.now(UTC)),
    }


def _plain(value: Any) -> Any:
    """A parameter as JSON has it, its texts without passwords."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items() if not any(word in str(k).lower() for word in SECRET)}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value if value is None or isinstance(value, bool | int | float) else recorded(str(value))


@cache
def code_version() -> str:
    """The release, and a hash of every source file that could change a result."""
    lines = hashlib.sha256()
    for package in CODE:
        for file in sorted(_files(resources.files(package)), key=lambda f: f[0]):
            lines.update(f"{package}/{file[0]} ".encode() + hashlib.sha256(file[1].read_bytes()).digest())
    return f"{__version__}+{lines.hexdigest()[:12]}"


def _files(folder: Any, prefix: str = "") -> Any:
    for entry in folder.iterdir():
        if entry.is_dir() and entry.name != "__pycache__":
            yield from _files(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith((".py", ".sql")):
            yield prefix + entry.name, entry


@cache
def package_versions() -> dict[str, str]:
    """Versions of all that this distribution is declared to need."""
    declared = [line for line in metadata.requires(DISTRIBUTION) or () if "extra ==" not in line]
    names = [re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in declared]
    return {name: metadata.version(name) for name in sorted(names)}


def why(snapshot: Snapshot, storage: Storage, dataset: str, key: Mapping[str, Any]) -> Json:
    """The way back from a row: its file, the commit and run that wrote it, and the inputs it was made of.

    Raises
    ------
    QueryError
        The key names no row, or columns that the table has not.
    """
    table = snapshot.tables.get(dataset) or snapshot.arrays[dataset].frames
    unknown = [name for name in key if name not in [c.name for c in table.columns]]
    if unknown or not key:
        found_ = f"no column {', '.join(unknown)}" if unknown else "no key given"
        raise QueryError(f"{dataset}: {found_}; the key is {', '.join(table.key)}", f"lake show {dataset}")
    found = []
    for piece in snapshot.bounds_of(table.name).matching(table, conditions(table, key)):
        rows = read_rows(storage, piece, [*key, SOURCE])
        for name, value in key.items():
            wanted = pc.cast(value, rows[name].type) if not isinstance(value, str) else _as_type(value, rows[name].type)
            rows = rows.filter(pc.equal(rows[name], wanted))
        if rows.num_rows:
            found.append((piece, rows))
    words = ", ".join(f"{k} {v}" for k, v in key.items())
    n_rows = sum(rows.num_rows for _, rows in found)
    if n_rows != 1:
        rows_ = f"{n_rows} rows, expected one; the key is {', '.join(table.key)}" if n_rows else "no row"
        raise QueryError(f"{dataset}: {words} names {rows_}", f'lake sql "from {dataset} limit 5"')
    piece, rows = found[0]
    inputs = [s for s in rows[SOURCE].to_pylist() if s]
    return {
        "dataset": dataset,
        "key": {k: str(v) for k, v in key.items()},
        "n_rows": 1,
        "file": piece.path,
        "file_sha256": piece.sha256,
        "runs": _runs(snapshot, dataset, inputs, piece.run),
        "sources": [snapshot.sources.get(s, {"sha256": s}) for s in inputs],
    }


def _runs(snapshot: Snapshot, dataset: str, inputs: list[str], writer: str) -> list[Json]:
    """The runs that took these inputs in; a compaction that moved the rows since then does not count."""
    declared = next((n for n, a in snapshot.arrays.items() if dataset in (n, a.frames.name, a.tiles.name)), dataset)
    names = {snapshot.ingested.get((declared, source), "") for source in inputs} or {writer}
    return [snapshot.runs[name] for name in sorted(names) if name in snapshot.runs]


def _as_type(text: str, kind: Any) -> Any:
    import pyarrow as pa

    try:
        return pa.scalar(text).cast(kind)
    except pa.ArrowInvalid as error:
        raise QueryError(f"{text!r} is no {kind}") from error


def diff(before: Snapshot, after: Snapshot) -> Json:
    """What changed between two commits, dataset by dataset."""
    datasets: dict[str, Json] = {}
    for verb, one, other in (("added", after, before), ("removed", before, after)):
        for path, piece in one.pieces.items():
            if path not in other.pieces:
                words = datasets.setdefault(piece.dataset, {})
                words[f"files_{verb}"] = words.get(f"files_{verb}", 0) + 1
                words[f"rows_{verb}"] = words.get(f"rows_{verb}", 0) + piece.n_rows
    return {
        "before": before.number,
        "after": after.number,
        "datasets": dict(sorted(datasets.items())),
        "sources_added": sorted(s["uri"] for k, s in after.sources.items() if k not in before.sources),
        "declared": sorted(
            name for name, d in after.declarations.items()
            if name not in before.declarations or before.declarations[name].to_json() != d.to_json()
        ),
    }  # fmt: skip
