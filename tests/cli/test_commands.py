"""What every command owes its user: a pure stdout, an exit code that means something, help that runs."""

import io
import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from lake.cli.parser import build
from tests.cli.conftest import Said

Run = Callable[..., Said]
COMMANDS = {
    "ls": ["ls"],
    "show": ["show", "toy.images"],
    "log": ["log"],
    "diff": ["diff", "0", "2"],
    "tag": ["tag", "first-light"],
    "why": ["why", "toy.counts", "obs_id=one", "row_id=2"],
    "sql": ["sql", "from toy.counts"],
    "query": ["query", "toy.counts"],
    "plot": ["plot", "toy.counts"],
    "report": ["report"],
    "export": ["export", "toy.counts", "--to", "csv"],
    "verify": ["verify"],
    "gc": ["gc"],
    "compact": ["compact"],
    "run": ["run"],
    "forget": ["forget", "one"],
    "torture": ["torture", "--kills", "1"],
    "bench": ["bench", "pruning", "--quick"],
}
FAILING = {
    "ls": (["ls", "--at", "99"], 1),
    "show": (["show", "toy.count"], 1),
    "log": (["log", "--since", "yesterday"], 2),
    "diff": (["diff", "no-such-tag"], 1),
    "tag": (["tag", "Not A Tag"], 1),
    "why": (["why", "toy.counts", "obs_id"], 2),
    "sql": (["sql", "selekt 1"], 1),
    "query": (["query", "toy.cuonts"], 1),
    "plot": (["plot", "toy.counts", "-o", "figure.txt"], 2),
    "report": (["report", "nowhere"], 2),
    "export": (["export", "toy.counts", "--to", "docx"], 2),
    "verify": (["verify", "--root", "nowhere"], 1),
    "gc": (["gc", "--grace", "soon"], 2),
    "compact": (["compact", "toy.nothing"], 1),
    "run": (["run", "no-such-pipeline"], 2),
    "demo": (["demo", "no-such-pipeline"], 2),
    "forget": (["forget", "nothing-like-it"], 1),
    "torture": (["torture", "--kills", "0"], 2),
    "bench": (["bench", "comits"], 2),
}
# Examples that their own tests run, smaller or with files that are there.
TOO_LONG = ("lake demo", "lake torture", "lake bench", "lake forget")


