"""The three walls around a stranger's SQL: what they refuse, and what they let through."""

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pytest

from lake import untrusted
from lake.cli import main
from lake.errors import Forbidden, QueryError, Refused, TooLarge
from lake.query import sql
from lake.store import Lake
from lake.untrusted import Limits
from lake.walls.child import names_of
from lake.walls.files import PinnedFiles, local_opener, sealed
from lake.walls.functions import FUNCTIONS
from lake.walls.syntax import CTE_NAME
from tests.builders.lakes import COUNTS, counts, origin
from tests.safety.scene import OTHER, SECRET, Scene, scene
from tests.safety.statements import HARMLESS, MORE, READS, WRITES
from tests.safety.statements_that_cost import COSTS, PERMITTED

ATTACKS = [*READS, *WRITES, *MORE]
SOME = [*READS[::4], *WRITES[::2], *MORE[::6]]
THROUGH_THE_DOOR = ATTACKS[::20]
REFUSALS = ("Forbidden", "QueryError")
# DuckDB's functions that are not of values alone, and are permitted: the time of the statement, and chance.
OF_TIME_AND_CHANCE = {
    "current_date", "get_current_time", "get_current_timestamp", "now", "random", "today", "transaction_timestamp",
}  # fmt: skip
ASK_FUNCTIONS = """
import duckdb, json, sys
with duckdb.connect() as con:
    rows = con.execute("select lower(function_name), function_type, has_side_effects or stability != 'CONSISTENT', "
                       "coalesce(macro_definition, '') from duckdb_functions()").fetchall()
    views = con.execute("select view_name from duckdb_views() where internal and schema_name in ('main', 'pg_catalog')")
    json.dump([rows, [name for (name,) in views.fetchall()]], sys.stdout)
"""


@pytest.fixture(scope="module")
def stage(tmp_path_factory) -> Scene:
    return scene(tmp_path_factory.mktemp("walls"))


@pytest.fixture(params=["this", "other"])
def python(request, monkeypatch) -> str:
    """A Python with either DuckDB; statements of the door run in it."""
    if request.param == "other" and not OTHER:
        pytest.skip("no other DuckDB (set LIGHTLAKE_OTHER_DUCKDB_PYTHON)")
    found = OTHER if request.param == "other" else sys.executable
    monkeypatch.setattr(untrusted, "PYTHON", found)
    return found


def test_there_are_as_many_attacks_as_were_asked_for():
    numbers = {s.number for s in (*READS, *WRITES, *COSTS)}
    assert set(range(53, 98)) <= numbers
    assert len(ATTACKS) + len(COSTS) >= 93 + 20
    assert len({s.name for s in (*ATTACKS, *COSTS)}) == len(ATTACKS) + len(COSTS)
    assert len(PERMITTED) >= 40


def test_the_syntax_of_every_attack_is_refused(stage, python):
    answers = stage.asked(python, ["syntax"], [s.text for s in ATTACKS], apart=False)
    # What one DuckDB forbids may be no SQL at all to another.
    assert [(s.name, a) for s, a in zip(ATTACKS, answers, strict=True) if a.get("error") not in REFUSALS] == []
    assert sum(a["error"] == "Forbidden" for a in answers) > 0.9 * len(ATTACKS)


@pytest.mark.parametrize("attacks", [SOME, pytest.param(ATTACKS, marks=pytest.mark.slow)], ids=["some", "all"])
def test_behind_the_wall_of_files_alone_nothing_is_written_and_no_secret_read(stage, python, attacks):
    before = stage.state()
    answers = stage.asked(python, ["files"], [s.text for s in (*attacks, *HARMLESS)])
    assert stage.state() == before
    told = {s.name: str(a) for s, a in zip((*attacks, *HARMLESS), answers, strict=True)}
    assert [name for name, text in told.items() if SECRET in text or stage.lake.id in text] == []


