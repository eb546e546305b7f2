"""Every bench runs and says what it measured; no time is asserted, since that is the machine's."""

import csv
import importlib
import json
import re
from pathlib import Path

import pytest

import lake.bench
from lake.bench import Line, benches, in_turn, measure
from lake.bench._samples import COUNTS, commit, counts, filled, grown
from lake.cli import main
from lake.log import decode, entry_name
from lake.store import Lake
from lake.synth.photons import Emitter, Scene, write_event_list

TINY = {
    "commits": {"milestones": (5, 120), "rounds": 1},
    "frames": {"layouts": ((2, 1, 16), (4, 2, 16)), "rounds": 1},
    "kills": {"trials": 1},
    "memory": {"n_rows": 1000, "n_commits": 105},
    "opening": {"sizes": (2, 105), "rounds": 1},
    "pruning": {"n": 40, "rounds": 1, "rounds_whole": 1},
    "walls": {"n_rows": 1000, "rounds": 1},
    "writers": {"commits": 1},
    "lightlane": {"rounds": 1, "rounds_filters": 1, "n_filtered": 50},
}
# Benches that start processes, or a pipeline.
LONG = {"kills", "lightlane", "memory", "walls", "writers"}
WANTED = {"commits", "frames", "kills", "lightlane", "memory", "pruning", "walls", "writers"}


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Constants of the benches that would take long, made small."""
    for name, value in {
        "commits.FRESH": 1, "commits.YOUNG": 4, "commits.APPENDS": 1, "opening.AFTER": 2, "writers.WRITERS": 2,
        "writers.installed": list,
    }.items():  # fmt: skip
        monkeypatch.setattr(f"lake.bench.{name}", value)
    photons = importlib.import_module("flows.bench.lightlane")
    scene = Scene("chandra-hrc", 20.0, (Emitter(5.0),), obs_id="90005", has_grating=True)
    path = tmp_path / "xmm.fits"
    write_event_list(path, Scene("xmm", 20.0, (Emitter(20.0),)), 1)
    monkeypatch.setattr(photons, "sample", lambda: path)
    monkeypatch.setattr(photons, "SCENE", scene)


def test_every_bench_is_found_by_listing():
    assert set(benches()) == set(TINY)
    modules = {path.stem for path in Path(lake.bench.__file__).parent.glob("[!_]*.py")}
    assert modules == set(TINY) - {"lightlane"}


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in LONG else n for n in TINY])
@pytest.mark.usefixtures("small")
def test_each_bench_gives_lines_whose_ratio_is_of_their_two_values(name, tmp_path):
    lines = list(benches()[name]().lines(tmp_path, **TINY[name]))
    assert lines
    assert len({line.what for line in lines}) == len(lines)
    for line in lines:
        assert line.unit in ("s", "B", "")
        assert line.ours >= 0
        assert (line.peer is None) == (line.ratio is None)
        if line.peer and line.ours:
            assert line.ratio == pytest.approx(line.ours / line.peer) or line.ratio == pytest.approx(
                line.peer / line.ours
            )
        assert re.fullmatch(r"((<=|>=) \d+(\.\d+)?)?", line.wanted)
        assert (line.held is not None) == bool(line.wanted)
        assert max(map(len, line.cells()[1:])) <= 10
        assert len(line.what) <= 72
    assert any(line.wanted for line in lines) == (name in WANTED)


@pytest.mark.parametrize("name", TINY)
def test_quick_sizes_are_keywords_that_the_bench_has(name):
    bench = benches()[name]()
    assert set(bench.QUICK) <= set(bench.lines.__kwdefaults__ or bench.lines.__annotations__)


def test_a_bound_is_held_where_the_ratio_is_on_its_side_of_it():
    assert [Line("", 1, 1, r, "<= 2").held for r in (1.9, 2.0, 2.1)] == [True, True, False]
    assert [Line("", 1, 1, r, ">= 0.8").held for r in (0.7, 0.8, 0.9)] == [False, True, True]
    assert Line("", 1, 1, 1.0).held is None
    assert Line("a", 0.0123, 2.5, 0.00492, "<= 1").cells() == ("a", "12.3 ms", "2.5 s", "0.00", "<= 1", "yes")
    assert Line("b", 1.5e6, unit="B").cells() == ("b", "1.5 MB", "", "", "", "")
    assert Line("c", 80, 78, 80 / 78, ">= 2", unit="").cells()[1:] == ("80", "78", "1.03", ">= 2", "no")


def test_acts_in_turn_are_each_done_in_every_round():
    done = []
    times = in_turn([lambda: done.append("a"), lambda: done.append("b")], rounds=3, warm=1)
    assert done == ["a", "b", "b", "a", "a", "b", "b", "a"]
    assert len(times) == 2


def test_a_grown_log_is_what_as_many_commits_write(tmp_path):
    real, fast = (Lake.create(tmp_path / name) for name in ("real", "fast"))
    for turn in range(105):
        commit(real, "w", turn)
    grown(fast, 104)
    assert fast.number == real.number == 104
    varying = ("time", "parent")
    for n in range(105):
        ours, theirs = (
            {k: v for k, v in decode(each.storage.read(entry_name(n)), "").items() if k not in varying}
            for each in (fast, real)
        )
        for entry in (ours, theirs):
            for piece in entry["add"]:
                del piece["path"], piece["sha256"], piece["n_bytes"]
        assert ours == theirs, n
    assert fast.storage.list("log") == real.storage.list("log")
    again = Lake(tmp_path / "fast")
    assert again.snapshot == fast.snapshot
    commit(again, "w", 105)
    assert again.number == 105


def test_a_filled_table_has_a_file_a_part_and_all_their_rows(tmp_path):
    own = Lake.create(tmp_path / "lake")
    filled(own, COUNTS, (COUNTS.fit(counts(f"w-{n}", 10)).rows for n in range(40)))
    assert len(own.snapshot.pieces_of(COUNTS.name)) == 40
    found = own.sql(f"select count(*) as n, count(distinct obs_id) as n_obs from {COUNTS.name}").arrow()
    assert found.to_pylist() == [{"n": 400, "n_obs": 40}]
    assert len(own.table(COUNTS.name, where={"obs_id": "w-7"})) == 10


def test_nothing_is_left_where_it_was_measured(tmp_path, monkeypatch):
    monkeypatch.setattr("lake.bench.opening.QUICK", TINY["opening"])
    root = tmp_path / "not" / "there"
    lines = measure(root, "opening", quick=True)
    next(lines)
    assert len(list((root / "staging").iterdir())) == 1
    lines.close()
    assert list(tmp_path.iterdir()) == []


def test_a_failing_bench_leaves_nothing_and_a_lake_stays(tmp_path, monkeypatch):
    monkeypatch.setattr("lake.bench.opening.QUICK", {"sizes": ()})
    own = Lake.create(tmp_path / "lake")
    commit(own, "w", 0)
    before = sorted(p for p in tmp_path.rglob("*"))
    with pytest.raises(ValueError, match="unpack"):
        list(measure(own.root, "opening", quick=True))
    assert sorted(p for p in tmp_path.rglob("*")) == before


@pytest.fixture
def two(tmp_path, monkeypatch):
    """Two benches made tiny, and their command line."""
    for name in ("opening", "pruning"):
        monkeypatch.setattr(f"lake.bench.{name}.QUICK", TINY[name])
    return ["bench", "opening", "pruning", "--quick", "--root", str(tmp_path / "lakehouse")]


def test_the_document_counts_the_bounds_that_were_held(two, capsys):
    assert main([*two, "--json", "-q"]) == 0
    said = capsys.readouterr()
    document = json.loads(said.out)
    assert said.err == ""
    held = [line["held"] for line in document["lines"] if line["wanted"]]
    assert (document["wanted"], document["held"]) == (len(held), sum(held))
    assert {line["bench"] for line in document["lines"]} == {"opening", "pruning"}
    assert document["quick"] is True
    assert "duckdb" in document["packages"]


def test_a_terminal_gets_a_row_as_each_is_measured(two, capsys, monkeypatch):
    monkeypatch.setattr("lake.cli.output.chosen", lambda *_: "table")
    seen = []
    real = lake.bench.opening.lines

    def watched(*args, **sizes):
        for line in real(*args, **sizes):
            yield line
            seen.append(line.what in capsys.readouterr().out)

    monkeypatch.setattr("lake.bench.opening.lines", watched)
    assert main(two) == 0
    assert seen == [True] * len(seen) != []
    said = capsys.readouterr()
    assert re.search(r"its limit +[\d.]+ ms +20 ms +\d+\.\d\d +<= 1 +(yes|no)\n", said.out)
    assert re.search(r"\d of 4 bounds held, \d+ lines", said.err)


def test_a_file_takes_the_rows(two, tmp_path, capsys):
    path = tmp_path / "bench.csv"
    assert main([*two, "-o", str(path)]) == 0
    assert capsys.readouterr().out == ""
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["bench", "what", "ours", "peer", "unit", "ratio", "wanted", "held"]
    assert float(rows[-1]["ours"]) > 0


def test_what_cannot_be_measured_is_refused_before_anything_is(capsys):
    for words in (["--root", "s3://bucket/lake"], ["-o", "bench.docx"], ["no-such-bench"]):
        assert main(["bench", *words]) == 2
        said = capsys.readouterr()
        assert said.err.startswith("error: ")
        assert "measuring" not in said.err
