"""The words of the command line; nothing here imports anything heavy."""

import argparse
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from lake.cli.session import Session
from lake.errors import LakeError, QueryError
from lake.names import unknown

Act = Callable[[Session, argparse.Namespace], int]
SHELLS = ("bash", "zsh", "tcsh")
FORMATS = ("table", "csv", "json", "ndjson", "markdown", "parquet")


class Usage(LakeError):
    """The command was used wrongly."""


class Parser(argparse.ArgumentParser):
    """A parser that raises, and offers the nearest name."""

    def format_help(self) -> str:
        """The help, its examples told with a pipeline that is there."""
        text = super().format_help()
        if "{" not in (self.epilog or ""):
            return text
        from lake.pipelines import pipelines

        first = next((p for p in pipelines().values() if p.datasets), None)
        pipeline, dataset = (first.name, first.datasets[0]) if first else ("PIPELINE", "DATASET")
        return text.replace("{pipeline}", pipeline).replace("{dataset}", dataset)

    def error(self, message: str) -> NoReturn:
        raise Usage(f"{message[0].lower()}{message[1:]}", f"{self.prog} --help")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            words = [str(c) for c in action.choices]
            is_command = isinstance(action, argparse._SubParsersAction)
            what = "command" if is_command else "/".join(action.option_strings) or str(action.dest)
            told = unknown(f"no {what} {value}", str(value), words, "lake {} --help" if is_command else "")
            raise Usage(told.message, told.hint or f"{self.prog} --help")

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """The arguments; a mistyped option gets the nearest one offered."""
        found, extra = self.parse_known_args(args, namespace)
        command = getattr(found, "parser", self)
        many = next((a.dest for a in command._get_positional_actions() if a.nargs == "*"), "")
        if many and not any(word.startswith("-") for word in extra):
            # argparse takes a list of words only up to the next option; those after it belong to it as well.
            setattr(found, many, [*getattr(found, many), *extra])
        elif extra:
            options = [o for o in command._option_string_actions if o.startswith("--")]
            told = unknown(f"unknown argument {extra[0]}", extra[0].partition("=")[0], options)
            near = told.message.partition("; nearest is ")[2]
            raise Usage(
                f"unknown argument {extra[0]}" + (f"; nearest is {near}" if near else ""), f"{command.prog} --help"
            )
        return found


class Layout(argparse.RawDescriptionHelpFormatter):
    """Help as wide as COLUMNS says, with room for our long options."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30)


def arguments(words: Sequence[str]) -> argparse.Namespace | None:
    """The parsed command line; None where help or the version was all that was asked."""
    parser = build(words)
    try:
        args: argparse.Namespace = parser.parse_args(list(words))
    except SystemExit:
        return None
    return args


def build(words: Sequence[str] = ()) -> Parser:
    """The parser of all commands; where the words name a pipeline to run, with the options of its own."""
    from lake.cli import ask, history, keep, look, prove, shape, start, work

    parser = Parser(
        prog="lake",
        description="A data lake for light: images and photons under one commit, asked in one SQL.",
        epilog=_epilog(["lake demo", 'lake sql "from lake.commits"']),
        formatter_class=Layout,
    )
    _manners(parser, is_main=True)
    parser.add_argument("--completion", choices=SHELLS, help="print the completion script of a shell")
    parser.add_argument(
        "--version", action="store_true", help="print the version; with --json all that a bug report needs"
    )
    parser.add_argument("--names", choices=("pipelines", "relations", "datasets"), help=argparse.SUPPRESS)
    parser.set_defaults(act=start.nothing_said, parser=parser)
    commands = Commands(parser.add_subparsers(metavar="COMMAND", title="commands", parser_class=Parser))
    for group in (work, look, history, ask, shape, keep, prove):
        group.add(commands)
    work.add_own(commands, words)
    return parser


class Commands:
    """Where the modules of commands put theirs, and find them by name."""

    def __init__(self, actions: Any) -> None:
        self._actions = actions
        self.named: dict[str, Parser] = {}

    def add(self, act: Act, summary: str, examples: Sequence[str], *, writes: bool = False, name: str = "") -> Parser:
        """A command: its function's name is its word, the examples are lines that run."""
        parser: Parser = self._actions.add_parser(
            name or act.__name__,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.",
            epilog=_epilog(examples),
            formatter_class=Layout,
        )
        _manners(parser)
        if writes:
            parser.add_argument("-n", "--dry-run", action="store_true", help="say what would be done, change nothing")
        parser.set_defaults(act=act, parser=parser)
        self.named[name or act.__name__] = parser
        return parser


def _epilog(examples: Sequence[str]) -> str:
    return "\n".join(["examples:", *(f"  {line}" for line in examples)])


def _manners(parser: argparse.ArgumentParser, is_main: bool = False) -> None:
    """The options that every command has, before its word or after it."""

    def default(value: Any) -> Any:
        return value if is_main else argparse.SUPPRESS

    add = parser.add_argument_group("manners").add_argument
    add("--root", default=default(None), metavar="ROOT", help="the lake: a folder or URL (LAKE_ROOT, else ./lakehouse)")
    add("--json", action="store_true", default=default(False), help="one JSON document on stdout, also on failure")
    add("-q", "--quiet", action="store_true", default=default(False), help="only errors on stderr")
    add("-v", "--verbose", action="count", default=default(0), help="a line per file; -vv adds tracebacks")
    add("--color", choices=("auto", "always", "never"), default=default("auto"), help="escapes on a terminal (auto)")


def completes(action: argparse.Action, names: str) -> None:
    """Let a shell complete an argument with names of the present lake."""
    line = f"lake --names {names} 2>/dev/null"
    action.complete = {  # type: ignore[attr-defined]
        "bash": f"_lake_{names}",
        "zsh": f"($({line}))",
        "tcsh": f"`{line}`",
        "preamble": {"bash": f'_lake_{names}() {{ compgen -W "$({line})" -- "$1"; }}'},
    }


def answers(parser: Parser) -> None:
    """The options of a command whose answer is rows."""
    add = parser.add_argument_group("answer").add_argument
    add("--format", choices=FORMATS, metavar="FORMAT", help=f"{', '.join(FORMATS)} (table on a terminal, else csv)")
    add("-o", "--output", metavar="FILE", help="write to a file; its ending chooses the format")
    add("--limit", type=count, metavar="N", help="at most so many rows")


def pins(parser: Parser) -> None:
    """The option that reads an older commit."""
    parser.add_argument("--at", metavar="N|TIME|TAG", help="the lake as it was at a commit")


def parametrised(parser: Parser) -> None:
    """The option that gives values to named parameters."""
    parser.add_argument("--param", action="append", default=[], metavar="K=V", help="a parameter; may be repeated")


def pairs(words: Sequence[str]) -> dict[str, str]:
    """`K=V` words as a mapping.

    Raises
    ------
    Usage
        One has no `=`, or no name before it.
    """
    found = {}
    for word in words:
        name, sign, value = word.partition("=")
        if not sign or not name:
            raise Usage(f"{word!r} is not K=V")
        found[name] = value
    return found


def count(text: str) -> int:
    """A whole number of 0 or more."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of 0 or more")
    return int(text)


def as_usage(error: QueryError) -> Usage:
    """The same error, as one of how the command was used."""
    return Usage(error.message, error.hint)
