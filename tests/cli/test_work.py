"""Runs and demos of a sixth pipeline, made of files that no code names."""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lake import pipelines
from lake.cli.work import COLUMNS
from lake.errors import QueryError
from tests.cli.conftest import DEMO, FLOW, Said

Run = Callable[..., Said]


def files(**contents: str) -> list[str]:
    for name, text in contents.items():
        Path(f"{name}.txt").write_text(text)
    return [f"{name}.txt" for name in contents]


def test_a_pipeline_is_described_by_its_files_and_nothing_is_imported(toy: Path) -> None:
    (toy / "flows/toy.py").write_text("import no_such_module\n" + FLOW)
    found = pipelines.pipelines()["toy"]
    assert found.datasets == ("toy.counts",)
    assert found.relations == ("toy.fig_energies", "toy.loud")
    assert [(p.name, p.kind, p.many, p.is_optional, p.default) for p in found.parameters] == [
        ("level", float, None, False, 1.5),
        ("names", str, list, True, None),
    ]


def test_run_without_a_pipeline_lists_them(toy: Path, lake: Run) -> None:
    assert json.loads(lake("run", "--json").out) == [
        {
            "pipeline": "toy",
            "does": "Made-up counts: text files to one row a line.",
            "datasets": "counts",
            "n_relations": 2,
            "parameters": "level=1.5, names=None",
        }
    ]


def test_a_run_tells_what_it_did_and_what_comes_next(toy: Path, lake: Run) -> None:
    said = lake("run", "toy", *files(one="4", two="5"))
    assert (said.code, said.out) == (0, "")
    assert re.sub(r"\d+\.\d s", "# s", said.err).splitlines() == [
        "made a new lake at ./lakehouse",
        "reading 2 files",
        "toy: 2 read, 2 new, 0 known, commit 0, # s",
        "next: lake show toy.counts",
    ]


def test_a_file_left_out_is_told_with_its_reason_and_exit_code_three(toy: Path, lake: Run) -> None:
    said = lake("run", "toy", *files(one="4", bad="x"))
    assert said.code == 3
    assert re.search(r"toy: 2 read, 1 new, 0 known, 1 skipped, commit 0, \d+\.\d s\n", said.err)
    assert "  skipped  bad.txt   bad.txt: not a number" in said.err


