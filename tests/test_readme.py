"""The README's lines run and print what it says."""

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPO

TEXT = (REPO / "README.md").read_text()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder to follow the README in."""
    return tmp_path_factory.mktemp("readme")


def blocks(language: str) -> list[str]:
    """The README's blocks in one language."""
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def same_look(text: str) -> list[list[str]]:
    """Lines as words, without the time a demo took and the bytes that another version compresses to."""
    varying = r"(?<=\s)(#|\d+\.\d)(?=\s+ok$)|[\d.]+ MB$"
    return [re.sub(varying, "", line).split() for line in text.strip().splitlines()]


def shell(folder: Path, line: str) -> subprocess.CompletedProcess[str]:
    """A line of the README in the folder, the environment's programs first on the path."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    words = {"PATH": path, "HOME": str(folder), "PREFECT_HOME": str(folder / "prefect")}
    keep = {k: v for k, v in os.environ.items() if k not in ("LAKE_ROOT", "COLUMNS")}
    return subprocess.run(
        line, shell=True, cwd=folder, env=keep | words, capture_output=True, text=True, timeout=110, check=False
    )


def test_the_console_lines_print_what_is_shown(folder):
    (block,) = blocks("console")
    steps = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)
    assert len(steps) == 5
    for line, expected in steps:
        found = shell(folder, line)
        assert found.returncode == 0, found.stderr
        assert same_look(found.stdout) == same_look(expected), line


def test_the_python_lines_answer_what_is_shown(folder, monkeypatch):
    monkeypatch.chdir(folder)
    (block,) = blocks("python")
    test = doctest.DocTestParser().get_doctest(block, {}, "README", "README.md", 0)
    assert len(test.examples) == 5
    assert doctest.DocTestRunner(verbose=False).run(test).failed == 0


def test_the_plain_duckdb_client_reads_the_catalogue(folder):
    import duckdb

    with duckdb.connect(folder / "lakehouse" / "catalog.duckdb", read_only=True) as con:
        assert con.execute("select count(*) from lightlane.observations").fetchall() == [(4,)]


def test_every_command_that_is_named_has_its_help(folder):
    said = set(re.findall(r"`lake ([a-z]+)", TEXT)) | set(re.findall(r"^\$ lake ([a-z]+)", TEXT, re.MULTILINE))
    assert len(said) > 5
    for name in said:
        assert shell(folder, f"lake {name} --help").returncode == 0, name
