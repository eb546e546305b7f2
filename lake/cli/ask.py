"""Questions: sql, query."""

import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lake.cli.output import show
from lake.cli.parser import Commands, Usage, answers, completes, pairs, parametrised, pins
from lake.cli.session import Session

if TYPE_CHECKING:
    from lake.answer import Answer


def add(commands: Commands) -> None:
    """Put the commands of this module on the command line."""
    parser = commands.add(
        sql,
        "ask in SQL over every table and relation",
        ['lake sql "from lake.commits"', "echo 'select count(*) as n_files from lake.files' | lake sql --json -"],
    )
    parser.add_argument("text", nargs="?", metavar="SQL", help="a statement, or - to read it from stdin")
    parser.add_argument("-f", "--file", metavar="FILE", help="read the statement from a file")
    parser.add_argument(
        "--untrusted", action="store_true", help="a stranger's statement: one select, 30 s, 2 GiB, 100,000 rows at most"
    )
    for options in (parametrised, pins, answers):
        options(parser)
    parser = commands.add(
        query,
        "ask a named relation, its parameters given",
        ["lake query lake.datasets", "lake query lake.commits --at 0 --format json"],
    )
    names = parser.add_argument("relation", metavar="PIPELINE.RELATION", help="a relation of sql/, or a table")
    completes(names, "relations")
    parser.add_argument("--chain", metavar="R,R…", help="pass the rows through these filters, in this order, first")
    parser.add_argument("--cut-flow", action="store_true", help="how many rows each step of the chain keeps")
    for options in (parametrised, pins, answers):
        options(parser)


def sql(session: Session, args: Namespace) -> int:
    """`lake sql`."""
    text = _statement(args)
    lake, params = session.lake(args.at), pairs(args.param)
    if args.untrusted:
        from lake import untrusted

        return _told(session, args, untrusted.sql(lake, text, params))
    answer = lake.sql(text, **params)
    return _told(session, args, answer)


def _statement(args: Namespace) -> str:
    if (args.text is None) == (args.file is None):
        raise Usage("one statement, as an argument, with -f FILE or as - from stdin", "lake sql 'from lake.commits'")
    if args.file:
        return Path(args.file).read_text(encoding="utf-8")
    return sys.stdin.read() if args.text == "-" else str(args.text)


def query(session: Session, args: Namespace) -> int:
    """`lake query`."""
    from lake.query import cut_flow, explain_empty

    lake = session.lake(args.at)
    params = pairs(args.param)
    chain = [name.strip() for name in (args.chain or "").split(",") if name.strip()]
    if args.cut_flow:
        return _told(session, args, cut_flow(lake, _chained(chain, args.relation), **params))
    answer = lake.query(args.relation, chain=chain or None, **params)
    if not len(answer) and not chain:
        _told(session, args, answer, explain_empty(lake, args.relation, **params))
        return 0
    chained = f"the chain {', '.join([*chain, args.relation])} leaves none; --cut-flow shows where" if chain else ""
    return _told(session, args, answer, chained if not len(answer) else "")


def _chained(chain: Sequence[str], relation: str) -> list[str]:
    """The whole chain, the relation itself last; bare names are of its pipeline."""
    pipeline = relation.partition(".")[0]
    links = [name if "." in name else f"{pipeline}.{name}" for name in chain]
    return links if links[-1:] == [relation] else [*links, relation]


def _told(session: Session, args: Namespace, answer: "Answer", why_empty: str = "") -> int:
    """The answer's rows; where there are none, the reason."""
    show(session, args, answer.arrow(), f"commit {answer.commit}, {answer.seconds:.2f} s", why_empty)
    return 0
