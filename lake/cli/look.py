"""What is there: ls, show."""

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from lake.cli.output import chosen as format_of
from lake.cli.output import rows_of
from lake.cli.output import show as show_rows
from lake.cli.parser import Commands, answers, completes, pins
from lake.cli.session import Session, printable
from lake.names import unknown

if TYPE_CHECKING:
    from lake.log import Json, Snapshot
    from lake.store import Lake


def add(commands: Commands) -> None:
    """Put the commands of this module on the command line."""
    parser = commands.add(
        ls, "list the datasets, their size and span, and the relations", ["lake ls", "lake ls --json"]
    )
    parser.add_argument("pipeline", nargs="*", metavar="PIPELINE", help="only those of these pipelines")
    for options in (pins, answers):
        options(parser)
    parser = commands.add(
        show, "show columns, units, axes and span of a dataset or relation", ["lake show", "lake show lake.commits"]
    )
    names = parser.add_argument(
        "name", nargs="?", metavar="DATASET", help="a dataset or relation; the lake itself without"
    )
    completes(names, "relations")
    pins(parser)


def ls(session: Session, args: Namespace) -> int:
    """`lake ls`."""
    lake = session.lake(args.at)
    names = {name.partition(".")[0] for name in lake.snapshot.declarations}
    for name in args.pipeline:
        if name not in names:
            raise unknown(f"no pipeline {name} in this lake", name, names, "lake ls {}")
    chosen = set(args.pipeline) or names
    records = [r for r in _datasets(lake.snapshot) if r["dataset"].partition(".")[0] in chosen]
    if not records and not session.json:
        session.say(f"{session.root}: empty, no dataset yet")
        session.say(session.hint("lake run"))
    _listed(session, args, records, _relations(chosen), commit_words(lake.snapshot))
    return 0


def _listed(session: Session, args: Namespace, datasets: "list[Json]", relations: "list[Json]", about: str) -> None:
    """Datasets and relations as one answer, for people as two tables."""
    columns = ("dataset", "n_rows", "n_bytes", "first", "last", "kind", "n_files", "doc")
    units = {"n_bytes": "byte"}
    if args.output or format_of(session, args) != "table":
        both = [*datasets, *({**r, "dataset": r["relation"], "kind": "relation"} for r in relations)]
        show_rows(session, args, rows_of(both, (*columns, "grain"), units), about)
        return
    show_rows(session, args, rows_of(datasets, columns, units), about)
    if relations:
        session.answer("")
        show_rows(session, args, rows_of(relations, ("relation", "grain", "doc")), "asked by lake query")


def _relations(pipelines: set[str]) -> "list[Json]":
    """What `ls` lists of the relations of some pipelines."""
    from lake.relations import relations

    found = [r for r in relations().values() if r.pipeline in pipelines]
    return [{"relation": r.name, "grain": r.grain, "doc": r.doc} for r in found]


def commit_words(snapshot: "Snapshot") -> str:
    if snapshot.number < 0:
        return "no commit yet"
    return f"commit {snapshot.number} of {snapshot.time[:16].replace('T', ' ')}"


def _datasets(snapshot: "Snapshot") -> "list[Json]":
    """What `ls` lists: every declared table and array; the tables of an array's frames and tiles go with it."""
    from lake.schema import Array

    found = []
    for name, words in sorted(snapshot.declarations.items()):
        is_array = isinstance(words, Array)
        pieces = snapshot.pieces_of(name)
        first, last = _times(snapshot, words.frames.name if isinstance(words, Array) else name)
        n_rows = sum(p.n_rows for p in pieces)
        sizes = {"n_files": len(pieces), "n_bytes": sum(p.n_bytes for p in pieces)}
        kind = "array" if is_array else "table"
        grain = ", ".join((words.frames if isinstance(words, Array) else words).key)
        both = {"first": first, "last": last, "doc": words.doc, "grain": grain}
        found.append({"dataset": name, "kind": kind, "n_rows": n_rows, **sizes, **both})
    return found


def _times(snapshot: "Snapshot", table: str) -> tuple[Any, Any]:
    """First and last instant of a table, from the log alone."""
    import pyarrow as pa

    from lake.own_tables import span

    column, first, last = span(snapshot, table)
    is_instant = bool(column) and pa.types.is_timestamp(snapshot.tables[table].column(column).type)
    return (first, last) if is_instant else (None, None)


