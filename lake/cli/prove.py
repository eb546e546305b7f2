"""Proof on the user's own disk: torture, bench."""

import time
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from lake.cli.parser import Commands, Usage, count
from lake.cli.session import BOLD, GREEN, RED, Session, printable

if TYPE_CHECKING:
    from lake.bench import Line

HEAD = ("what", "ours", "peer", "ratio", "wanted", "held")
ROW = " {:<66}   {:>8}   {:>8}   {:>6}   {:<7}   {}"


def add(commands: Commands) -> None:
    """Put the commands of this module on the command line."""
    parser = commands.add(
        torture,
        "kill writers of a scratch lake on this disk and count what is lost; exit 3 on any loss",
        ["lake torture", "lake torture --kills 300 --root /mnt/archive/lakehouse"],
    )
    how_long = parser.add_mutually_exclusive_group()
    how_long.add_argument("--kills", type=count, default=30, metavar="N", help="how many kills -9 (30)")
    how_long.add_argument("--minutes", type=float, metavar="N", help="how long, rather than how many kills")
    parser.add_argument("--writers", type=count, default=3, metavar="N", help="writers at once (3)")
    parser.add_argument("--seed", type=count, metavar="N", help="of times and victims, to repeat a run (by chance)")
    parser = commands.add(
        bench,
        "measure each hot path on this disk beside its peer and its limit; times are told, never an error",
        ["lake bench --quick", "lake bench commits opening -o bench.csv"],
    )
    parser.add_argument("name", nargs="*", metavar="NAME", help="only these: commits, opening …, or a pipeline (all)")
    parser.add_argument("--quick", action="store_true", help="smaller and fewer, within two minutes")
    parser.add_argument("-o", "--output", metavar="FILE", help="write to a file; its ending chooses the format")


def torture(session: Session, args: Namespace) -> int:
    """`lake torture`."""
    from lake.cli.progress import progress
    from lake.torture import torture as tortured

    if not args.writers or not (args.kills if args.minutes is None else args.minutes > 0):
        raise Usage("torture: found nothing to kill; expected writers, and kills or minutes", "lake torture --help")
    session.say(f"killing {args.writers} writers of a scratch lake below {printable(session.root)}")
    with progress(session, "torture") as state:
        state.unit = "kills"
        proof = tortured(session.root, kills=args.kills, minutes=args.minutes, writers=args.writers, seed=args.seed)
    if session.json:
        session.document(proof.to_json())
    else:
        for line in proof.lines():
            session.answer(printable(line))
    if not proof.holds:
        session.say(f"what was found is kept: lake verify --root {proof.root}")
    return 0 if proof.holds else 3


def bench(session: Session, args: Namespace) -> int:
    """`lake bench`."""
    from lake.bench import benches
    from lake.cli.output import chosen, rows_of, show
    from lake.names import unknown

    started = time.monotonic()
    known = list(benches())
    for name in args.name:
        if name not in known:
            told = unknown(f"no bench {name}", name, known, "lake bench {} --help")
            raise Usage(told.message, told.hint)
    if "://" in session.root:
        raise Usage(f"bench: {session.root} is no folder, and what is measured is a disk", "lake bench --help")
    form = chosen(session, args)
    is_told = form == "table" and not args.output
    if is_told:
        session.answer(session.painted(ROW.format(*HEAD), BOLD))
    records = []
    for name, line in _measured(session, args.name or known, args.quick):
        if is_told:
            _tell(session, line)
        records.append({"bench": name, **line.to_json()})
    bounded = [r["held"] for r in records if r["held"] is not None]
    counts = {"wanted": len(bounded), "held": sum(bounded), "seconds": round(time.monotonic() - started, 1)}
    if session.json and not args.output:
        session.document({**_machine(session), "quick": args.quick, "lines": records, **counts})
    elif not is_told:
        show(session, args, rows_of(records, tuple(records[0])))
    session.say(f"{counts['held']} of {counts['wanted']} bounds held, {len(records)} lines, {counts['seconds']:.0f} s")
    return 0


def _measured(session: Session, names: Sequence[str], quick: bool) -> "Iterator[tuple[str, Line]]":
    """What some benches measure, each said as it begins."""
    from lake.bench import measure

    where = _machine(session)
    session.say(f"measuring on {where['file_system']} below {printable(session.root)}; {where['machine']}")
    for place, name in enumerate(names, 1):
        session.say(f"{name}: {place} of {len(names)}")
        with closing(measure(session.root, name, quick=quick)) as lines:
            for line in lines:
                yield name, line


def _machine(session: Session) -> dict[str, object]:
    """Where and with what it is measured."""
    import os
    import platform

    from lake.provenance import package_versions
    from lake.scratch import file_system_of

    machine = f"{platform.system()} {platform.release()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    words = {"root": session.root, "file_system": file_system_of(session.root), "machine": machine}
    return {**words, "packages": package_versions()}


def _tell(session: Session, line: "Line") -> None:
    """One line of the table."""
    import sys

    *cells, held = line.cells()
    colour = GREEN if line.held else RED
    session.answer(ROW.format(*cells, session.painted(held, colour, sys.stdout)).rstrip())
