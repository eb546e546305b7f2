"""The table of layers: who may import whom, how light `import lake` is, and how long a file may be."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

REPO = Path(__file__).parent.parent
# What each layer may import beside Python's own modules, at the top of a module or inside a function.
ALLOWED = {
    "flows": ("flows", "schemas", "lake", "prefect"),
    "flows/bench": ("flows", "schemas", "lake", "numpy", "pyarrow", "polars", "duckdb", "astropy"),
    "flows/exports": ("flows", "lake", "h5py", "numpy"),
    "flows/demos": ("flows.demos", "lake.store", "lake.synth", "polars"),
    "schemas": ("schemas", "lake.schema", "pyarrow"),
    "lake/readers": (
        "lake.readers", "lake.errors", "lake.source", "lake.clocks", "lake.limits",
        "numpy", "astropy", "cdflib", "h5py", "imagecodecs", "isal",
    ),
    "lake/kernels": (
        "lake.kernels", "lake.errors", "lake.source", "lake.clocks", "lake.units", "numpy", "scipy", "numba", "skimage",
        "erfa", "sgp4",
    ),
    "lake/synth": ("lake.synth", "lake.kernels", "numpy", "astropy"),
    "lake/bench": (
        "lake", "numpy", "pyarrow", "polars", "duckdb", "zarr", "dask", "deltalake", "pyiceberg",
    ),
    "lake/cli": ("lake", "pyarrow", "rich", "shtab"),
    "lake": (
        "lake", "numpy", "pyarrow", "polars", "duckdb", "zarr", "numcodecs", "xarray", "dask", "distributed", "fsspec",
        "astropy", "erfa", "sunpy", "matplotlib", "deltalake",
    ),
}  # fmt: skip
# Of `lake`, what its own engine keeps its hands off: science, simulators and the command.
ABOVE = ("lake.kernels", "lake.synth", "lake.cli")
INSTRUMENTS = ("Chandra", "NICER", "XMM", "Hubble", "HST", "THEMIS", "GOES", "AIA")


def modules(layer: str) -> list[Path]:
    """Source files of a layer, without those of the layers inside it."""
    inside = {REPO / other for other in ALLOWED if other.startswith(f"{layer}/")}
    return [p for p in sorted((REPO / layer).rglob("*.py")) if not inside & set(p.parents)]


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, wherever it does."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{a.name}" for a in node.names)


def is_of(name: str, packages: Iterable[str]) -> bool:
    """Whether a module is one of some packages, or in one."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)


@pytest.mark.parametrize("layer", ALLOWED)
def test_each_layer_imports_only_what_is_below_it(layer):
    found = [
        f"{path.relative_to(REPO)} imports {name}"
        for path in modules(layer)
        for name in imports(path)
        if name.partition(".")[0] not in sys.stdlib_module_names
        if not is_of(name, ALLOWED[layer]) or (layer == "lake" and is_of(name, ABOVE))
    ]
    assert found == []


def test_kernels_read_and_write_nothing():
    for path in modules("lake/kernels"):
        calls = [n.func for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)]
        assert not {c.id for c in calls if isinstance(c, ast.Name)} & {"open", "print"}, path.name


def test_the_engine_names_no_instrument():
    for path in (*modules("lake"), *modules("lake/bench")):
        text = path.read_text()
        assert [name for name in INSTRUMENTS if name in text] == [], path.name


def test_modules_import_in_no_circle():
    graph = {}
    for path in (REPO / "lake").rglob("*.py"):
        name = ".".join(path.relative_to(REPO).with_suffix("").parts).removesuffix(".__init__")
        graph[name] = {n for n in top_level_imports(path) if n.startswith("lake.")}
    seen: dict[str, int] = {}

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, f"{' imports '.join((*trail, name))}"
        if name in seen:
            return
        for other in graph.get(name, ()):
            visit(other, (*trail, name))
        seen[name] = 1

    for name in graph:
        visit(name, ())


def top_level_imports(path: Path) -> Iterator[str]:
    """Modules that are imported when this one is."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def test_importing_the_lake_loads_nothing_heavy():
    loaded = loaded_by("import lake")
    heavy = {"prefect", "dask", "astropy", "sunpy", "pandas", "xarray", "duckdb", "pyarrow", "numpy", "zarr", "polars"}
    assert heavy & loaded == set()


def test_opening_a_lake_loads_no_flow_and_no_astronomy():
    loaded = loaded_by("from lake.store import Lake")
    assert {"prefect", "dask", "astropy", "sunpy", "flows"} & loaded == set()


def loaded_by(statement: str) -> set[str]:
    """Packages that a fresh Python has loaded after a statement."""
    code = f"import sys; {statement}; print(*{{m.partition('.')[0] for m in sys.modules}})"
    command = [sys.executable, "-c", code]
    return set(subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=True).stdout.split())


def test_the_lock_names_no_index_and_hashes_everything():
    lines = (REPO / "requirements.lock").read_text().splitlines()
    assert not any("://" in line or "index" in line.split("==")[0] for line in lines)
    pinned = [line for line in lines if "==" in line.partition(";")[0]]
    assert len(pinned) > 100
    assert all(line.endswith("\\") for line in pinned)


LONGEST = {"flows": 400, "lake": 400, "schemas": 400, "sql": 80, "tests": 400}
SCREEN = 50


def test_files_stay_readable():
    long = [
        f"{path.relative_to(REPO)}: {n}"
        for top, most in LONGEST.items()
        for path in (REPO / top).rglob("*.sql" if top == "sql" else "*.py")
        if (n := len(path.read_text().splitlines())) > most
    ]
    assert long == []


def test_functions_fit_on_a_screen():
    long = [
        f"{path.relative_to(REPO)}: {node.name} has {n} lines"
        for top in ("flows", "lake", "schemas", "tests")
        for path in (REPO / top).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and (n := node.end_lineno - node.lineno + 1) > SCREEN
    ]
    assert long == []


ARRAYS = re.compile(r"ArrayLike|NDArray|Floats|Flags|Masked|GoodTimes|EventList")
SHAPE, UNIT = re.compile(r"\bshape \("), re.compile(r"\[[^\[\]\n]+\]|\bflag\b")
FLOATS = re.compile(r"^\w[\w, ]* : .*\bfloat|GoodTimes|EventList", re.MULTILINE)


def array_functions() -> Iterator[tuple[str, str, str]]:
    """Name, signature and docstring of every public function of the kernels that takes or gives arrays."""
    for path in (*modules("lake/kernels"), REPO / "lake/tiles.py"):
        body = ast.parse(path.read_text()).body
        inner = [n for c in body if isinstance(c, ast.ClassDef) and c.name[0] != "_" for n in c.body]
        for node in (n for n in (*body, *inner) if isinstance(n, ast.FunctionDef) and n.name[0] != "_"):
            signature = f"{ast.unparse(node.args)} -> {ast.unparse(node.returns) if node.returns else ''}"
            if ARRAYS.search(signature):
                yield f"{path.stem}.{node.name}", signature, ast.get_docstring(node) or ""


def test_a_kernel_tells_shapes_units_and_what_no_number_gives():
    missing = []
    for name, _, doc in array_functions():
        taken = doc.partition("Parameters\n")[2].partition("Returns\n")[0]
        missing += [f"{name}: no shape"] * (not SHAPE.search(doc))
        missing += [f"{name}: no unit, [1] or flag"] * (not UNIT.search(doc))
        missing += [f"{name}: not what NaN gives"] * (bool(FLOATS.search(taken)) and "NaN" not in doc)
    assert missing == []
    assert len(list(array_functions())) >= 15
