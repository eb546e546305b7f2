"""Things to look at or to pass on: plot, report, export."""

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lake.cli.parser import Commands, Usage, as_usage, completes, pairs, parametrised, pins
from lake.cli.session import Session
from lake.errors import QueryError
from lake.pipelines import exports_of, pipeline, pipelines

if TYPE_CHECKING:
    from lake.answer import Answer
    from lake.store import Lake

EXPORTS = {"parquet": "parquet", "csv": "csv", "ecsv": "ecsv", "votable": "vot", "fits": "fits", "delta": ""}
ORIGINAL = "original"


def add(commands: Commands) -> None:
    """Put the commands of this module on the command line."""
    parser = commands.add(
        plot,
        "draw a relation",
        ["lake plot lake.commits -o commits.png", "lake plot lake.files -o files.svg"],
        writes=True,
    )
    names = parser.add_argument("relation", metavar="RELATION", help="a figure (fig_*), any relation or table")
    completes(names, "relations")
    parser.add_argument("-o", "--output", metavar="FILE", help="PNG, SVG or PDF by its ending (RELATION.png)")
    parametrised(parser)
    pins(parser)
    parser = commands.add(
        report, "write one self-contained HTML page a pipeline", ["lake report", "lake report {pipeline} -o page.html"],
        writes=True,
    )  # fmt: skip
    names = parser.add_argument("pipeline", nargs="*", metavar="PIPELINE", help="which (all that the lake has)")
    completes(names, "pipelines")
    parser.add_argument("-o", "--output", metavar="PATH", help="a page's file, or a folder (ROOT/report)")
    parametrised(parser)
    pins(parser)
    parser = commands.add(
        export,
        "write a dataset or relation in a format of other tools",
        ["lake export lake.sources --to csv", "lake export lake.commits --to votable -o commits.vot"],
        writes=True,
    )
    names = parser.add_argument("dataset", metavar="DATASET", help="a dataset or relation")
    completes(names, "relations")
    parser.add_argument(
        "--to",
        required=True,
        choices=(*EXPORTS, ORIGINAL),
        help="the format; delta registers the files by reference, original is what a pipeline's forerunner wrote",
    )
    parser.add_argument("-o", "--output", metavar="PATH", help="where to (DATASET.ENDING)")
    parametrised(parser)
    pins(parser)


def rows_named(lake: "Lake", name: str, params: dict[str, Any]) -> "Answer":
    """The rows of a relation, a table or one of the lake's own tables."""
    from lake.relations import relations

    known = relations()
    if name in known:
        return lake.query(name, **params)
    if name in lake.snapshot.tables:
        return lake.table(name)
    if name.startswith("lake."):
        return lake.sql(f"from {name}")
    return lake.query(name, **params)


def plot(session: Session, args: Namespace) -> int:
    """`lake plot`."""
    from lake.figures import FORMS, drawn

    path = Path(args.output or f"{args.relation}.png")
    if path.suffix.lower() not in FORMS:
        raise Usage(f"{path}: a figure ends in {', '.join(FORMS)}")
    answer = rows_named(session.lake(args.at), args.relation, pairs(args.param))
    rows = answer.arrow()
    if not rows.num_rows:
        raise QueryError(f"{args.relation}: no rows to draw", f"lake query {args.relation}")
    if not args.dry_run:
        picture = drawn(rows, answer.units, title=args.relation, form=path.suffix.lower()[1:])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture)
    return _written(session, args, {"output": str(path), "rows": rows.num_rows, "commit": answer.commit})


def report(session: Session, args: Namespace) -> int:
    """`lake report`."""
    from lake.report import page_of, write_reports

    lake = session.lake(args.at)
    try:
        for name in args.pipeline:
            pipeline(name)
    except QueryError as error:
        raise as_usage(error) from error
    present = {name.partition(".")[0] for name in lake.snapshot.declarations}
    names = args.pipeline or [name for name in pipelines() if name in present]
    path = Path(args.output) if args.output else Path(session.root if "://" not in session.root else ".", "report")
    is_page = path.suffix.lower() in (".html", ".htm")
    if is_page and len(names) != 1:
        raise Usage(f"{path}: one page holds one pipeline, not {len(names)}; name one, or a folder")
    params = pairs(args.param)
    if not args.dry_run and is_page:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(page_of(lake, names[0], params))
    elif not args.dry_run:
        path = write_reports(lake, names, path, params)
    return _written(session, args, {"output": str(path), "pipelines": names, "commit": lake.number})


def export(session: Session, args: Namespace) -> int:
    """`lake export`."""
    from lake.delta import register
    from lake.export import signed, write

    if args.to == ORIGINAL:
        return _original(session, args)
    lake = session.lake(args.at)
    ending = EXPORTS[args.to]
    default = f"{args.dataset}.{ending}" if ending else f"{session.root}/delta/{args.dataset}"
    path = Path(args.output or default)
    params = pairs(args.param)
    if args.to == "delta":
        if params:
            raise Usage("delta registers the files of a table, which takes no --param")
        done = register(lake, args.dataset, path, dry_run=args.dry_run)
        return _written(session, args, {"output": str(path), **done, "commit": lake.number})
    answer = rows_named(lake, args.dataset, params)
    rows = signed(answer.arrow(), lake, args.dataset, params)
    if not args.dry_run:
        write(rows, args.to, path)
    return _written(session, args, {"output": str(path), "rows": rows.num_rows, "commit": answer.commit})


def _original(session: Session, args: Namespace) -> int:
    """The files that a pipeline's forerunner wrote, into a folder."""
    try:
        chosen = pipeline(args.dataset)
    except QueryError as error:
        raise as_usage(error) from error
    if not chosen.has_exports:
        raise Usage(f"{chosen.name}: writes no files of another program", "lake export -h")
    lake, folder = session.lake(args.at), Path(args.output or f"{chosen.name}.original")
    paths = [] if args.dry_run else exports_of(chosen.name).write(lake, folder)
    return _written(session, args, {"output": str(folder), "files_written": len(paths), "commit": lake.number})


def _written(session: Session, args: Namespace, done: dict[str, Any]) -> int:
    """Tell what was written and from which commit."""
    if session.json:
        session.document({**done, "dry_run": args.dry_run})
        return 0
    rows = f"{done['rows']:,} rows, " if "rows" in done else ""
    rows += f"{done['files_written']:,} files, " if "files_written" in done else ""
    version = f"Delta version {done['version']}, " if "version" in done else ""
    would = " would be written" if args.dry_run else ""
    session.say(f"{done['output']}{would}: {rows}{version}commit {done['commit']}")
    return 0
