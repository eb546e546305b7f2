"""The lake as a whole, on a folder and in an object store: commits, keys, time travel, evolution, origins."""

import threading
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from lake.errors import CommitError, ConflictError, LakeError, QueryError, SchemaError
from lake.log import encode
from lake.maintain import compact
from lake.schema import Column, Table
from lake.storage import storage_at
from lake.store import Lake
from lake.verify import verify
from tests.builders.lakes import COUNTS, FRAMES, add, all_rows, count_keys, counts, images, instants, origin


@pytest.fixture(params=["folder", "memory"])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    """An empty lake in a folder and in an object store."""
    root = str(tmp_path / "lake") if request.param == "folder" else f"memory://{tmp_path.name}"
    return Lake.create(root)


def test_a_source_is_taken_in_once_however_often_it_is_given(lake):
    for _ in range(3):
        add(lake, "a")
    assert lake.number == 0
    assert len(count_keys(lake)) == 5


def test_a_transaction_that_fails_leaves_the_lake_as_it_was(lake):
    add(lake, "a")

    def fail() -> None:
        with lake.transaction("fails", catalog=False) as tx:
            tx.append(COUNTS, counts("b"), source=origin("b"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert Lake(lake.root).number == 0
    assert len(count_keys(lake)) == 5


def test_tables_and_arrays_appear_in_one_commit(lake):
    with lake.transaction("both", catalog=False) as tx:
        tx.append(COUNTS, counts("a"), source=origin("a"))
        tx.append_frames(FRAMES, images(2), {"time": instants(0, 1), "exposure_s": 1.0}, source=origin("a"))
    assert lake.number == 0
    assert set(lake.snapshot.tables) == {"toy.counts", "toy.images_frames", "toy.images_tiles"}
    assert tx.new == ["archive/a"]


def test_a_key_of_another_file_is_left_out_with_its_reason(lake):
    add(lake, "a", obs_id="same")
    with lake.transaction("test", catalog=False) as tx:
        tx.append(COUNTS, counts("same"), source=origin("b"))
        tx.append(COUNTS, counts("other"), source=origin("c"))
    assert tx.skipped == [("archive/b", "toy.counts: obs_id same, row_id 0 is there already, from another file")]
    assert tx.new == ["archive/c"]
    assert [r["uri"] for r in lake.snapshot.rejected] == ["archive/b"]


def test_a_key_without_a_source_conflicts(lake):
    add(lake, "a")
    with pytest.raises(ConflictError, match="nothing was written"), lake.transaction("test", catalog=False) as tx:
        tx.append(COUNTS, counts("a", 1))


def test_superseding_replaces_the_rows_of_the_same_and_of_the_clashing_source(lake):
    add(lake, "a", obs_id="o", n=5)
    add(lake, "a", obs_id="o", n=3, supersede=True)
    assert len(count_keys(lake)) == 3
    add(lake, "newer", obs_id="o", n=7, supersede=True)
    assert len(count_keys(lake)) == 7
    assert [key[1] for key in lake.snapshot.ingested] == [origin("newer")["sha256"]]
    assert len(count_keys(lake.at(0))) == 5


def test_deleting_by_source_lets_it_come_back(lake):
    add(lake, "a")
    with lake.transaction("test", catalog=False) as tx:
        tx.delete("toy.counts", sources=[origin("a")["sha256"]])
    assert count_keys(lake) == []
    add(lake, "a")
    assert len(count_keys(lake)) == 5


def test_deleting_by_key_rewrites_only_the_files_that_have_it(lake):
    add(lake, "a")
    add(lake, "b")
    before = {p.path for p in lake.snapshot.pieces.values() if origin("b")["sha256"] in p.sources}
    with lake.transaction("test", catalog=False) as tx:
        tx.delete("toy.counts", where={"obs_id": "a", "row_id": [0, 1]})
    assert count_keys(lake) == [("a", 2), ("a", 3), ("a", 4), *(("b", i) for i in range(5))]
    assert before <= set(lake.snapshot.pieces)


def test_a_lake_is_read_at_a_number_a_time_and_a_tag(lake):
    for name in "abc":
        add(lake, name)
    times = [c["time"] for c in lake.snapshot.commits]
    lake.tag("paper", 1)
    assert len(count_keys(lake.at(0))) == 5
    assert len(count_keys(lake.at("paper"))) == 10
    assert lake.at(times[2]).number == 2
    assert lake.at(times[1].rstrip("Z")).number == 1
    with pytest.raises(QueryError, match="no commit 9; the newest is 3"):
        lake.at(9)
    with pytest.raises(QueryError, match="tag paper is commit 1 already"):
        lake.tag("paper")
    with pytest.raises(CommitError, match="open it without"), lake.at(0).transaction("no"):
        pass


def test_diff_counts_what_changed(lake):
    add(lake, "a", n=5)
    add(lake, "b", n=2)
    assert lake.diff(0) == {
        "before": 0,
        "after": 1,
        "datasets": {"toy.counts": {"files_added": 1, "rows_added": 2}},
        "sources_added": ["archive/b"],
        "declared": [],
    }


def test_a_column_may_be_added_and_a_type_widened_and_nothing_else(lake):
    obs_id, row_id, energy = COUNTS.columns
    narrow = replace(COUNTS, columns=(obs_id, replace(row_id, type=pa.int32()), energy))
    with lake.transaction("narrow", catalog=False) as tx:
        tx.append(narrow, counts("a"), source=origin("a"))
    wide = replace(COUNTS, columns=(*COUNTS.columns, Column("grade", pa.int16(), "Grade", nullable=True)))
    with lake.transaction("wide", catalog=False) as tx:
        tx.append(wide, {**counts("b"), "grade": 3}, source=origin("b"))
    found = all_rows(lake, "toy.counts")
    assert found["grade"].to_pylist() == [None] * 5 + [3] * 5
    assert found.schema.field("row_id").type == pa.int64()
    add(lake, "c")
    assert all_rows(lake, "toy.counts")["grade"].null_count == 10
    in_ev = replace(COUNTS, columns=(obs_id, row_id, replace(energy, unit="eV")))
    with pytest.raises(SchemaError, match=r"energy_kev changed from \[keV\] to \[eV\]"), lake.transaction("no") as tx:
        tx.append(in_ev, counts("d"), source=origin("d"))
    assert Lake(lake.root).snapshot == lake.snapshot


def test_threads_that_write_at_once_lose_nothing(tmp_path):
    root = tmp_path / "lake"
    Lake.create(root)

    def write(worker: int) -> None:
        own = Lake(root)
        for i in range(10):
            add(own, f"w{worker}-{i}")
            add(own, "shared")

    threads = [threading.Thread(target=write, args=(w,)) for w in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lake = Lake(root)
    assert lake.number == 40
    assert len(count_keys(lake)) == 41 * 5
    assert verify(lake) == []


def test_a_folder_with_something_else_never_becomes_a_lake(tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(CommitError, match="not empty"):
        Lake.create(tmp_path)
    with pytest.raises(QueryError, match="no lake there"):
        Lake(tmp_path)


def test_a_lake_of_a_later_format_is_left_alone(tmp_path):
    Lake.create(tmp_path / "lake")
    (tmp_path / "lake" / "lake.json").write_bytes(encode({"format": 99, "id": "x"}))
    with pytest.raises(CommitError, match="format 99, this version reads up to 1"):
        Lake(tmp_path / "lake")


def test_why_leads_from_a_row_to_its_input_also_after_compaction(lake):
    run = {"id": "r1", "pipeline": "toy", "parameters": "{}"}
    with lake.transaction("test", run=run, catalog=False) as tx:
        tx.append(COUNTS, counts("a"), source=origin("a"))
    add(lake, "b")
    compact(lake, catalog=False)
    found = lake.why("toy.counts", obs_id="a", row_id=3)
    assert [s["uri"] for s in found["sources"]] == ["archive/a"]
    assert [r["id"] for r in found["runs"]] == ["r1"]
    with pytest.raises(QueryError, match="obs_id zzz names no row"):
        lake.why("toy.counts", obs_id="zzz")
    with pytest.raises(QueryError, match="row_id 3 names 2 rows, expected one; the key is obs_id, row_id"):
        lake.why("toy.counts", row_id=3)


def test_rows_with_lists_are_found_deleted_and_compacted_like_others(lake):
    hits = Table(
        name="toy.hits",
        doc="Hits and their pixels.",
        key=("obs_id",),
        columns=(Column("obs_id", pa.string(), "Observation"), Column("pixels_x", pa.list_(pa.uint16()), "Columns")),
    )
    for name in ("a", "b", "c"):
        with lake.transaction("test", catalog=False) as tx:
            tx.append(hits, {"obs_id": [name], "pixels_x": [[1, 2]]}, source=origin(name), supersede=True)
    assert lake.why("toy.hits", obs_id="a")["sources"][0]["uri"] == "archive/a"
    compact(lake, catalog=False)
    with lake.transaction("test", catalog=False) as tx:
        tx.delete("toy.hits", where={"obs_id": "b"})
        tx.append(hits, {"obs_id": ["c"], "pixels_x": [[3]]}, source=origin("d"), supersede=True)
    rows = {row["obs_id"]: row["pixels_x"] for row in lake.table("toy.hits").arrow().to_pylist()}
    assert rows == {"a": [1, 2], "c": [3]}
    assert verify(lake) == []


def test_hostile_values_never_become_paths(lake):
    partitioned = replace(COUNTS, name="toy.parted", partition="obs_id")
    names = ["../../x", "/etc/passwd", "a b", "con", "café", "line\nbreak", "2020", "x" * 300]
    with lake.transaction("test", catalog=False) as tx:
        for name in names:
            tx.append(partitioned, counts(name, 1), source=origin(name))
    for piece in lake.snapshot.pieces.values():
        assert set(piece.path) <= set("abcdefghijklmnopqrstuvwxyz0123456789_./-"), piece.path
        assert ".." not in piece.path
        assert len(piece.path) < 200
    assert {r["obs_id"] for r in all_rows(lake, "toy.parted").to_pylist()} == set(names)


def test_errors_survive_the_way_back_from_another_process():
    import pickle

    from lake.errors import TooLarge

    error = pickle.loads(pickle.dumps(TooLarge("x.fits?key=1", "inflate", "2 GB out of 1 kB", "try less")))
    assert (str(error), error.rule, error.hint) == ("x.fits: 2 GB out of 1 kB [inflate]", "inflate", "try less")
    assert isinstance(error, LakeError | OSError)


def test_storage_gives_a_name_once(tmp_path):
    storage = storage_at(tmp_path)
    assert storage.create("log/1", b"one")
    assert not storage.create("log/1", b"two")
    assert storage.read("log/1") == b"one"


def test_bad_declarations_are_refused():
    with pytest.raises(SchemaError, match="lower-case ASCII"):
        Column("Energy", pa.float64(), "Energy")
    with pytest.raises(SchemaError, match="no sentence"):
        Column("energy", pa.float64(), "")
    with pytest.raises(SchemaError, match="is no column"):
        Table("toy.t", "A table.", ("id",), (Column("x", pa.int64(), "X"),))
    with pytest.raises(SchemaError, match="cannot be nullable"):
        Table("toy.t", "A table.", ("x",), (Column("x", pa.int64(), "X", nullable=True),))


def test_a_lake_lists_its_datasets_as_a_mapping_does(lake):
    add(lake, "a")
    assert list(lake) == ["toy.counts"]
    assert "toy.counts" in lake
    assert "toy.nothing" not in lake
