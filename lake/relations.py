"""Relations: the SQL files of every pipeline, and what their headers declare.

A file begins with a comment: some sentences, the first of which says what a row is, an empty line, then entries.

    -- Photons per time bin.
    --
    -- grain   one row per obs_id, time_bin
    -- reads   good_events, common_good_times
    -- stage   4, after good_events
    -- param   $bin_s = 100.0  width of a bin  [s]  above 0
    -- source  where the method is published

`grain` and `reads` stand once, a `param` for each parameter, `stage` and `source` where there is something to say. A
parameter has a name, a default unless a value must be given, a meaning, its unit (`1` for a pure number), and bounds:

- `above N`, `at least N`, `below N`, `at most N`, several with commas between; N is a number or another `$parameter`;
- `whole` for whole numbers, which a default without a point says as well;
- `may be infinite`, where it may: any other number has to be finite.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from importlib import resources
from typing import Any

from lake.columns import IDENTIFIER
from lake.errors import QueryError
from lake.names import unknown
from lake.parameters import BOUND, INFINITE, NUMBERS, WHOLE, Bound, Parameter, guessed, plain

CODE = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\$(?P<param>[a-z_]\w*)|\"(?P<quoted>[^\"]+)\"|(?P<word>[a-zA-Z_]\w*(?:\.[a-zA-Z_]\w*)*)", re.S)  # fmt: skip  # noqa: E501
ENTRY = re.compile(r"(grain|reads|stage|param|source)\s+(.*)")
STAGE = re.compile(r"(\d+)(?:, after (\w+))?")
PARAM = re.compile(
    r"\$(?P<name>\w+)(?:\s*=\s*(?P<default>'(?:[^']|'')*'|\S+))?(?:\s+(?P<doc>[^\[]*?))?"
    r"(?:\s*\[(?P<unit>[^\]]*)\]\s*(?P<bounds>.*))?"
)
BOUNDS = "`above N`, `at least N`, `below N` or `at most N` with a number or a $parameter, `whole` or `may be infinite`"
SQL_TYPES = {bool: "boolean", int: "bigint", float: "double", str: "varchar", datetime: "timestamp"}


@dataclass(frozen=True)
class Relation:
    """One `select` of `sql/`, named `<pipeline>.<file>`.

    Attributes
    ----------
    doc : first sentence of the header.
    grain : what one row is, `obs_id, event_id` say.
    reads : relations and tables it selects from, all qualified; the first is its input in a chain.
    params : parameters that its own text uses.
    source : where the method is published, or empty.
    text : the file.
    stage : place in a chain of filters: stages never fall, and no filter comes twice; 0 where the order is free.
    after : qualified name of a filter that must have come before, or empty.
    """

    name: str
    doc: str
    grain: str
    reads: tuple[str, ...]
    params: tuple[Parameter, ...]
    source: str
    text: str
    stage: int = 0
    after: str = ""

    @property
    def pipeline(self) -> str:
        """The pipeline it belongs to."""
        return self.name.partition(".")[0]


@cache
def relations() -> Mapping[str, Relation]:
    """Every relation there is by its qualified name, found by listing `sql/`.

    Raises
    ------
    QueryError
        A header is not as it should be, or relations read each other in a circle.
    """
    found = {}
    for folder in sorted(resources.files("sql").iterdir(), key=lambda f: f.name):
        if folder.is_dir() and IDENTIFIER.fullmatch(folder.name):
            for file in sorted(folder.iterdir(), key=lambda f: f.name):
                if file.name.endswith(".sql"):
                    name = f"{folder.name}.{file.name.removesuffix('.sql')}"
                    found[name] = parsed(name, file.read_text(encoding="utf-8"))
    inner_first(found, found)
    return found


def parsed(name: str, text: str) -> Relation:
    """The relation in a file.

    Raises
    ------
    QueryError
        Something in the header is missing, unknown or not used.
    """
    pipeline, _, bare = name.partition(".")
    place = f"sql/{pipeline}/{bare}.sql"
    if not IDENTIFIER.fullmatch(bare):
        raise QueryError(f"{place}: {bare!r} found, expected lower-case letters, digits and _, a letter first")
    doc, entries = _header(text)
    if not doc:
        raise QueryError(f"{place}: no sentence found, expected one that says what a row is, as `-- …` on top")
    words = {
        kind: [value for k, value in entries if k == kind] for kind in ("grain", "reads", "param", "source", "stage")
    }
    for kind in ("grain", "reads"):
        if len(words[kind]) != 1:
            raise QueryError(f"{place}: {len(words[kind])} lines `{kind}` found, expected one")
    reads = tuple(r if "." in r else f"{pipeline}.{r}" for r in re.split(r"[,\s]+", words["reads"][0].strip(" ,")))
    params = tuple(_parameter(place, line) for line in words["param"])
    used = {found["param"] for found in tokens(text) if found["param"]}
    declared = {p.name: p for p in params}
    if len(declared) < len(params):
        raise QueryError(
            f"{place}: a parameter is declared twice, expected {', '.join(f'${n}' for n in declared)} once"
        )
    for missing in sorted(used - declared.keys()):
        raise QueryError(f"{place}: ${missing} is used, expected a line `-- param   ${missing}  …`")
    for idle in sorted(declared.keys() - used):
        raise QueryError(f"{place}: ${idle} is declared, but no `${idle}` found in the statement")
    _check_pairs(place, declared)
    grain = words["grain"][0].removeprefix("one row per ")
    stage = STAGE.fullmatch(" ".join(words["stage"]) or "0")
    if not stage:
        raise QueryError(f"{place}: stage {words['stage'][0]!r} found, expected `3` or `3, after relation`")
    after = f"{pipeline}.{stage[2]}" if stage[2] else ""
    return Relation(name, doc, grain, reads, params, " ".join(words["source"]), text, int(stage[1]), after)


def tokens(text: str) -> Iterator[re.Match[str]]:
    """Parameters, names and quoted names of a statement; what is in comments and strings has no group."""
    return CODE.finditer(text)


def _header(text: str) -> tuple[str, list[tuple[str, str]]]:
    """The first sentence of the leading comment, and its entries in order."""
    prose: list[str] = []
    entries: list[tuple[str, str]] = []
    is_prose = True
    for line in text.splitlines():
        if not line.startswith("--"):
            break
        words = line[2:].strip()
        if found := ENTRY.fullmatch(words):
            entries.append((found[1], found[2]))
            is_prose = False
        elif entries and words:
            entries[-1] = (entries[-1][0], f"{entries[-1][1]} {words}")
        elif is_prose and words:
            prose.append(words)
        else:
            is_prose = is_prose and not prose
    sentence = re.match(r".*?\.(?=\s|$)", " ".join(prose))
    return (sentence[0] if sentence else " ".join(prose)), entries


def _parameter(place: str, line: str) -> Parameter:
    found = PARAM.fullmatch(line.strip())
    if not found or not IDENTIFIER.fullmatch(found["name"]):
        raise QueryError(f"{place}: param {line!r} found, expected `$name = default  meaning  [unit]  bounds`")
    unit = (found["unit"] or "").strip()
    default = None if found["default"] is None else _default(found["default"])
    kind = type(default) if default is not None else float if unit not in ("", "1") else None
    words = [word.strip() for word in (found["bounds"] or "").split(",") if word.strip()]
    bounds = tuple(_bound(place, found["name"], word) for word in words if word not in (WHOLE, INFINITE))
    if len(bounds) < len(words) or any(not isinstance(bound.limit, str) for bound in bounds):
        kind = int if WHOLE in words and kind in (None, float) else kind or float
        if kind not in NUMBERS:
            raise QueryError(f"{place}: ${found['name']}: {', '.join(words)!r} found, expected it of a number only")
    made = Parameter(found["name"], (found["doc"] or "").strip(), unit, kind, default, bounds, INFINITE in words)
    return made if default is None else replace(made, default=_kept(place, made))


def _bound(place: str, name: str, text: str) -> Bound:
    if found := BOUND.fullmatch(text):
        limit = found[2] or guessed(found[3])
        if found[2] or (isinstance(limit, int | float) and math.isfinite(limit)):
            return Bound(found[1], limit)
    raise QueryError(f"{place}: ${name}: bound {text!r} found, expected {BOUNDS}")


def _kept(place: str, param: Parameter) -> Any:
    """The default, which keeps its own bounds."""
    try:
        return param.value(param.default)
    except QueryError as error:
        raise QueryError(f"{place}: default of ${error.message}") from error


def _check_pairs(place: str, params: Mapping[str, Parameter]) -> None:
    """That bounds between parameters name others of the same file that can be compared, and that defaults keep them.

    Raises
    ------
    QueryError
        One does not.
    """
    for param in params.values():
        for bound in (b for b in param.bounds if isinstance(b.limit, str)):
            other = params.get(str(bound.limit))
            if other is None or other is param:
                others = ", ".join(f"${n}" for n in params if n != param.name) or "no other parameter"
                raise QueryError(f"{place}: ${param.name}: bound '{bound}' found, expected one of {others}")
            are_numbers = param.kind in NUMBERS and other.kind in NUMBERS
            if not are_numbers and (param.kind is not datetime or other.kind is not datetime):
                raise QueryError(f"{place}: ${param.name}: bound '{bound}' found, expected numbers or instants on both")
        try:
            param.check(param.default, {n: p.default for n, p in params.items()})
        except QueryError as error:
            raise QueryError(f"{place}: default of ${error.message}") from error


def _default(text: str) -> Any:
    if text.startswith("'"):
        words = text[1:-1].replace("''", "'")
        found = guessed(words)
        return found if isinstance(found, datetime) else words
    return {"true": True, "false": False}[text] if text in ("true", "false") else guessed(text)


def literal(value: Any) -> str:
    """A value as SQL, in the very type that a bound parameter has."""
    if isinstance(value, bool | int | str):
        return plain(value)
    return f"cast({plain(str(value))} as {SQL_TYPES[type(value)]})"


def inner_first(known: Mapping[str, Relation], names: Sequence[str] | Mapping[str, Relation]) -> list[str]:
    """These relations and all that they read, each after what it reads; tables are left out.

    Raises
    ------
    QueryError
        They read each other in a circle.
    """
    done: dict[str, bool] = {}

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            raise QueryError("relations read each other in a circle: " + " reads ".join((*path, name)))
        if name in known and name not in done:
            for inner in known[name].reads:
                visit(inner, (*path, name))
            done[name] = True

    for name in names:
        visit(name, ())
    return list(done)


def no_relation(name: str, names: Sequence[str], command: str = "lake query") -> QueryError:
    """The error for a relation that isn't there: the nearest of its pipeline, or the nearest pipeline."""
    pipeline, dot, bare = name.partition(".")
    mine = [n.partition(".")[2] for n in names if n.partition(".")[0] == pipeline]
    if dot and mine:
        told = f"{pipeline}: no relation {bare}"
        return unknown(told, bare, mine, f"{command} {pipeline}.{{}}", otherwise="lake ls")
    if dot:
        pipelines = {n.partition(".")[0] for n in names}
        return unknown(f"no pipeline {pipeline}", pipeline, pipelines, f"{command} {{}}.{bare}", otherwise="lake ls")
    return unknown(f"no relation {name}", name, names, f"{command} {{}}", otherwise="lake ls")
