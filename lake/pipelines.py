"""Which pipelines there are: found by listing packages, described by what their files say; none is named here."""

import ast
import importlib
import importlib.util
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

from lake.errors import QueryError
from lake.names import unknown
from lake.parameters import Parameter

# A flow is started by a person at a terminal: its scheduler stays silent, calls nobody and may take its time.
PREFECT_AT_HOME = {
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_SERVER_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_TO_API_ENABLED": "false",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
    "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
    "PREFECT_RESULTS_DEFAULT_SERIALIZER": "json",
    "PREFECT_CLI_COLORS": "false",
    "DO_NOT_TRACK": "1",
}
KINDS = {"int": int, "float": float, "bool": bool, "str": str, "Path": Path}
MANY = {"list": list, "Sequence": list, "tuple": tuple}


@dataclass(frozen=True)
class Pipeline:
    """One pipeline, as its files tell of it; nothing of it is imported."""

    name: str
    path: Path

    @cached_property
    def _tree(self) -> ast.Module:
        return ast.parse(self.path.read_text(encoding="utf-8"))

    @property
    def text(self) -> str:
        """What the file of the flow says of it."""
        return ast.get_docstring(self._tree) or ""

    @property
    def doc(self) -> str:
        """The first line of it, with the pipeline's field before the colon."""
        return self.text.partition("\n")[0]

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """What `--param` may set: the flow's keywords but for `strict`."""
        flow = next((n for n in self._tree.body if isinstance(n, ast.FunctionDef) and n.name == self.name), None)
        if flow is None:
            return ()
        named = flow.args.args[2:]
        defaults = [None] * max(0, len(named) - len(flow.args.defaults)) + list(flow.args.defaults)[-len(named) :]
        both = [
            *zip(named, defaults if named else (), strict=False),
            *zip(flow.args.kwonlyargs, flow.args.kw_defaults, strict=True),
        ]
        docs = _parameter_docs(ast.get_docstring(flow) or "")
        return tuple(
            _parameter(a.arg, ast.unparse(a.annotation) if a.annotation else "str", d, docs.get(a.arg, ""))
            for a, d in both
            if a.arg != "strict"
        )

    @cached_property
    def _assigned(self) -> dict[str, ast.expr]:
        """What its schema gives names to, in its order."""
        path = _places("schemas")[0] / f"{self.name}.py"
        body = ast.parse(path.read_text(encoding="utf-8")).body if path.exists() else []
        both = [(n.targets[0], n.value) for n in body if isinstance(n, ast.Assign)]
        return {target.id: value for target, value in both if isinstance(target, ast.Name)}

    @cached_property
    def _declared(self) -> dict[str, str]:
        """Names of its datasets by the names that its schema gives them."""
        calls = {name: call for name, call in self._assigned.items() if isinstance(call, ast.Call)}
        declared = {n: c for n, c in calls.items() if isinstance(c.func, ast.Name) and c.func.id in ("Table", "Array")}
        named = {name: text for name, call in declared.items() if (text := _first_text(call))}
        return {name: text if "." in text else f"{self.name}.{text}" for name, text in named.items()}

    @property
    def datasets(self) -> tuple[str, ...]:
        """Tables and arrays that its schema declares, in its order."""
        return tuple(self._declared.values())

    @property
    def kinds(self) -> tuple[tuple[str, ...], ...]:
        """Datasets that a file fills, by the kind of file: KINDS of its schema, else all that it declares."""
        stated = self._assigned.get("KINDS")
        kinds = stated.elts if isinstance(stated, ast.Tuple) else ()
        groups = [[e.id for e in kind.elts if isinstance(e, ast.Name)] for kind in kinds if isinstance(kind, ast.Tuple)]
        return tuple(tuple(self._declared[name] for name in group) for group in groups) or (self.datasets,)

    @property
    def derives(self) -> bool:
        """Whether it works anything out of what is in the lake already, so that a run needs no new file."""
        return bool(set(self.datasets) - {name for kind in self.kinds for name in kind})

    @cached_property
    def relations(self) -> tuple[str, ...]:
        """Relations of its folder of SQL."""
        files = [path for folder in _places("sql") for path in (folder / self.name).glob("*.sql")]
        return tuple(sorted(f"{self.name}.{path.stem}" for path in files))

    @property
    def has_demo(self) -> bool:
        """Whether it brings sample files with known truth."""
        return (self.path.parent / "demos" / self.path.name).exists()

    @property
    def has_exports(self) -> bool:
        """Whether it writes the files of the program that it comes from."""
        return (self.path.parent / "exports" / self.path.name).exists()

    @property
    def has_bench(self) -> bool:
        """Whether it measures hot paths of its own."""
        return (self.path.parent / "bench" / self.path.name).exists()

    def values(self, given: Mapping[str, str]) -> dict[str, Any]:
        """Parameters as typed, in the types the flow takes.

        Raises
        ------
        QueryError
            One is unknown or not of its type.
        """
        known = {p.name: p for p in self.parameters}
        for name in given:
            if name not in known:
                raise unknown(f"{self.name}: no parameter {name}", name, known, f"lake run {self.name} --param {{}}=")
        try:
            return {name: known[name].value(text) for name, text in given.items()}
        except QueryError as error:
            raise QueryError(f"{self.name}: {error.message}", f"lake run {self.name} --help") from None


