"""How it came to be: log, diff, tag, why."""

import json
from argparse import Namespace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lake.cli.look import commit_words
from lake.cli.output import cells, rows_of
from lake.cli.output import show as show_rows
from lake.cli.parser import Commands, Usage, answers, completes, pairs, pins
from lake.cli.session import DIM, Session, printable
from lake.errors import QueryError

if TYPE_CHECKING:
    from lake.log import Json
    from lake.store import Lake


def add(commands: Commands) -> None:
    """Put the commands of this module on the command line."""
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
    show_rows(session, args, rows_of(records, columns), commit_words(snapshot))
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
