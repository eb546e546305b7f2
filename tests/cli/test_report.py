"""A page is one file that asks nobody for anything, holds its numbers, and depends on the commit alone."""

import html
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from lake.report import MOST_BYTES, page_of
from lake.store import Lake
from tests.cli.conftest import Said

Run = Callable[..., Said]


@pytest.fixture
def page(toy: Path, lake: Run) -> str:
    """The page of a demo of the sixth pipeline."""
    assert lake("demo").code == 0
    return Path("lakehouse/report/toy.html").read_text()


def test_the_same_commit_gives_the_same_bytes(page: str) -> None:
    assert page_of(Lake("lakehouse"), "toy", {}).decode() == page


def test_a_page_asks_nobody_for_anything(page: str) -> None:
    assert "default-src 'none'" in page
    outside = re.findall(r'(?:src|href)="(?!data:|#)([^"]*)"|url\(|@import|<script', page)
    assert outside == []
    assert len(page) <= MOST_BYTES


def test_a_figure_has_its_numbers_inside_as_the_command_gives_them(page: str, lake: Run) -> None:
    inside = re.search(r'<pre class="csv" id="toy.fig_energies.csv">(.*?)</pre>', page, re.DOTALL)
    assert inside
    assert html.unescape(inside[1]) == lake("query", "toy.fig_energies", "--format", "csv").out
    assert 'src="data:image/png;base64,' in page


def test_a_table_has_its_units_under_the_names(page: str) -> None:
    assert "<tr><th>obs_id</th><th>row_id</th><th>energy_kev</th></tr>" in page
    assert '<tr class="units"><th></th><th></th><th>keV</th></tr>' in page


def test_the_foot_says_commit_and_inputs(page: str) -> None:
    foot = page.partition("<footer>")[2]
    assert "Commit 0" in foot
    assert "2 inputs" in foot or "No input file" in foot


def test_a_parameter_reaches_the_relations_below_a_figure(page: str, lake: Run) -> None:
    assert lake("report", "toy", "-o", "page.html", "--param", "level_kev=2.5").code == 0
    assert "1.5" not in re.search(r'<pre class="csv".*?</pre>', Path("page.html").read_text(), re.DOTALL)[0]  # type: ignore[index]


def test_what_cannot_be_shown_is_named_with_its_reason(toy: Path, lake: Run) -> None:
    text = (toy / "sql/toy/loud.sql").read_text().replace("level_kev = 1.0", "level_kev")
    (toy / "sql/toy/loud.sql").write_text(text)
    assert lake("demo").code == 0
    page = Path("lakehouse/report/toy.html").read_text()
    assert "Not shown" in page
    assert "level_kev" in page.partition("Not shown")[2]


def test_words_of_a_file_cannot_become_markup(toy: Path, lake: Run) -> None:
    Path("<script>.txt").write_text("4")
    assert lake("run", "toy", "<script>.txt").code == 0
    assert lake("report", "toy", "-o", "page.html").code == 0
    assert "<script" not in Path("page.html").read_text()
    assert "&lt;script&gt;" in Path("page.html").read_text()


def test_one_page_holds_one_pipeline(lakehouse: Path, lake: Run) -> None:
    assert lake("report", "-o", "page.html").code == 2
