"""What a notebook shows of lakes and tables: what is there, in units, without reading a row."""

import re
from pathlib import Path

import pytest

from lake.storage import LocalStorage
from lake.store import Lake
from tests.builders.lakes import COUNTS, counts, origin


class CountingStorage(LocalStorage):
    """A folder that counts what is read of it."""

    n_reads = 0

    def read(self, name: str) -> bytes:
        self.n_reads += 1
        return super().read(name)

    def url(self, name: str) -> str:
        self.n_reads += 1
        return super().url(name)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake of two inputs whose reads are counted."""
    lake = Lake.create(tmp_path / "lake", storage=CountingStorage(tmp_path / "lake"))
    for name in ("a", "<b>"):
        with lake.transaction("test", run={"id": name, "pipeline": "toy"}, catalog=False) as tx:
            tx.append(COUNTS, counts(name), source=origin(name))
    return lake


def test_reprs_tell_commit_rows_columns_and_units_and_read_nothing(lake):
    before = lake.storage.n_reads
    view = lake["toy.counts"]
    assert repr(view) == "<Table toy.counts  10 rows: obs_id, row_id, energy_kev [keV]; not loaded>"
    assert re.fullmatch(
        rf"<Lake {re.escape(lake.root)}: commit 1 of \d{{4}}-\d\d-\d\d \d\d:\d\d, 1 pipeline, 1 dataset, [\d.]+ kB>",
        repr(lake),
    )
    pages = [view._repr_html_(), lake._repr_html_()]
    assert lake.storage.n_reads == before
    assert all(len(page) < 50_000 for page in pages)


def test_html_folds_columns_spans_and_makers_and_escapes_what_came_from_files(lake):
    page = lake["toy.counts"]._repr_html_()
    assert re.findall(r"<summary>(.*?)</summary>", page) == ["columns (3)", "span (3)", "made by (2)"]
    assert "&lt;b&gt;" in page
    assert "<b>toy.counts</b>: 10 rows in 2 files, commit 1, not loaded" in page
    assert "<td><b></td>" not in page


def test_keys_complete_in_a_notebook(lake):
    assert lake._ipython_key_completions_() == ["toy.counts"]
