"""The lake's own tables, as SQL sees them: its commits, sources, runs, lineage, files, declarations and relations.

In `rejected` a row is some rows of an input, or all of it: then `n_rows` is null, because nobody counted them, and
`dataset` names all that it was meant for. `relations` are those of the code that asks, whatever the commit.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import pyarrow as pa

from lake.log import Json, Snapshot
from lake.relations import Relation, relations
from lake.schema import INSTANT

TEXT, COUNT, WHOLE = pa.string(), pa.int64(), pa.int64()
SCHEMAS: dict[str, pa.Schema] = {
    "commits": pa.schema({
        "number": WHOLE, "time": INSTANT, "reason": TEXT, "run_id": TEXT, "n_files_added": COUNT,
        "n_files_removed": COUNT, "n_rows": COUNT, "digest": TEXT,
    }),
    "sources": pa.schema({
        "sha256": TEXT, "uri": TEXT, "size_bytes": COUNT, "reader": TEXT, "commit": WHOLE,
    }),
    "runs": pa.schema({
        "run_id": TEXT, "pipeline": TEXT, "parameters": TEXT, "code_version": TEXT, "packages": TEXT, "seed": WHOLE,
        "started": INSTANT, "commit": WHOLE,
    }),
    "lineage": pa.schema({"path": TEXT, "dataset": TEXT, "run_id": TEXT, "source_sha256": TEXT}),
    "rejected": pa.schema({
        "uri": TEXT, "sha256": TEXT, "dataset": TEXT, "reason": TEXT, "place": TEXT, "n_rows": COUNT, "commit": WHOLE,
    }),
    "datasets": pa.schema({
        "name": TEXT, "kind": TEXT, "doc": TEXT, "n_rows": COUNT, "n_files": COUNT, "n_bytes": COUNT,
    }),
    "columns": pa.schema({"dataset": TEXT, "name": TEXT, "type": TEXT, "unit": TEXT, "doc": TEXT, "ucd": TEXT}),
    "relations": pa.schema({
        "pipeline": TEXT, "relation": TEXT, "grain": TEXT, "reads": TEXT, "parameters": TEXT, "summary": TEXT,
    }),
    "files": pa.schema({
        "path": TEXT, "dataset": TEXT, "partition": TEXT, "n_rows": COUNT, "n_bytes": COUNT, "sha256": TEXT,
        "run_id": TEXT,
    }),
    "tags": pa.schema({"name": TEXT, "number": WHOLE}),
}  # fmt: skip
# What the log calls it, where that is another word.
WORDS = {
    "commits": {"run_id": "run", "n_files_added": "n_added", "n_files_removed": "n_removed"},
    "sources": {"size_bytes": "size"},
    "runs": {"run_id": "id", "code_version": "code"},
    "files": {"run_id": "run"},
}


def own_tables(snapshot: Snapshot) -> dict[str, pa.Table]:
    """Every table of the schema `lake`; types are the same where there is no row."""
    pieces = [snapshot.pieces[path] for path in sorted(snapshot.pieces)]
    rows: dict[str, Iterable[Mapping[str, Any]]] = {
        "commits": snapshot.commits,
        "sources": snapshot.sources.values(),
        "runs": snapshot.runs.values(),
        "lineage": (
            {"path": p.path, "dataset": p.dataset, "run_id": p.run, "source_sha256": s}
            for p in pieces
            for s in p.sources
        ),
        "rejected": snapshot.rejected,
        "datasets": _datasets(snapshot),
        "columns": _columns(snapshot),
        "relations": map(relation_row, relations().values()),
        "files": (vars(p) for p in pieces),
        "tags": ({"name": name, "number": number} for name, number in sorted(snapshot.tags.items())),
    }
    return {name: _table(name, rows[name]) for name in SCHEMAS}


def _table(name: str, rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    schema = SCHEMAS[name]
    called = WORDS.get(name, {})
    rows = list(rows)
    columns = [[_value(_word(row, f.name, called.get(f.name)), f.type) for row in rows] for f in schema]
    return pa.Table.from_arrays([pa.array(v, f.type) for v, f in zip(columns, schema, strict=True)], schema=schema)


def _word(row: Mapping[str, Any], name: str, called: str | None) -> Any:
    return row[called] if called and called in row else row.get(name)


def _value(value: Any, kind: pa.DataType) -> Any:
    """A value of the log in the column's type; null where it has another shape."""
    if value is None:
        return None
    if kind == INSTANT:
        return value if isinstance(value, datetime) else datetime.fromisoformat(str(value)).replace(tzinfo=None)
    if kind == TEXT:
        return value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
    return int(value)


def _datasets(snapshot: Snapshot) -> Iterable[Json]:
    totals: dict[str, list[int]] = {}
    for piece in snapshot.pieces.values():
        total = totals.setdefault(piece.dataset, [0, 0, 0])
        for place, n in enumerate((piece.n_rows, 1, piece.n_bytes)):
            total[place] += n
    both: list[tuple[str, Mapping[str, Any]]] = [("array", snapshot.arrays), ("table", snapshot.tables)]
    for kind, words in both:
        for name, declared in words.items():
            n_rows, n_files, n_bytes = totals.get(name, (0, 0, 0))
            numbers = {"n_rows": n_rows, "n_files": n_files, "n_bytes": n_bytes}
            yield {"name": name, "kind": kind, "doc": declared.doc, **numbers}


def relation_row(relation: Relation) -> Json:
    """A relation as `lake.relations` has it."""
    return {
        "pipeline": relation.pipeline, "relation": relation.name, "grain": relation.grain,
        "reads": ", ".join(relation.reads), "parameters": "; ".join(map(str, relation.params)), "summary": relation.doc,
    }  # fmt: skip


def span(snapshot: Snapshot, table: str) -> tuple[str, Any, Any]:
    """A column, its least and its greatest value: that of instants, else the first of the key; from the log alone.

    Returns
    -------
    An empty name where the log knows of no value; instants as the log writes them.
    """
    declared = snapshot.tables[table]
    instants = [c.name for c in declared.columns if pa.types.is_timestamp(c.type)]
    for column in (*instants, *declared.key):
        stats = [p.stats[column] for p in snapshot.pieces_of(table) if column in p.stats]
        bounds = [s for s in stats if None not in s[:2]]
        if bounds:
            return column, min(s[0] for s in bounds), max(s[1] for s in bounds)
    return "", None, None


def _columns(snapshot: Snapshot) -> Iterable[Json]:
    for name, table in snapshot.tables.items():
        for c in table.columns:
            yield {
                "dataset": name, "name": c.name, "type": str(c.type), "unit": c.unit, "doc": c.doc, "ucd": c.ucd,
            }  # fmt: skip
