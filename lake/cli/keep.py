"""Housekeeping: verify, forget, gc, compact."""

import shlex
from argparse import Namespace
from pathlib import Path
from typing import Any

from lake.cli.parser import Commands, completes
from lake.cli.progress import progress
from lake.cli.session import Session, printable

UNITS_S = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def add(commands: Commands) -> None:
    """Put the commands of this module on the command line."""
    parser = commands.add(
        verify,
        "check that every byte is as it was committed; exit 3 where one isn't",
        ["lake verify", "lake verify --json"],
    )
    parser.add_argument("--rederive", action="store_true", help="also run the pipelines again and compare the rows")
    parser = commands.add(
        forget,
        "take the rows and frames of inputs out; older commits keep them",
        ["lake forget --dry-run aia_0193_0600.fits", "lake forget list.evt.gz"],
        writes=True,
    )
    parser.add_argument("inputs", nargs="+", metavar="INPUT", help="its path, its name, or eight digits of its SHA-256")
    parser = commands.add(
        gc,
        "delete what no kept commit needs",
        ["lake gc --dry-run", "lake gc --grace 7d"],
        writes=True,
    )
    parser.add_argument("--grace", type=seconds, default=86_400.0, metavar="TIME", help="spare what is younger (24h)")
    parser.add_argument("--before", metavar="N|TIME|TAG", help="give up the commits before this one")
    parser = commands.add(
        compact, "merge small files into large ones, same rows", ["lake compact --dry-run", "lake compact"], writes=True
    )
    names = parser.add_argument("dataset", nargs="?", metavar="DATASET", help="only this table (all)")
    completes(names, "datasets")


def seconds(text: str) -> float:
    """A time span like 90, 15m, 24h or 7d in seconds."""
    from argparse import ArgumentTypeError

    number, unit = (text[:-1], text[-1]) if text[-1:] in UNITS_S else (text, "s")
    if not number.replace(".", "", 1).isdecimal():
        raise ArgumentTypeError(f"{text!r} is no time span like 90s, 15m, 24h or 7d")
    return float(number) * UNITS_S[unit]


def verify(session: Session, args: Namespace) -> int:
    """`lake verify`."""
    from lake.verify import verify as findings_of

    lake = session.lake()
    n_files, n_bytes = len(lake.snapshot.pieces), sum(p.n_bytes for p in lake.snapshot.pieces.values())
    session.say(f"reading {n_files:,} files, {n_bytes / 1e6:,.1f} MB")
    with progress(session, "verify", n_files):
        findings = findings_of(lake, rederive=args.rederive)
    if session.json:
        session.document({"commit": lake.number, "files": n_files, "bytes": n_bytes, "findings": findings})
    for words in [] if session.json else findings:
        session.answer(
            printable(f"{words['what']}  {words['where']}: found {words['found']}, expected {words['expected']}")
        )
    if inputs := sorted({uri for words in findings for uri in words.get("inputs", ())}):
        session.say(printable(f"made of {', '.join(inputs)}"))
        session.say(f"hint: lake forget {shlex.quote(inputs[0])}, then lake run it again")
    n = len(findings)
    how = (
        f"{n:,} thing{' differs' if n == 1 else 's differ'} from what was committed"
        if findings
        else "all as it was committed"
    )
    session.say(f"commit {lake.number}: {how}")
    return 3 if findings else 0


def forget(session: Session, args: Namespace) -> int:
    """`lake forget`."""
    from lake.errors import QueryError
    from lake.names import unknown

    lake = session.lake()
    held: dict[str, list[str]] = {}
    for dataset, sha256 in lake.snapshot.ingested:
        held.setdefault(sha256, []).append(dataset)
    uris = {sha256: lake.snapshot.sources[sha256]["uri"] for sha256 in held}
    chosen: dict[str, str] = {}
    for word in args.inputs:
        found = {s: u for s, u in uris.items() if u in (word, str(Path(word).absolute()))}
        found = found or {s: u for s, u in uris.items() if _is_named(word, s, u)}
        if not found:
            names = sorted({Path(uri).name for uri in uris.values()})
            raise unknown(f"no input {word}", word, names, otherwise='lake sql "from lake.sources"')
        if len(found) > 1:
            raise QueryError(
                f"{word} means {len(found)} inputs: {', '.join(found.values())}; say which", "lake forget -h"
            )
        chosen |= found
    if not args.dry_run:
        with lake.transaction("forget") as tx:
            for sha256 in chosen:
                for dataset in held[sha256]:
                    tx.delete(dataset, sources=[sha256])
    for uri in chosen.values():
        session.say(printable(uri))
    n = len(chosen)
    line = f"{n:,} input{'' if n == 1 else 's'} {{}} forgotten, commit {lake.number}"
    return _done(session, args, {"commit": lake.number, "forgotten": sorted(chosen.values())}, line, n)


def _is_named(word: str, sha256: str, uri: str) -> bool:
    """Whether a word means an input: its hash or the beginning of it, or its name."""
    return (len(word) >= 8 and sha256.startswith(word.lower())) or word == Path(uri).name


def gc(session: Session, args: Namespace) -> int:
    """`lake gc`."""
    from lake.maintain import gc as collect

    lake = session.lake()
    found = collect(lake, grace_s=args.grace, before=args.before, dry_run=args.dry_run)
    line = f"{found['files']:,} files and {found['staging']:,} leftovers {{}} deleted, commit {found['commit']}"
    return _done(session, args, found, line)


def compact(session: Session, args: Namespace) -> int:
    """`lake compact`."""
    from lake.maintain import compact as merge

    found = merge(session.lake(), args.dataset, dry_run=args.dry_run)
    line = f"{found['files_before']:,} files {{}} merged into {found['files_after']:,}, commit {found['commit']}"
    return _done(session, args, found, line)


def _done(session: Session, args: Namespace, found: dict[str, Any], line: str, n: int = 2) -> int:
    """Tell what a command did to `n` things, or would do, in a line with a place for the verb."""
    if session.json:
        session.document({**found, "dry_run": args.dry_run})
    did = "was" if n == 1 else "were"
    session.say(line.format("would be" if args.dry_run else did))
    return 0
