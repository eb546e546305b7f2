"""The catalogue file, opened by DuckDB alone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from lake.catalog import CATALOG, catalog_number, write_catalog
from lake.storage import storage_at
from tests.builders.lakes import COUNTS, counts, origin
from tests.builders.relations import counted_lake, use_relations

ASK = """
import duckdb, json, sys
with duckdb.connect(sys.argv[1], read_only=True) as con:
    answers = [con.execute(text).fetchall() for text in sys.argv[2:]]
print(json.dumps([duckdb.__version__, answers], default=str))
"""
# Another DuckDB of the supported range, as the path of a Python that has it.
OTHER = os.environ.get("LIGHTLAKE_OTHER_DUCKDB_PYTHON", "")
QUESTIONS = [
    "select obs_id, row_id, energy_kev from toy.counts",
    "select obs_id, n_rows, row_sum from toy.totals",
    "select obs_id, n_rows, row_sum from toy.totals(least_kev := 2, scale := 1)",
    "select obs_id, first_row, share from toy.rates(width := 3)",
    "select obs_id, n_both from other.totals",
    "select number, reason from lake.commits",
    "select number from lake.catalog",
]


@pytest.fixture
def lake(tmp_path, monkeypatch):
    use_relations(monkeypatch)
    return counted_lake(tmp_path / "lake")


@pytest.mark.parametrize("python", [sys.executable, OTHER], ids=["this", "other"])
def test_plain_duckdb_in_another_folder_gives_the_lake_s_rows(lake, tmp_path, python):
    if not python:
        pytest.skip("no other DuckDB (set LIGHTLAKE_OTHER_DUCKDB_PYTHON)")
    path = str(Path(lake.root, CATALOG).absolute())
    done = subprocess.run([python, "-c", ASK, path, *QUESTIONS], cwd="/", capture_output=True, text=True, check=True)
    _, answers = json.loads(done.stdout)
    assert len(answers[0]) == 12
    for text, rows in zip(QUESTIONS[:-1], answers, strict=False):
        assert rows == [list(row.values()) for row in lake.sql(text).arrow().to_pylist()], text
    assert answers[-1] == [[0]]


def test_the_catalogue_works_attached_under_another_name(lake):
    with duckdb.connect() as con:
        con.execute(f"attach '{Path(lake.root, CATALOG)}' as other (read_only)")
        assert con.execute("select count(*) from other.toy.counts").fetchall() == [(12,)]


def test_columns_and_relations_carry_their_meaning(lake):
    with duckdb.connect(str(Path(lake.root, CATALOG)), read_only=True) as con:
        asked = "select comment from duckdb_columns() where table_name = 'counts' and column_name = 'energy_kev'"
        assert con.execute(asked).fetchall() == [("Energy [keV]",)]
        asked = "select view_name, comment from duckdb_views() where schema_name = 'toy' order by view_name"
        comments = dict(con.execute(asked).fetchall())
    assert comments["counts"] == COUNTS.doc
    assert comments["totals"] == "Rows of each observation."


def test_an_open_client_is_not_disturbed_by_a_new_catalogue(lake):
    with duckdb.connect(str(Path(lake.root, CATALOG)), read_only=True) as con:
        with lake.transaction("more") as tx:
            tx.append(COUNTS, counts("c", 3), source=origin("c"))
        assert con.execute("select count(*) from toy.counts").fetchall() == [(12,)]
    assert catalog_number(Path(lake.root, CATALOG)) == lake.number == 1
    with duckdb.connect(str(Path(lake.root, CATALOG)), read_only=True) as con:
        assert con.execute("select count(*) from toy.counts").fetchall() == [(15,)]


def test_nothing_is_left_beside_the_catalogue(lake):
    assert list(Path(lake.root, "staging").iterdir()) == []


def test_an_empty_lake_has_a_catalogue(tmp_path):
    from lake.log import Snapshot

    storage = storage_at(tmp_path)
    write_catalog(Snapshot(), storage)
    assert catalog_number(tmp_path / CATALOG) == -1


def test_an_object_store_has_no_catalogue(tmp_path):
    from lake.log import Snapshot

    storage = storage_at("memory://no-catalogue")
    write_catalog(Snapshot(), storage)
    assert storage.list("") == []