@pytest.fixture(autouse=True)
def small_bench(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bench that is tried here, of a few files."""
    monkeypatch.setattr("lake.bench.pruning.QUICK", {"n": 40, "rounds": 1, "rounds_whole": 1})


def test_every_command_is_held_by_these_tests() -> None:
    commands = set(build()._subparsers._group_actions[0].choices)  # type: ignore[union-attr, arg-type]
    assert commands == set(FAILING) == {*COMMANDS, "demo"}


@pytest.mark.parametrize("manner", ["-q", "-vv"])
@pytest.mark.parametrize("command", COMMANDS)
def test_with_json_stdout_is_one_document_and_nothing_else(
    lakehouse: Path, lake: Run, command: str, manner: str
) -> None:
    said = lake(*COMMANDS[command], "--json", manner)
    assert said.code == 0, said.err
    json.loads(said.out)
    if manner == "-q":
        assert said.err == ""


@pytest.mark.parametrize("command", FAILING)
def test_a_failure_is_one_document_and_one_line(lakehouse: Path, lake: Run, command: str) -> None:
    words, code = FAILING[command]
    said = lake(*words, "--json")
    assert (said.code, set(json.loads(said.out))) == (code, {"error", "hint"})
    lines = said.err.splitlines()
    assert lines[0].startswith("error: ")
    assert all(line.startswith("hint: ") for line in lines[1:])
    assert len(lines) <= 2


@pytest.mark.parametrize("command", FAILING)
def test_without_json_a_failure_leaves_stdout_empty(lakehouse: Path, lake: Run, command: str) -> None:
    words, code = FAILING[command]
    said = lake(*words)
    assert (said.code, said.out) == (code, "")
    assert "Traceback" not in said.err


@pytest.mark.parametrize("command", FAILING)
def test_a_hint_can_be_pasted(lakehouse: Path, lake: Run, command: str) -> None:
    words, _ = FAILING[command]
    hint = json.loads(lake(*words, "--json").out)["hint"]
    if hint is None:
        return
    program, *rest = shlex.split(hint)
    assert program == "lake"
    if rest[0] != "demo":
        assert lake(*rest).code == 0, hint


def examples() -> list[str]:
    parsers = build()._subparsers._group_actions[0].choices.values()  # type: ignore[union-attr]
    return [line.strip() for p in parsers for line in p.epilog.splitlines()[1:]]  # type: ignore[union-attr, attr-defined]


@pytest.mark.parametrize("line", [line for line in examples() if not line.startswith(TOO_LONG)])
def test_examples_of_the_help_run(lakehouse: Path, lake: Run, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    line = line.replace("{dataset}", "toy.counts").replace("{pipeline}", "lightlane")
    before, pipe, after = line.rpartition(" | ")
    if pipe:
        monkeypatch.setattr("sys.stdin", io.StringIO(shlex.split(before)[1]))
    words = shlex.split(after)
    assert words[0] == "lake"
    assert lake(*words[1:]).code == 0


def test_every_help_has_two_examples(lake: Run) -> None:
    for name in FAILING:
        said = lake(name, "--help")
        assert (said.code, said.err) == (0, "")
        assert len(re.findall(r"^  (?:echo .*\| )?lake ", said.out.partition("examples:")[2], re.MULTILINE)) == 2


def test_help_is_as_wide_as_the_terminal_says(lake: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    text = lake("sql", "--help").out.partition("examples:")[0]
    assert max(map(len, text.splitlines())) <= 60


def test_lake_alone_lists_the_lake(lakehouse: Path, lake: Run) -> None:
    assert lake().out == lake("ls").out != ""


def test_lake_alone_in_an_empty_folder_leads_to_the_demo(
    tmp_path: Path, lake: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = lake()
    assert (said.code, len(said.out.splitlines())) == (0, 3)
    assert "`lake demo`" in said.out.splitlines()[0]


def test_an_absent_lake_is_an_error_that_says_how_to_make_one(lakehouse: Path, lake: Run) -> None:
    said = lake("ls", "--root", "no where")
    assert said.code == 1
    assert said.err == "error: no where: no lake there\nhint: lake demo --root 'no where'\n"


@pytest.mark.parametrize(
    "words", [[], ["ls"], ["show"], ["sql", "from toy.counts"], ["verify"], ["run", "lightlane", "README"]]
)
def test_a_log_without_its_head_is_no_absent_lake(lakehouse: Path, lake: Run, words: list[str]) -> None:
    Path("README").touch()
    (lakehouse / "lake.json").unlink()
    said = lake(*words)
    assert said.code == 1
    assert said.err.startswith("error: lakehouse: has a log of 4 commits but no lake.json; put it back from a copy")


@pytest.mark.parametrize("words", [[], ["ls"], ["run", "-n", "lightlane", "README"], ["run", "lightlane", "README"]])
@pytest.mark.parametrize(
    ("root", "error"),
    [
        ("README", "error: README: a file, expected a folder with a lake"),
        ("foo://lake", "error: foo://lake: unknown protocol foo, expected a folder, or a URL"),
    ],
)
def test_a_root_that_cannot_be_a_lake_is_told(
    lakehouse: Path, lake: Run, words: list[str], root: str, error: str
) -> None:
    Path("README").touch()
    said = lake("--root", root, *words)
    assert said.code == 1
    assert said.err.startswith(error)


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["querry"], "error: no command querry; nearest is query"),
        (["ls", "--jsn"], "error: unknown argument --jsn; nearest is --json"),
        (["run", "lightlan"], "error: no pipeline lightlan"),
        (
            ["export", "toy.counts", "--to", "cvs"],
            "error: no --to cvs; has csv, delta, ecsv, fits, original, parquet, votable",
        ),
    ],
)
def test_the_nearest_name_is_offered(lakehouse: Path, lake: Run, words: list[str], error: str) -> None:
    assert lake(*words).err.startswith(error)


def test_the_options_may_stand_before_the_command_or_after_it(lakehouse: Path, lake: Run) -> None:
    assert lake("--json", "--root", "lakehouse", "ls").out == lake("ls", "--root", "lakehouse", "--json").out


def test_a_difference_is_an_answer_of_three_when_asked(lakehouse: Path, lake: Run) -> None:
    assert lake("diff", "0", "1").code == 0
    assert lake("diff", "0", "1", "--exit-code").code == 3
    assert lake("diff", "1", "1", "--exit-code").code == 0


def test_verify_says_no_when_a_byte_changed(lakehouse: Path, lake: Run) -> None:
    assert lake("verify").code == 0
    victim = next(lakehouse.glob("tables/toy.counts/**/*.parquet"))
    content = bytearray(victim.read_bytes())
    content[40] ^= 1
    victim.write_bytes(bytes(content))
    said = lake("verify")
    assert said.code == 3
    assert victim.name in said.out


@pytest.mark.parametrize(
    "words", [["tag", "t1"], ["gc"], ["compact"], ["export", "toy.counts", "--to", "csv"], ["report"]]
)
def test_a_dry_run_changes_nothing_and_says_would_be(lakehouse: Path, lake: Run, words: list[str]) -> None:
    def state() -> set[str]:
        return {str(p) for p in Path().rglob("*") if p.name != "staging"}

    before = state()
    said = lake(*words, "-n")
    assert said.code == 0
    assert "would be" in said.err
    assert state() == before


def test_version_has_all_that_a_bug_report_needs(lake: Run) -> None:
    assert len(lake("--version").out.splitlines()) == 1
    assert {"version", "code", "python", "packages"} <= set(json.loads(lake("--version", "--json").out))


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_the_completion_script_asks_the_lake_for_names(lake: Run, shell: str) -> None:
    assert "lake --names relations" in lake("--completion", shell).out


def test_names_are_those_of_the_lake_and_of_the_relations(lakehouse: Path, lake: Run) -> None:
    assert {"toy.counts", "sun.flares"} <= set(lake("--names", "relations").out.splitlines())


def test_an_interrupt_says_where_the_lake_is(lakehouse: Path, lake: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("lake.verify.verify", interrupted)
    said = lake("verify", "-q")
    assert said.code == 130
    assert said.err.strip() == "interrupted: the lake is at commit 3, as before; the same command starts again"


def test_an_unforeseen_error_is_one_line_and_a_traceback_only_when_asked(
    lakehouse: Path, lake: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("lake.verify.verify", broken)
    said = lake("verify", "-q")
    assert (said.code, said.err.splitlines()[0]) == (1, "error: ZeroDivisionError: a bug")
    assert "Traceback" not in said.err
    assert "Traceback" in lake("verify", "-q", "-vv").err