def test_without_the_wall_of_files_the_secret_comes_out_and_the_lake_is_overwritten(tmp_path):
    open_ = scene(tmp_path)
    before = open_.state()
    texts = [
        "select content::varchar from read_blob('{outside}/secret.txt')",
        "from '{outside}/secret.parquet'",
        "copy (select 1 as i) to '{root}/{piece}' (format parquet, use_tmp_file false)",
        "copy (select 1) to '{new}.csv'",
    ]
    answers = open_.asked(sys.executable, [], texts)
    assert [SECRET in str(answer) for answer in answers] == [True, True, False, False]
    changed = {name for name, digest in open_.state().items() if before.get(name) != digest}
    assert {name.partition("/")[0] for name in changed} == {"lake", "new"}


def test_without_the_wall_of_syntax_settings_come_out_and_with_it_they_do_not(stage):
    texts = ["select value from duckdb_settings() where name = 'threads'", "select current_setting('threads')"]
    assert all("rows" in a for a in stage.asked(sys.executable, ["files"], texts))
    assert [a["error"] for a in stage.asked(sys.executable, ["files", "syntax"], texts)] == ["Forbidden", "Forbidden"]


def test_numbers_given_to_relations_keep_their_bounds_for_strangers_too(stage):
    with pytest.raises(QueryError, match="bin_s: found '0', expected a finite number above 0"):
        untrusted.sql(stage.lake, "from lightlane.light_curves(bin_s := 0)")


def test_what_science_asks_has_the_owner_s_answers(stage, python):
    strange = stage.asked(python, ["files", "syntax"], PERMITTED, apart=False)
    own = stage.asked(python, [], PERMITTED, apart=False)
    for text, found, wanted in zip(PERMITTED, strange, own, strict=True):
        assert found.get("rows", "[]") != "[]", (text, found)
        assert found == wanted, text


def test_every_name_that_lake_sql_knows_gives_the_same_rows(stage, python):
    present = {name.partition(".")[0] for name in (*stage.lake.snapshot.tables, "lake.commits")}
    names = [n for n in sorted(names_of(stage.lake.snapshot)) if n.partition(".")[0] in present]
    known = [n for n in names if n != "lightlane.fig_spectrum"]
    text = " union all ".join(
        f"select '{name}' as name, count(*) as n, bit_xor(hash(t)) as digest from {name} t" for name in known
    )
    found = untrusted.sql(stage.lake, f"{text} order by name").rows.to_pylist()
    assert len(found) == len(known) >= 25
    if python == sys.executable:
        assert found == stage.lake.sql(f"{text} order by name").rows.to_pylist()


@pytest.mark.parametrize("attack", THROUGH_THE_DOOR, ids=lambda s: s.name)
def test_the_door_refuses_with_a_reason_and_a_hint(stage, attack):
    with pytest.raises(Forbidden) as refused:
        untrusted.sql(stage.lake, stage.filled(attack.text))
    assert refused.value.message.startswith("sql: found ")
    assert refused.value.hint == "lake ls" or refused.value.hint.startswith("permitted: ")


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_door_refuses_every_attack(stage, python):
    before = stage.state()
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda s: outcome(stage, s.text, Limits()), ATTACKS))
    assert [(s.name, f) for s, f in zip(ATTACKS, found, strict=True) if not f.startswith(REFUSALS)] == []
    assert stage.state() == before


def outcome(stage: Scene, text: str, limits: Limits) -> str:
    """What the door says to a statement, the kind of error before it."""
    try:
        return f"rows {len(untrusted.sql(stage.lake, stage.filled(text), limits=limits))}"
    except Refused as error:
        return f"{type(error).__name__} {error.rule}"
    except QueryError as error:
        return f"QueryError {error}"


