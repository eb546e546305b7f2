"""One statement out of many SQL files: each relation a CTE, each filter handed the rows of the one before it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lake.errors import QueryError
from lake.names import unknown
from lake.parameters import Parameter
from lake.relations import SQL_TYPES, Relation, literal, no_relation, tokens

Placeholder = Callable[[Parameter], str]


@dataclass(frozen=True)
class Step:
    """One CTE: a relation, and the CTE or table that stands for each name it reads.

    A table of another pipeline is not among them, for it is reached by its qualified name.
    """

    cte: str
    relation: Relation
    inputs: Mapping[str, str]


@dataclass(frozen=True)
class Statement:
    """The CTEs of one question in order, the last one its answer, and the tables it opens.

    Attributes
    ----------
    spine : CTEs along the chain with the name of each, the input of its first filter first.
    """

    steps: tuple[Step, ...]
    answer: str
    tables: frozenset[str]
    spine: tuple[tuple[str, str], ...] = ()

    @property
    def params(self) -> dict[str, Parameter]:
        """Parameters of all steps by name, each with the bounds that any step puts on it.

        Raises
        ------
        QueryError
            Two relations have different defaults for one name.
        """
        found: dict[str, tuple[str, Parameter]] = {}
        for step in self.steps:
            for param in step.relation.params:
                place, old = found.get(param.name, (step.relation.name, param))
                if None not in (old.default, param.default) and old.default != param.default:
                    raise QueryError(
                        f"${param.name}: {old.default} in {place}, {param.default} in {step.relation.name}; "
                        "one name takes one default"
                    )
                bounds = tuple(dict.fromkeys((*old.bounds, *param.bounds)))
                place, kept = (step.relation.name, param) if old.default is None else (place, old)
                found[param.name] = (place, replace(kept, bounds=bounds))
        return {name: param for name, (_, param) in found.items()}

    def ctes(self, placeholder: Placeholder) -> str:
        """The `with` clause, or nothing where the answer is a table."""
        params = self.params
        parts = []
        for step in self.steps:
            aliases = [
                f"{quoted(_alias(step.relation, read))} as (from {where})" for read, where in step.inputs.items()
            ]
            given = f"with {', '.join(aliases)} " if aliases else ""
            text = _substituted(step, params, placeholder)
            parts.append(f"{quoted(step.cte)} as ({given}from (\n{text}\n))")
        return "with " + ",\n".join(parts) + "\n" if parts else ""

    def select(self, placeholder: Placeholder) -> str:
        """The whole statement."""
        return f"{self.ctes(placeholder)}from {self.answer}"


def bound(param: Parameter) -> str:
    """A parameter as a prepared statement has it, in its declared type."""
    return f"${param.name}" if param.kind is None else f"cast(${param.name} as {SQL_TYPES[param.kind]})"


def as_default(param: Parameter) -> str:
    """A parameter as a view has it: its default."""
    return literal(param.default) if param.default is not None else "null"


def plan(known: Mapping[str, Relation], tables: Sequence[str], name: str, chain: Sequence[str] = ()) -> Statement:
    """What must be computed for a relation.

    Parameters
    ----------
    known : relations by qualified name.
    tables : qualified names of the tables there are.
    chain : filters that the rows pass in this order; each stands in for the first input of the one after it, the last
        one for that of `name`, unless it is `name`. Bare names are of the pipeline of `name`.

    Raises
    ------
    QueryError
        A name is neither a relation nor a table.
    """
    pipeline = name.partition(".")[0]
    links = [link if "." in link else f"{pipeline}.{link}" for link in chain]
    links = links if links and links[-1] == name else [*links, name]
    _check_order(known, links)
    steps: dict[str, Step] = {}
    opened: set[str] = set()

    def place(of: str, asker: str = "") -> str:
        """What to select from for a name; what it needs is planned first."""
        if of in known:
            if of not in steps:
                add(of, known[of], None)
            return quoted(of)
        if of not in tables:
            error = no_relation(of, [*known, *tables])
            raise QueryError(f"{asker} reads {of}: {error}", error.hint) if asker else error
        opened.add(of)
        return ".".join(map(quoted, of.split(".")))

    def add(cte: str, relation: Relation, first: str | None) -> None:
        places = [place(r, relation.name) for r in relation.reads[first is not None :]]
        given = zip(relation.reads, places if first is None else [first, *places], strict=True)
        inputs = {read: where for read, where in given if _is_own(relation, read) or '"."' not in where}
        steps[cte] = Step(cte, relation, inputs)

    answer = place(links[0])
    spine = [(_input(known, links[0]), place(_input(known, links[0])))] if len(links) > 1 else []
    spine += [(links[0], answer)] if not spine or spine[0][0] != links[0] else []
    for n, link in enumerate(links[1:], 1):
        if link not in known:
            raise no_relation(link, list(known))
        add(f"{n} {link}", known[link], answer)
        answer = quoted(f"{n} {link}")
        spine.append((link, answer))
    return Statement(tuple(steps.values()), answer, frozenset(opened), tuple(spine))


def _check_order(known: Mapping[str, Relation], links: Sequence[str]) -> None:
    """That the filters of a chain come in an order that makes sense.

    Raises
    ------
    QueryError
        One stands before another that it must follow, comes twice, or misses one that it needs.
    """
    before = _inputs(known, links[0])
    last = known.get(links[0])
    for link in links[1:]:
        relation = known.get(link)
        if relation is None or not relation.stage:
            continue
        if link in before:
            if links.count(link) > 1:
                raise QueryError(f"{link} comes twice in this chain; a filter passes rows once")
            raise QueryError(
                f"{link} after {links[0]}: that one passes rows through it already; put it first or nowhere"
            )
        if last is not None and relation.stage < last.stage:
            raise QueryError(f"{link} after {last.name}: it has to come before it")
        # What rows of a table went through before, only their owner knows.
        if relation.after and last is not None and relation.after not in before:
            raise QueryError(f"{link} without {relation.after}: that one has to come before it")
        before.add(link)
        last = relation


def _inputs(known: Mapping[str, Relation], name: str) -> set[str]:
    """A relation and those that its rows pass before it, where it stands first in a chain."""
    found = {name}
    while name in known and known[name].reads and (name := known[name].reads[0]) not in found:
        found.add(name)
    return found


def _input(known: Mapping[str, Relation], name: str) -> str:
    return known[name].reads[0] if name in known else name


def _is_own(relation: Relation, read: str) -> bool:
    return read.partition(".")[0] == relation.pipeline


def _alias(relation: Relation, read: str) -> str:
    """The name by which a text selects from what it reads: bare, but where two pipelines use one name."""
    pipeline, _, bare = read.partition(".")
    is_shared = any(other != read and other.partition(".")[2] == bare for other in relation.reads)
    return f"{pipeline}_{bare}" if is_shared and pipeline != relation.pipeline else bare


def _substituted(step: Step, params: Mapping[str, Parameter], placeholder: Placeholder) -> str:
    """The text with its parameters replaced, and relations of other pipelines as their CTEs are called."""
    relation = step.relation
    foreign = {read: _alias(relation, read) for read in step.inputs if not _is_own(relation, read)}
    text, end = [], 0
    for found in tokens(relation.text):
        new = placeholder(params[found["param"]]) if found["param"] else _foreign(found["word"] or "", foreign)
        if new:
            text += [relation.text[end : found.start()], new]
            end = found.end()
    return "".join([*text, relation.text[end:]]).rstrip().rstrip(";")


def _foreign(word: str, foreign: Mapping[str, str]) -> str:
    parts = word.split(".")
    alias = foreign.get(".".join(parts[:2]), "") if len(parts) > 1 else ""
    return ".".join([alias, *parts[2:]]) if alias else ""


def quoted(name: str) -> str:
    """An identifier that SQL takes as it is."""
    return '"' + name.replace('"', '""') + '"'


def values(params: Mapping[str, Parameter], given: Mapping[str, Any], what: str) -> dict[str, Any]:
    """Given parameters in their types, the others at their defaults.

    Raises
    ------
    QueryError
        One is unknown, missing, of another type, or out of its bounds.
    """
    for name in given:
        if name not in params:
            raise unknown(f"{what}: no parameter {name}", name, params, f"lake query {what} --param {{}}=")
    try:
        found = {n: p.value(given[n]) if n in given else p.default for n, p in params.items()}
        for name, param in params.items():
            param.check(found[name], found)
    except QueryError as error:
        raise QueryError(f"{what}: {error.message}", f"lake show {what}") from None
    missing = [n for n, value in found.items() if value is None and n not in given]
    if missing:
        words = ", ".join(str(params[n]) for n in missing)
        raise QueryError(f"{what}: missing {words}", f"lake query {what} --param {missing[0]}=")
    return found