def _parameter_docs(text: str) -> dict[str, str]:
    """What a docstring says of each parameter, in a line `name : meaning` of its own and those indented below it."""
    section = text.partition("Parameters\n----------\n")[2].partition("\n\n")[0]
    found = re.findall(r"^(\w+) : (.*(?:\n +.*)*)", section, re.MULTILINE)
    return {name: " ".join(words.split()).rstrip(".") for name, words in found}


def _parameter(name: str, annotation: str, default: ast.expr | None, doc: str) -> Parameter:
    """A parameter as a signature states it; a type that nobody types on a command line is taken as text."""
    words = [word.strip() for word in annotation.split("|")]
    outer, _, inner = next((word for word in words if word != "None"), "str").partition("[")
    kind = KINDS.get(inner.rstrip("]").split(",")[0] if outer in MANY else outer, str)
    many = MANY.get(outer)
    return Parameter(name, doc, "", kind, _constant(default), many=many, is_optional="None" in words)


def _constant(expression: ast.expr | None) -> Any:
    """A default, or its source where it is no constant."""
    try:
        return None if expression is None else ast.literal_eval(expression)
    except ValueError:
        return ast.unparse(expression) if expression else None


def _first_text(call: ast.Call) -> str:
    words = [k.value for k in call.keywords if k.arg == "name"] + call.args[:1]
    return str(words[0].value) if words and isinstance(words[0], ast.Constant) else ""


def _places(package: str) -> list[Path]:
    """Where a package of content lies; it is not imported."""
    spec = importlib.util.find_spec(package)
    return [Path(place) for place in (spec.submodule_search_locations or () if spec else ())] or [Path(package)]


def pipelines() -> dict[str, Pipeline]:
    """Every pipeline there is, by name."""
    files = sorted(path for folder in _places("flows") for path in folder.glob("*.py"))
    return {path.stem: Pipeline(path.stem, path) for path in files if not path.stem.startswith("_")}


def pipeline(name: str) -> Pipeline:
    """The pipeline of a name.

    Raises
    ------
    QueryError
        There is none; the nearest is offered.
    """
    found = pipelines()
    if name not in found:
        raise unknown(f"no pipeline {name}", name, found, "lake run {}")
    return found[name]


def warm_up() -> Any:
    """Start what flows need and take seconds to get: their scheduler's server, in the background."""
    for key, value in PREFECT_AT_HOME.items():
        os.environ.setdefault(key, value)
    return importlib.import_module("flows._server").started()


def flow_of(name: str) -> Callable[..., dict[str, Any]]:
    """The flow itself, with its scheduler quiet and ready; this imports Prefect."""
    server = warm_up()
    flow: Callable[..., dict[str, Any]] = getattr(importlib.import_module(f"flows.{name}"), name)
    if server is not None:
        server.wait()
    return flow


def run(name: str, root: str, paths: Sequence[str], parameters: str | Mapping[str, Any] = "{}") -> dict[str, Any]:
    """Run a pipeline as a recorded run did, its parameters as canonical JSON or a mapping."""
    given = json.loads(parameters) if isinstance(parameters, str) else dict(parameters)
    return flow_of(name)(root, list(paths), **given)


def demo_of(name: str) -> ModuleType:
    """The module that makes a pipeline's sample files and checks what was found in them."""
    return importlib.import_module(f"flows.demos.{name}")


def bench_of(name: str) -> ModuleType:
    """The module that measures a pipeline's own hot paths."""
    return importlib.import_module(f"flows.bench.{name}")


def exports_of(name: str) -> ModuleType:
    """The module that writes the files of the program that a pipeline comes from."""
    return importlib.import_module(f"flows.exports.{name}")