def test_what_costs_too_much_ends_in_time_and_says_at_which_limit(stage, python):
    costly = [s for s in COSTS if s.number]
    began = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda s: outcome(stage, s.text, Limits(seconds=1.5)), costly))
    told = dict(zip([s.name for s in costly], found, strict=True))
    ends = {f"TooLarge sql-{rule}" for rule in ("time", "memory", "rows", "bytes", "process")}
    assert set(told.values()) <= {"Forbidden sql-function", *ends}
    assert {told["cross join"], told["recursion"], told["range as a table"]} <= ends
    assert time.monotonic() - began < 1.5 * len(costly) + 30


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("cost", COSTS, ids=lambda s: s.name)
def test_the_longest_and_largest_end_within_32_seconds_and_2_gib(stage, python, cost):
    code = (
        "import resource, sys, time\n"
        "from lake import untrusted\n"
        "from lake.errors import LakeError\n"
        "from lake.store import Lake\n"
        "untrusted.PYTHON, began = sys.argv[3], time.monotonic()\n"
        "try:\n"
        "    untrusted.sql(Lake(sys.argv[1]), sys.argv[2])\n"
        "except LakeError as error:\n"
        "    assert type(error).__name__ in ('Forbidden', 'TooLarge'), repr(error)\n"
        "print(time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
    )
    words = [sys.executable, "-c", code, stage.lake.root, stage.filled(cost.text), python]
    said = subprocess.run(words, capture_output=True, text=True, check=True, env=os.environ).stdout
    seconds, kib = said.split()
    assert float(seconds) <= 32
    assert int(kib) <= 2 << 20


def test_a_limit_that_stops_a_statement_is_what_stops_it(stage):
    text = "select len(list(range)) as n from range(20000000)"
    with pytest.raises(TooLarge, match=r"800 MiB .*\[sql-(memory|process)\]"):
        untrusted.sql(stage.lake, text, limits=Limits(memory=800 << 20))
    assert untrusted.sql(stage.lake, text).rows.to_pylist() == [{"n": 20_000_000}]
    with pytest.raises(TooLarge, match=r"more than 9 rows"):
        untrusted.sql(stage.lake, "from range(10)", limits=Limits(rows=9))
    assert len(untrusted.sql(stage.lake, "from range(10)", limits=Limits(rows=10))) == 10
    with pytest.raises(TooLarge, match=r"more than 100,000 bytes"):
        untrusted.sql(stage.lake, "from range(20000)", limits=Limits(result=100_000))
    with pytest.raises(TooLarge, match=r"within 0.01 s"):
        untrusted.sql(stage.lake, "select 1", limits=Limits(seconds=0.01))
    with pytest.raises(TooLarge, match=r"found 20 characters, expected at most 10"):
        untrusted.sql(stage.lake, "select 1 /* abcd */ ", limits=Limits(text=10))


def test_a_parameter_is_a_value_and_never_part_of_the_text(stage):
    text = "select row_id from toy.counts where obs_id = $name order by row_id"
    assert untrusted.sql(stage.lake, text, {"name": "a"}).rows["row_id"].to_pylist() == [0, 1, 2, 3, 4]
    assert len(untrusted.sql(stage.lake, text, {"name": "a' or 1 = 1 --"})) == 0
    with pytest.raises(QueryError, match=r"missing \$name"):
        untrusted.sql(stage.lake, text)
    with pytest.raises(QueryError, match="no parameter \\$other"):
        untrusted.sql(stage.lake, text, {"name": "a", "other": 1})


def test_an_answer_has_the_units_and_the_commit_of_the_owner_s(stage):
    text = "select energy_kev, row_id from toy.counts order by all"
    found, own = untrusted.sql(stage.lake, text), stage.lake.sql(text)
    assert found.arrow().equals(own.arrow(), check_metadata=True)
    assert (found.units, found.commit) == ({"energy_kev": "keV"}, own.commit)