def test_rows_left_out_are_told_with_the_line_that_shows_them(
    toy: Path, lake: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (toy / "flows/toy.py").write_text(FLOW.replace('"seconds": 0.5', '"rejected_rows": len(paths), "seconds": 0.5'))
    assert '\n  1 row left out: lake sql "from lake.rejected"\n' in lake("run", "toy", *files(one="4")).err
    assert '\n  2 rows left out: lake sql "from lake.rejected"\n' in lake("run", "toy", *files(two="4", six="1")).err
    assert json.loads(lake("run", "toy", "--json", *files(two="5")).out)["rejected_rows"] == 1
    damaged = FLOW.replace('"seconds": 0.5', '"damaged_parts": 3, "seconds": 0.5')
    (toy / "flows/toy.py").write_text(damaged)
    monkeypatch.delitem(sys.modules, "flows.toy")
    assert "  3 damaged parts left out: " in lake("run", "toy", *files(nine="9")).err


def test_the_same_run_again_finds_everything_known_and_starts_no_flow(
    toy: Path, lake: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = files(one="4")
    assert lake("run", "toy", *paths).code == 0
    monkeypatch.setattr("lake.cli.work.flow_of", lambda name: pytest.fail("a flow was started"))
    again = json.loads(lake("run", "toy", *paths, "--json").out)
    assert (again["new"], again["known"]) == (0, 1)


def test_files_may_follow_an_option(toy: Path, lake: Run) -> None:
    one, two = files(one="4", two="5")
    assert json.loads(lake("run", "toy", "--json", one, "--param", "level=2", two).out)["read"] == 2


def test_a_rehearsal_commits_nothing_and_names_what_would_be_left_out(toy: Path, lake: Run) -> None:
    said = lake("run", "toy", "-n", *files(bad="x"))
    assert (said.code, Path("lakehouse").exists()) == (3, False)
    assert "toy: 1 would be read, 0 would be new, 0 known, 1 would be skipped, no commit yet" in said.err


def test_a_folder_means_the_files_below_it(toy: Path, lake: Run) -> None:
    Path("in/deep").mkdir(parents=True)
    for name in ("in/a.txt", "in/deep/b.txt", "in/.hidden"):
        Path(name).write_text("2")
    assert json.loads(lake("run", "toy", "in", "--json").out)["read"] == 2


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (["--param", "levl=2"], 2, "error: toy: no parameter levl; has level, names"),
        (["--param", "level=high"], 2, "error: toy: level: found 'high', expected a finite number"),
        (["--param", "level"], 2, "error: 'level' is not K=V"),
        (["nowhere.txt"], 1, "error: nowhere.txt: no such file or folder"),
    ],
)
def test_a_run_is_refused_before_anything_is_written(
    toy: Path, lake: Run, words: list[str], code: int, error: str
) -> None:
    said = lake("run", "toy", *words)
    assert (said.code, said.err.splitlines()[0]) == (code, error)
    assert not Path("lakehouse").exists()


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("int", "3", 3),
        ("float", "1e-3", 1e-3),
        ("bool", "no", False),
        ("str", "a=b", "a=b"),
        ("float | None", "none", None),
        ("list[float]", "1,2.5", [1.0, 2.5]),
        ("tuple[int, int]", "1,2", (1, 2)),
    ],
)
def test_a_parameter_takes_the_type_its_flow_declares(toy: Path, kind: str, text: str, value: object) -> None:
    (toy / "flows/toy.py").write_text(f"def toy(root, paths, *, strict=False, p: {kind}): ...")
    assert pipelines.pipelines()["toy"].values({"p": text}) == {"p": value}


def test_a_word_that_is_no_number_is_refused(toy: Path) -> None:
    (toy / "flows/toy.py").write_text("def toy(root, paths, *, n: int): ...")
    with pytest.raises(QueryError, match=r"toy: n: found '1\.5', expected a whole number"):
        pipelines.pipelines()["toy"].values({"n": "1.5"})


def test_a_demo_finds_what_was_planted_and_leads_on(toy: Path, lake: Run) -> None:
    said = lake("demo")
    lines = said.out.splitlines()
    assert said.code == 0, said.err
    assert lines[0].split() == ["pipeline", "planted", "found", "wanted", "s"]
    assert lines[1].startswith("toy           10 rows                          10         10")
    assert lines[1].endswith("ok")
    assert lines[2].startswith("lake    ./lakehouse: commit 0, ")
    assert lines[3] == "report  lakehouse/report/index.html"
    assert Path("lakehouse/report/index.html").exists()
    tries = [line.removeprefix("try     ") for line in lines[4:]]
    assert len(tries) == 3
    assert all(line.startswith("lake ") for line in tries)


def test_a_second_demo_finds_everything_known(toy: Path, lake: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert lake("demo").code == 0

    def never(_: str) -> None:
        raise AssertionError("a flow ran though all was known")

    monkeypatch.setattr("lake.cli.work.flow_of", never)
    said = lake("demo")
    assert said.code == 0
    assert "everything known: the lake is at commit 0, as before" in said.err


def test_a_demo_that_misses_a_planted_thing_says_no(toy: Path, lake: Run) -> None:
    (toy / "flows/demos/toy.py").write_text(DEMO.replace("WANTED", "11"))
    said = lake("demo")
    assert said.code == 3
    assert "MISSED" in said.out
    assert json.loads(lake("demo", "--json").out)["missed"] == 1


def test_columns_of_the_demo_stand_under_their_names() -> None:
    assert COLUMNS.format("pipeline", "planted", "found", "wanted", "s", "").rstrip() == (
        "pipeline      planted                          found      wanted        s"
    )
