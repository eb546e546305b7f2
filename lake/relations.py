"""Relations: the SQL files of every pipeline, and what their headers declare."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import cache
from importlib import resources
from typing import Any

from lake.columns import IDENTIFIER
from lake.errors import QueryError
from lake.names import unknown

CODE = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\$(?P<param>[a-z_]\w*)|\"(?P<quoted>[^\"]+)\"|(?P<word>[a-zA-Z_]\w*(?:\.[a-zA-Z_]\w*)*)", re.S)  # fmt: skip  # noqa: E501
ENTRY = re.compile(r"(grain|reads|stage|param|source)\s+(.*)")
STAGE = re.compile(r"(\d+)(?:, after (\w+))?")
ABOVE, INSIDE = re.compile(r"\babove (-?\d+(?:\.\d+)?)"), re.compile(r"\bin \((-?[\d.]+), (-?[\d.]+)\]")
PARAM = re.compile(r"\$(?P<name>\w+)(?:\s*=\s*(?P<default>'(?:[^']|'')*'|\S+))?(?:\s+(?P<doc>.*?))?(?:\s*\[(?P<unit>[^\]]*)\])?")  # fmt: skip  # noqa: E501
TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
SQL_TYPES = {bool: "boolean", int: "bigint", float: "double", str: "varchar", datetime: "timestamp"}
KINDS = {bool: "true or false", int: "whole number", float: "number", str: "text", datetime: "UTC time"}


@dataclass(frozen=True)
class Parameter:
    """A parameter of a relation.

    Attributes
    ----------
    name, doc, unit : as the header states them.
    kind : Python type of its values, from the default, else from the unit; None takes any, and DuckDB fits text itself.
    default : its value where none is given; None means that one must be.
    """

    name: str
    doc: str = ""
    unit: str = ""
    kind: type | None = None
    default: Any = None

    def __str__(self) -> str:
        start = f"${self.name}" if self.default is None else f"${self.name} = {literal(self.default, plain=True)}"
        return "  ".join(filter(None, [start, self.doc, self.unit and f"[{self.unit}]"]))

    def value(self, given: Any) -> Any:
        """A given value, or what a person typed, in the parameter's type.

        Raises
        ------
        QueryError
            It is no such value, or outside the bounds that the sentence states.
        """
        found = self._typed(given)
        if isinstance(found, int | float) and not self._allows(found):
            raise QueryError(f"${self.name}: found {given}, expected {self.doc}")
        return found

    def _allows(self, value: float) -> bool:
        """Whether a number is in the bounds that the sentence states: `above 0`, `in (0, 1]`."""
        above, inside = ABOVE.search(self.doc), INSIDE.search(self.doc)
        if above and not value > float(above[1]):
            return False
        return not inside or float(inside[1]) < value <= float(inside[2])

    def _typed(self, given: Any) -> Any:
        if hasattr(given, "item") and getattr(given, "ndim", 0) == 0:
            given = given.item()
        try:
            if self.kind is not None:
                return _as_kind(given, self.kind)
            is_typed = not isinstance(given, str) or self.unit
            return _guessed(given) if is_typed else given
        except (ValueError, TypeError, KeyError, OverflowError):
            raise QueryError(f"${self.name}: {given!r} is no {KINDS[self.kind or str]}") from None


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
    declared = {p.name for p in params}
    for missing in sorted(used - declared):
        raise QueryError(f"{place}: ${missing} is used, expected a line `-- param   ${missing}  …`")
    for idle in sorted(declared - used):
        raise QueryError(f"{place}: ${idle} is declared, but no `${idle}` found in the statement")
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
        raise QueryError(f"{place}: param {line!r} found, expected `$name = default  meaning  [unit]`")
    unit = (found["unit"] or "").strip()
    default = None if found["default"] is None else _default(found["default"])
    kind = type(default) if default is not None else float if unit not in ("", "1") else None
    return Parameter(found["name"], (found["doc"] or "").strip(), unit, kind, default)


def _default(text: str) -> Any:
    if text.startswith("'"):
        words = text[1:-1].replace("''", "'")
        found = _guessed(words)
        return found if isinstance(found, datetime) else words
    return {"true": True, "false": False}[text] if text in ("true", "false") else _guessed(text)


def _guessed(given: Any) -> Any:
    """A typed value of a text that looks like a number or an instant; anything else as it is."""
    if not isinstance(given, str):
        return utc(given) if isinstance(given, date) else given
    for kind in (int, float, datetime):
        try:
            return _as_kind(given, kind)
        except ValueError:
            pass
    return given


def _as_kind(given: Any, kind: type) -> Any:
    if kind is bool:
        return given if isinstance(given, bool) else TRUTHS[str(given).lower()]
    if kind is datetime:
        return utc(given if isinstance(given, date) else datetime.fromisoformat(str(given)))
    if kind is int and not isinstance(given, str) and int(given) != given:
        raise ValueError
    if kind is str or not isinstance(given, bool):
        return kind(given)
    raise TypeError


def utc(moment: date) -> datetime:
    """UTC without a zone, which is what the tables hold."""
    from datetime import UTC

    if not isinstance(moment, datetime):
        return datetime.combine(moment, time())
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def literal(value: Any, *, plain: bool = False) -> str:
    """A value as SQL; `plain` as a header states it, else in the very type that a bound parameter has."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) and plain:
        return repr(value)
    quoted = "'" + str(value).replace("'", "''") + "'"
    return quoted if plain or isinstance(value, str) else f"cast({quoted} as {SQL_TYPES[type(value)]})"


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
        return unknown(f"{pipeline}: no relation {bare}", bare, mine, f"{command} {pipeline}.{{}}")
    if dot:
        pipelines = {n.partition(".")[0] for n in names}
        return unknown(f"no pipeline {pipeline}", pipeline, pipelines, f"{command} {{}}.{bare}")
    return unknown(f"no relation {name}", name, names, f"{command} {{}}")
