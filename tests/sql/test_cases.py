"""Cases of relations: `cases/<pipeline>/<relation>/<case>/` holds what is given and what is to come out.

`given_<name>.csv` are rows of a table, or of a relation, whose `select` is then left out; a table's other columns are
null. `params.json` are parameters, and with "chain" the filters before it. `expect.csv` are the rows and columns that
come out, in any order unless the relation is a figure's. An empty field is null.
"""

import csv
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from lake.relations import relations
from lake.schema import Column, Table
from lake.store import Lake
from tests.builders.asked import Asked, declared_tables
from tests.builders.lakes import origin

CASES = Path(__file__).parent / "cases"
FOLDERS = sorted(p.parent for p in CASES.glob("*/*/*/expect.csv"))
PIPELINES = sorted({name.partition(".")[0] for name in relations()})
N_ROWS = 300


def read(path: Path) -> dict[str, list[str | None]]:
    """Columns of a CSV file as text."""
    with path.open(newline="") as file:
        names, *rows = csv.reader(file)
    assert all(len(row) == len(names) for row in rows), path
    return {name: [row[k] or None for row in rows] for k, name in enumerate(names)}


def typed(pipeline: str, name: str, columns: dict[str, list[str | None]]) -> pa.Table:
    """Columns in the types that the table declares, or else any table; other columns are what they look like."""
    tables = declared_tables(pipeline)
    declared = {c.name: c.type for t in tables.values() for c in t.columns}
    declared |= {c.name: c.type for c in tables[name].columns} if name in tables else {}
    return pa.table({n: as_type(pa.array(v, pa.string()), declared.get(n)) for n, v in columns.items()})


def as_type(values: pa.Array, kind: pa.DataType | None) -> pa.Array:
    """Text as a type; without one the first of whole numbers, numbers, truths and text that fits."""
    if kind is not None:
        return values.cast(kind)
    for guess in (pa.int64(), pa.float64(), pa.bool_()):
        try:
            return values.cast(guess)
        except pa.ArrowInvalid:
            pass
    return values


def grain(name: str) -> list[str]:
    """Columns of which no two rows have the same values."""
    return [column.strip() for column in relations()[name].grain.split(",")]


def ordered(rows: pa.Table, name: str) -> pa.Table:
    is_figure = name.partition(".")[2].startswith("fig_")
    return rows if is_figure else rows.sort_by([(column, "ascending") for column in grain(name)])


def nearly(value: Any) -> Any:
    return pytest.approx(value, rel=1e-9, abs=1e-9) if isinstance(value, float) else value


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda f: str(f.relative_to(CASES)))
def test_what_is_given_gives_what_is_expected(folder):
    pipeline, relation, _ = folder.relative_to(CASES).parts
    names = {p: p.stem.removeprefix("given_") for p in sorted(folder.glob("given_*.csv"))}
    asked = Asked(pipeline, **{name: typed(pipeline, name, read(path)) for path, name in names.items()})
    path = folder / "params.json"
    params: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    rows = asked.ask(relation, tuple(params.pop("chain", ())), **params)
    expected = read(folder / "expect.csv")
    assert rows.column_names == list(expected)
    keys = zip(*(expected[column] for column in grain(f"{pipeline}.{relation}")), strict=True)
    assert len(set(keys)) == len(rows)
    wanted = pa.table({n: pa.array(v, pa.string()).cast(rows[n].type) for n, v in expected.items()})
    found, wanted = (ordered(t, f"{pipeline}.{relation}").to_pydict() for t in (rows, wanted))
    for column, values in wanted.items():
        assert found[column] == [nearly(v) for v in values], column


def made_up(column: Column, rng: np.random.Generator, n: int) -> pa.Array:
    """Values of a column from so few that keys meet and joins find each other."""
    few = rng.integers(0, 12, n)
    if pa.types.is_string(column.type):
        values: list[Any] = [f"made-{k % 4}" for k in few]
    elif pa.types.is_boolean(column.type):
        values = (few > 2).tolist()
    elif pa.types.is_timestamp(column.type):
        values = (np.datetime64("2020-01-01", "us") + few * np.timedelta64(600, "s")).tolist()
    elif pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        low = column.at_least or 0
        step = 1 if pa.types.is_integer(column.type) else 0.125
        values = np.minimum(low + few * step, np.inf if column.at_most is None else column.at_most)
        values = values.astype(int).tolist() if step == 1 else values.tolist()
    else:
        values = [None if column.nullable else [] for _ in few]
    is_null = column.nullable & (rng.random(n) < 0.1)
    return pa.array([None if null else v for v, null in zip(values, is_null, strict=True)], column.type)


def made_up_rows(table: Table) -> pa.Table:
    """Rows of a table, no key twice."""
    rng = np.random.default_rng(zlib.crc32(table.name.encode()))
    rows = pa.table({c.name: made_up(c, rng, N_ROWS) for c in table.columns})
    first = {tuple(key.values()): k for k, key in enumerate(rows.select(list(table.key)).to_pylist())}
    return rows.take(sorted(first.values()))


@pytest.fixture(scope="module")
def lakes(tmp_path_factory):
    """A lake for each pipeline, its tables full of made-up rows."""
    found = {}
    for pipeline in PIPELINES:
        lake = Lake.create(tmp_path_factory.mktemp(pipeline))
        with lake.transaction("made up") as tx:
            for name, table in declared_tables(pipeline).items():
                tx.append(table, made_up_rows(table), source=origin(name))
        found[pipeline] = lake.refresh()
    return found


def some_params(name: str) -> dict[str, Any]:
    """Parameters of the relation's first case."""
    paths = sorted((CASES / name.replace(".", "/")).glob("*/params.json"))
    params = json.loads(paths[0].read_text()) if paths else {}
    return {key: value for key, value in params.items() if key != "chain"}


@pytest.mark.parametrize("name", sorted(relations()))
def test_no_two_rows_of_a_relation_are_of_one_grain(lakes, name):
    rows = lakes[name.partition(".")[0]].query(name, **some_params(name)).arrow()
    keys = rows.select(grain(name)).to_pylist()
    assert len({tuple(key.values()) for key in keys}) == len(keys)