def show(session: Session, args: Namespace) -> int:
    """`lake show`."""
    lake = session.lake(args.at)
    words = _whole(lake) if args.name is None else described(lake, args.name)
    if session.json:
        session.document(words)
    else:
        _told(session, words)
    return 0


def _whole(lake: "Lake") -> "Json":
    snapshot = lake.snapshot
    newest = snapshot.commits[-1] if snapshot.commits else {}
    return {
        "root": lake.root,
        "id": lake.id,
        "commit": snapshot.number,
        "time": snapshot.time or None,
        "reason": newest.get("reason"),
        "n_datasets": len(snapshot.declarations),
        "n_files": len(snapshot.pieces),
        "n_bytes": sum(p.n_bytes for p in snapshot.pieces.values()),
        "n_sources": len(snapshot.sources),
        "n_runs": len(snapshot.runs),
        "n_rejected": len(snapshot.rejected),
        "tags": ", ".join(f"{tag} = {n}" for tag, n in snapshot.tags.items()) or None,
    }


def described(lake: "Lake", name: str) -> "Json":
    """A dataset or relation in words.

    Raises
    ------
    QueryError
        There is neither of that name.
    """
    from lake.schema import Array

    snapshot = lake.snapshot
    if name not in snapshot.declarations and name not in snapshot.tables:
        return _relation(lake, name)
    declared = lake.declaration(name)
    table = declared.frames if isinstance(declared, Array) else declared
    pieces = snapshot.pieces_of(name)
    first, last = _times(snapshot, table.name)
    words: Json = {"dataset": name, "doc": declared.doc}
    if isinstance(declared, Array):
        words |= {
            "axes": " × ".join(declared.dims),
            "dtype": declared.dtype,
            "unit": declared.unit,
            "fill": declared.fill,
        }
        words |= {"chunk": " × ".join(map(str, declared.chunk)), "frames": table.name, "tiles": declared.tiles.name}
    words |= {"key": ", ".join(table.key), "n_rows": sum(p.n_rows for p in pieces), "n_files": len(pieces)}
    words |= {"n_bytes": sum(p.n_bytes for p in pieces), "first": first, "last": last}
    runs = sorted({snapshot.runs[p.run]["pipeline"] for p in pieces if p.run in snapshot.runs})
    words |= {"made_by": ", ".join(runs) or None, "commit": snapshot.number}
    words["columns"] = [
        {
            "column": c.name,
            "type": str(c.type),
            "unit": "UTC" if str(c.type).startswith("timestamp") else c.unit,
            "doc": c.doc,
        }
        for c in table.columns
    ]
    return words


def _relation(lake: "Lake", name: str) -> "Json":
    from lake.own_tables import SCHEMAS
    from lake.relations import relations

    found = relations()
    own = {f"lake.{bare}": schema for bare, schema in SCHEMAS.items()}
    if name in own:
        columns = [{"column": f.name, "type": str(f.type), "unit": "", "doc": ""} for f in own[name]]
        return {"dataset": name, "doc": "A table of the lake itself, made from its log.", "columns": columns}
    if name not in found:
        names = {*found, *own, *lake.snapshot.declarations}
        raise unknown(f"no dataset or relation {name}", name, names, "lake show {}")
    relation = found[name]
    words: Json = {"relation": name, "doc": relation.doc, "grain": relation.grain, "reads": ", ".join(relation.reads)}
    words["params"] = [str(p) for p in relation.params]
    return words | {"source": relation.source, "sql": relation.text}


def _told(session: Session, words: "Json") -> None:
    """A description for people: a line a fact, then tables."""
    plain = {k: v for k, v in words.items() if not isinstance(v, list) and k != "sql" and v not in (None, "")}
    width = max(map(len, plain))
    for name, value in plain.items():
        shown = f"{value:,}" if isinstance(value, int) and name.startswith("n_") else printable(value)
        session.answer(f"{name:<{width}}  {shown}")
    if words.get("columns"):
        from lake.cli.output import table

        session.answer("")
        session.answer(table(rows_of(words["columns"], ("column", "type", "unit", "doc"))))
    for param in words.get("params", ()):
        session.answer(f"{'param':<{width}}  {param}")
    if words.get("sql"):
        session.answer("\n" + words["sql"].rstrip())
