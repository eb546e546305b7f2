"""How the command looks on a terminal, in a pipe, and to who closes the pipe."""

import os
import pty
import re
import select
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).parents[2]
FLARES = "select peak_time, goes_class, peak_flux_w_m2 from sun.flares order by peak_flux_w_m2 desc limit 2"


def environment(**changed: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LAKE_ROOT")}
    return {**kept, "PYTHONPATH": str(REPO), "TERM": "xterm-256color", "COLUMNS": "100", **changed}


def on_terminal(*words: str, **changed: str) -> str:
    """All that a command writes to a pseudo-terminal."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "lake.cli", *words]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment(**changed))
    os.close(theirs)
    found = b""
    while select.select([ours], [], [], 30)[0]:
        try:
            block = os.read(ours, 65536)
        except OSError:
            break
        if not block:
            break
        found += block
    process.wait(timeout=30)
    os.close(ours)
    return found.decode().replace("\r\n", "\n")


def piped(line: str, **changed: str) -> subprocess.CompletedProcess[str]:
    program = f"'{sys.executable}' -m lake.cli"
    text = line.replace("lake ", f"{program} ", 1)
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", text], capture_output=True, text=True, env=environment(**changed), timeout=60
    )


def test_an_answer_on_a_terminal_is_a_table_with_a_row_of_units(lakehouse: Path) -> None:
    said = on_terminal("sql", FLARES, NO_COLOR="1")
    assert re.sub(r"[\d.]+ s$", "0.06 s", said.rstrip(), flags=re.MULTILINE) == (
        " peak_time             goes_class   peak_flux_w_m2\n"
        " UTC                                W / m2\n"
        " 2017-09-10 16:06:00   X8.2         8.2e-04\n"
        " 2011-08-09 08:05:00   X6.9         6.9e-04\n"
        "2 rows, commit 3, 0.06 s"
    )


@pytest.mark.parametrize("words", [["ls"], ["show", "toy.images"], ["sql", "selekt"], ["--help"]])
def test_no_color_leaves_no_escape_on_a_terminal(lakehouse: Path, words: list[str]) -> None:
    assert "\x1b" not in on_terminal(*words, NO_COLOR="1")


def test_a_dumb_terminal_gets_no_escape(lakehouse: Path) -> None:
    assert "\x1b" not in on_terminal("ls", TERM="dumb")


def test_colours_come_on_a_terminal_and_can_be_forced_into_a_pipe(lakehouse: Path) -> None:
    assert "\x1b[" in on_terminal("ls")
    assert "\x1b[" in piped("lake ls --color always --format table").stdout
    assert "\x1b[" not in piped("lake ls --format table").stdout


def test_a_cut_table_says_what_is_missing_and_how_to_see_it(lakehouse: Path) -> None:
    said = on_terminal("sql", "select range as n from range(60)", NO_COLOR="1")
    assert "not shown: 10 more rows" in said
    narrow = on_terminal("sql", FLARES, NO_COLOR="1", COLUMNS="40")
    assert "not shown: 1 more columns: peak_flux_w_m2" in narrow


def test_a_pipe_gets_csv_and_closing_it_early_is_no_failure(lakehouse: Path) -> None:
    said = piped("lake sql 'from toy.counts' | head -1")
    assert (said.returncode, said.stdout, said.stderr) == (0, "obs_id,row_id,energy_kev\n", "")
    many = piped("lake sql 'select range as n from range(200000)' | head -1")
    assert (many.returncode, many.stdout, many.stderr) == (0, "n\n", "")


def test_the_command_says_nothing_of_other_libraries(lakehouse: Path) -> None:
    assert piped("lake sql 'from toy.counts'").stderr == ""


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from lake.cli import main; main(['--help']); main(['sql', '--help'])\n"
        "heavy = {'duckdb', 'pyarrow', 'numpy', 'prefect', 'dask', 'rich', 'shtab', 'astropy', 'matplotlib'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment(), timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