def test_a_pinned_lake_shows_its_commit_and_no_later_file(tmp_path):
    lake = Lake.create(tmp_path / "lake")
    for n in (3, 4):
        with lake.transaction("more") as tx:
            tx.append(COUNTS, counts(str(n), n), source=origin(str(n)))
    text = "select count(*) as n from toy.counts"
    assert [untrusted.sql(lake.at(n), text).rows["n"][0].as_py() for n in (0, 1)] == [3, 7]
    later = next(p for path, p in lake.snapshot.pieces.items() if path not in lake.at(0).snapshot.pieces)
    files = PinnedFiles(lake.at(0).snapshot, local_opener(lake.root))
    with pytest.raises(Forbidden, match="expected one of this commit"):
        files.open(f"lake://{later.path}")


def test_a_table_of_many_files_is_pruned_where_no_file_can_be_reached(tmp_path):
    lake = Lake.create(tmp_path / "lake")
    with lake.transaction("many", catalog=False) as tx:
        for n in range(40):
            tx.append(COUNTS, counts(f"{n:02d}", 2, first=n * 2), source=origin(str(n)))
    text = "select obs_id, row_id from toy.counts where row_id = 42"
    assert untrusted.sql(lake, text).rows.to_pylist() == lake.sql(text).rows.to_pylist() != []
    with pytest.raises(Forbidden):
        untrusted.sql(lake, "copy toy.counts to 'made.csv'")


def test_a_lake_in_an_object_store_is_read_through_the_parent_which_alone_has_its_keys():
    lake = Lake.create("memory://walls/lake")
    with lake.transaction("first") as tx:
        tx.append(COUNTS, counts("a", 5000), source=origin("a"))
    text = "select count(*) as n, sum(row_id) as s, sum(energy_kev) as e from toy.counts"
    assert untrusted.sql(lake, text).rows.to_pylist() == lake.sql(text).rows.to_pylist()
    with pytest.raises(Forbidden):
        untrusted.sql(lake, "from read_text('memory://walls/lake/lake.json')")


def test_a_file_of_the_log_that_points_out_of_the_lake_is_not_read(tmp_path):
    stage = scene(tmp_path)
    piece = next(iter(stage.lake.snapshot.by_dataset["toy.counts"]))
    inside = Path(stage.lake.root, piece)
    moved = tmp_path / "outside" / "piece.parquet"
    inside.rename(moved)
    inside.symlink_to(moved)
    assert stage.lake.sql("select count(*) as n from toy.counts").rows["n"][0].as_py() == 12
    with pytest.raises(Forbidden, match=r"outside the lake or gone"):
        untrusted.sql(stage.lake, "select count(*) as n from toy.counts")


def test_the_lake_s_file_system_has_no_way_to_write(stage):
    files = PinnedFiles(stage.lake.snapshot, local_opener(stage.lake.root))
    before = stage.state()
    path = f"lake://{next(iter(files.pieces))}"
    with files.open(path) as file:
        assert file.read(4) == b"PAR1"
    for act in (
        lambda: files.open(path, "wb"), lambda: files.open(path, "ab"), lambda: files.open(path, "r+b"),
        lambda: files.pipe_file(path, b"x"), lambda: files.rm(path), lambda: files.rm_file(path),
        lambda: files.mv(path, "lake://x"), lambda: files.cp_file(path, "lake://x"), lambda: files.touch(path),
        lambda: files.put_file(str(stage.folder / "outside/secret.txt"), "lake://x"),
    ):  # fmt: skip
        with pytest.raises((Forbidden, NotImplementedError, FileNotFoundError)):
            act()
    assert stage.state() == before


def test_a_sealed_database_stays_sealed(stage):
    with sealed(stage.lake.snapshot, PinnedFiles(stage.lake.snapshot, local_opener(stage.lake.root))) as con:
        for text in ("set enable_external_access = true", "reset allowed_paths", "set threads = 8"):
            with pytest.raises(duckdb.Error):
                con.execute(text)


