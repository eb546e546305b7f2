"""What is there and how it came to be: ls, show, log, diff, tag, why."""

import json
from argparse import Namespace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lake.cli.output import cells, rows_of
from lake.cli.output import chosen as format_of
from lake.cli.output import show as show_rows
from lake.cli.parser import Commands, Usage, answers, completes, pairs, pins
from lake.cli.session import DIM, Session, printable
from lake.errors import QueryError
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
    parser = commands.add(log, "list the commits, newest first", ["lake log", "lake log --limit 3 --format csv"])
    parser.add_argument("--since", metavar="TIME", help="commits of this time or later")
    parser.add_argument("--until", metavar="TIME", help="commits before this time")
    for options in (pins, answers):
        options(parser)
    parser = commands.add(diff, "tell what changed between two commits", ["lake diff 0", "lake diff 0 1 --json"])
    parser.add_argument("before", metavar="A", help="a commit: number, time or tag")
    parser.add_argument("after", nargs="?", metavar="B", help="another (the newest)")
    parser.add_argument("--exit-code", action="store_true", help="exit 3 where they differ")
    parser = commands.add(
        tag, "name a commit, or list the names", ["lake tag", "lake tag --dry-run first-light 0"], writes=True
    )
    parser.add_argument("name", nargs="?", metavar="TAG", help="lower-case letters, digits, . _ -")
    parser.add_argument("commit", nargs="?", metavar="N|TIME|TAG", help="which commit (the newest)")
    answers(parser)
    parser = commands.add(
        why,
        "tell where a row came from: its file, its run, its bytes",
        ["lake why {dataset}", "lake why {dataset} --json"],
    )
    names = parser.add_argument("dataset", metavar="DATASET", help="a table or array")
    completes(names, "datasets")
    parser.add_argument("key", nargs="*", metavar="COLUMN=VALUE", help="values that name the row (the first row)")
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
    _listed(session, args, records, _relations(chosen), _commit(lake.snapshot))
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


def _commit(snapshot: "Snapshot") -> str:
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


def log(session: Session, args: Namespace) -> int:
    """`lake log`."""
    snapshot = session.lake(args.at).snapshot
    since, until = _moment(args.since), _moment(args.until)
    commits = [
        c for c in reversed(snapshot.commits) if (not since or c["time"] >= since) and (not until or c["time"] < until)
    ]
    names = {number: tag for tag, number in snapshot.tags.items()}
    pipelines = {run["id"]: run["pipeline"] for run in snapshot.runs.values()}
    records = [
        {**c, "commit": c["number"], "tag": names.get(c["number"]), "pipeline": pipelines.get(c["run"])}
        for c in commits
    ]
    columns = ("commit", "time", "pipeline", "reason", "n_added", "n_removed", "n_rows", "tag")
    show_rows(session, args, rows_of(records, columns), _commit(snapshot))
    if not commits and snapshot.commits:
        session.say(f"0 rows. The lake has {len(snapshot.commits):,} commits; `--since` and `--until` left none.")
    return 0


def _moment(text: str | None) -> str:
    """A time as the log writes it."""
    from lake.log import utc_text

    if not text:
        return ""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Usage(f"{text!r} is no ISO time like 2026-03-01T12:00") from None
    return utc_text(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def diff(session: Session, args: Namespace) -> int:
    """`lake diff`."""
    found = session.lake().diff(args.before, args.after)
    is_same = not (found["datasets"] or found["sources_added"] or found["declared"])
    if session.json:
        session.document(found)
    else:
        _told_difference(session, found)
    return 3 if args.exit_code and not is_same else 0


def _told_difference(session: Session, found: "Json") -> None:
    datasets: dict[str, Json] = found["datasets"]
    names = cells([*datasets])
    for name, words in zip(names, datasets.values(), strict=True):
        parts = [
            f"{sign}{words.get(f'rows_{verb}', 0):,} rows in {words[f'files_{verb}']:,} files"
            for sign, verb in (("+", "added"), ("-", "removed"))
            if f"files_{verb}" in words
        ]
        session.answer(f"{name:<{max(map(len, names))}}   {'   '.join(parts)}")
    for name in found["declared"]:
        session.answer(f"declared   {name}")
    for uri in found["sources_added"]:
        session.answer(f"+ {printable(uri)}")
    n = len(datasets)
    changed = f"{n} dataset{'' if n == 1 else 's'} changed" if n else "no dataset changed"
    session.say(f"commit {found['before']} to {found['after']}: {changed}, {len(found['sources_added'])} new inputs")


def tag(session: Session, args: Namespace) -> int:
    """`lake tag`."""
    lake = session.lake()
    if args.name is None:
        records = [
            {"tag": name, "commit": n, "time": lake.snapshot.commits[n]["time"]}
            for name, n in lake.snapshot.tags.items()
        ]
        if not records:
            session.say(f"{session.root}: no tag yet")
        show_rows(session, args, rows_of(records, ("tag", "commit", "time")))
        return 0
    at = lake.at(args.commit).number if args.commit else lake.number
    number = at if args.dry_run else lake.tag(args.name, at)
    if session.json:
        session.document({"tag": args.name, "commit": number, "dry_run": args.dry_run})
    else:
        session.say(f"{args.name} {'would be' if args.dry_run else 'is'} commit {number}")
    return 0


def why(session: Session, args: Namespace) -> int:
    """`lake why`."""
    lake = session.lake(args.at)
    key = pairs(args.key) or _first_key(lake, args.dataset)
    found = lake.why(args.dataset, **key)
    if session.json:
        session.document(found)
        return 0
    row = ", ".join(f"{k} {v}" for k, v in found["key"].items())
    session.answer(f"row      {printable(args.dataset)}: {printable(row)} ({found['n_rows']:,})")
    session.answer(f"file     {found['file']}   {session.painted('sha256 ' + found['file_sha256'][:12], DIM)}")
    for run in found["runs"]:
        made = f"{run['pipeline']} {_parameters(run)}".strip()
        session.answer(f"run      {run['id']}   {made}   commit {run.get('commit')}, code {run['code']}")
    for source in found["sources"]:
        size = f"{source['size']:,} bytes" if "size" in source else ""
        session.answer(
            f"input    {printable(source.get('uri', '(unknown)'))}   {size}   sha256 {source['sha256'][:12]}"
        )
    if not found["sources"]:
        session.say("no input file: these rows were computed from others")
    return 0


def _first_key(lake: "Lake", dataset: str) -> dict[str, str]:
    """The key of the first row of a dataset."""
    from lake.export import json_rows
    from lake.schema import Array

    words = lake.declaration(dataset)
    table = words.frames if isinstance(words, Array) else words
    keys = ", ".join(table.key)
    rows = lake.sql(f"select {keys} from {table.name} order by {keys} limit 1").arrow()
    if not rows.num_rows:
        raise QueryError(f"{dataset}: no row yet", "lake log")
    return {name: str(value).rstrip("Z") for name, value in next(json_rows(rows)).items()}


def _parameters(run: "Json") -> str:
    words = json.loads(run.get("parameters") or "{}")
    return printable(" ".join(f"{k}={v}" for k, v in words.items() if k not in ("paths", "root")))