def test_permitted_functions_are_of_values_alone_in_either_duckdb(python):
    said = subprocess.run([python, "-c", ASK_FUNCTIONS], capture_output=True, text=True, check=True).stdout
    rows, views = json.loads(said)
    assert {kind for name, kind, _, _ in rows if name in FUNCTIONS} <= {
        "scalar", "aggregate", "macro", "window", "table", "table_macro",
    }  # fmt: skip
    assert {name for name, kind, has, _ in rows if name in FUNCTIONS and has} <= OF_TIME_AND_CHANCE
    assert {n for n, k, _, _ in rows if n in FUNCTIONS and k == "table"} == {"generate_series", "range", "unnest"}
    assert {n for n, k, _, _ in rows if n in FUNCTIONS and k == "table_macro"} <= {"histogram"}
    definitions = [text.lower() for name, kind, _, text in rows if name in FUNCTIONS and kind == "macro"]
    assert [t for t in definitions if "duckdb_" in t or "pg_" in t or "current_setting" in t] == []
    assert [name for name in views if CTE_NAME.fullmatch(name)] == []


@pytest.mark.parametrize("python", ["this"], indirect=True)
def test_the_command_gives_the_same_bytes_with_and_without_walls(stage, python, capsysbinary):
    text = "select obs_id, energy_kev from toy.counts where obs_id = $o order by all"
    for form in ("csv", "json", "parquet"):
        words = ["sql", "--root", stage.lake.root, "--format", form, "--param", "o=b", text]
        assert main(words) == 0
        own = capsysbinary.readouterr().out
        assert main([*words, "--untrusted"]) == 0
        assert capsysbinary.readouterr().out == own != b""


def test_the_command_says_in_one_line_what_is_refused_and_what_is_permitted(stage, capsysbinary):
    words = ["sql", "--root", stage.lake.root, "--untrusted"]
    assert main([*words, "from read_text('/etc/passwd')"]) == 1
    out, err = capsysbinary.readouterr()
    lines = err.decode().splitlines()
    assert (out, lines[0]) == (b"", "error: sql: found read_text() in place of a table [sql-function]")
    assert lines[1].startswith("hint: permitted: ")
    assert len(lines) == 2


def test_no_question_opens_a_catalogue_that_lies_in_the_lake(tmp_path):
    stage = scene(tmp_path)
    catalog = Path(stage.lake.root, "catalog.duckdb")
    catalog.unlink()
    # Whoever opens this waits for ever.
    os.mkfifo(catalog)
    lake = Lake(stage.lake.root)
    assert sql(lake.snapshot, lake.storage, "select count(*) as n from toy.counts").rows["n"][0].as_py() == 12
    assert untrusted.sql(lake, "select count(*) as n from toy.counts").rows["n"][0].as_py() == 12
    assert len(lake.query("toy.counts")) == 12
    # A new commit puts one of our own in its place.
    with lake.transaction("more") as tx:
        tx.append(COUNTS, counts("c", 1), source=origin("c"))
    assert catalog.is_file()


@pytest.mark.parametrize(
    "said",
    [b"", b"a", b"a" + b"\xff" * 8, b"a" + (5).to_bytes(8, "big") + b"wrong", b"e" + (1).to_bytes(8, "big") + b"[",
     b"q" + (2).to_bytes(8, "big") + b"[]", b"z" + (0).to_bytes(8, "big"),
     b"e" + (200_000).to_bytes(8, "big") + b"[" * 200_000],
    ids=["nothing", "half a head", "endless", "no Arrow", "no JSON", "no span", "no kind", "deep JSON"],
)  # fmt: skip
def test_a_process_that_says_anything_else_than_an_answer_is_an_error(stage, tmp_path, monkeypatch, said):
    program = tmp_path / "python"
    (tmp_path / "said").write_bytes(said)
    program.write_text(f"#!/bin/sh\ncat {tmp_path}/said\nexec sleep 0.2\n")
    program.chmod(0o755)
    monkeypatch.setattr(untrusted, "PYTHON", str(program))
    with pytest.raises((QueryError, TooLarge), match=r"^sql: "):
        untrusted.sql(stage.lake, "select 1")
