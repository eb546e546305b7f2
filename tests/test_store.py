"""The lake as a whole, on a folder and in an object store: commits, keys, time travel, evolution, housekeeping."""

import os
import subprocess
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import zarr

from lake.errors import CommitError, ConflictError, LakeError, QueryError, SchemaError
from lake.keys import merged
from lake.log import checkpoint_name, encode, entry_name, load
from lake.maintain import compact, gc
from lake.pieces import read_rows
from lake.schema import Column, Table
from lake.staging import stage_rows
from lake.storage import storage_at
from lake.store import Lake
from lake.verify import verify
from tests.builders.lakes import COUNTS, FRAMES, counts, images, instants, origin


@pytest.fixture(params=["folder", "memory"])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    """An empty lake in a folder and in an object store."""
    root = str(tmp_path / "lake") if request.param == "folder" else f"memory://{tmp_path.name}"
    return Lake.create(root)


def add(lake: Lake, name: str, obs_id: str = "", n: int = 5, **words: bool) -> None:
    """Commit one input of `n` counts."""
    with lake.transaction("test", catalog=False) as tx:
        tx.append(COUNTS, counts(obs_id or name, n), source=origin(name), **words)


def table(lake: Lake, name: str) -> pa.Table:
    """All rows of a table, read file by file."""
    return merged(lake.snapshot.tables[name], [read_rows(lake.storage, p) for p in lake.snapshot.pieces_of(name)])


def rows(lake: Lake) -> list[tuple[str, int]]:
    """The keys of all counts."""
    return [(r["obs_id"], r["row_id"]) for r in table(lake, "toy.counts").to_pylist()]


def test_a_source_is_taken_in_once_however_often_it_is_given(lake):
    for _ in range(3):
        add(lake, "a")
    assert lake.number == 0
    assert len(rows(lake)) == 5


def test_a_transaction_that_fails_leaves_the_lake_as_it_was(lake):
    add(lake, "a")

    def fail() -> None:
        with lake.transaction("fails", catalog=False) as tx:
            tx.append(COUNTS, counts("b"), source=origin("b"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert Lake(lake.root).number == 0
    assert len(rows(lake)) == 5


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
    assert len(rows(lake)) == 3
    add(lake, "newer", obs_id="o", n=7, supersede=True)
    assert len(rows(lake)) == 7
    assert [key[1] for key in lake.snapshot.ingested] == [origin("newer")["sha256"]]
    assert len(rows(lake.at(0))) == 5


def test_deleting_by_source_lets_it_come_back(lake):
    add(lake, "a")
    with lake.transaction("test", catalog=False) as tx:
        tx.delete("toy.counts", sources=[origin("a")["sha256"]])
    assert rows(lake) == []
    add(lake, "a")
    assert len(rows(lake)) == 5


def test_deleting_by_key_rewrites_only_the_files_that_have_it(lake):
    add(lake, "a")
    add(lake, "b")
    before = {p.path for p in lake.snapshot.pieces.values() if origin("b")["sha256"] in p.sources}
    with lake.transaction("test", catalog=False) as tx:
        tx.delete("toy.counts", where={"obs_id": "a", "row_id": [0, 1]})
    assert rows(lake) == [("a", 2), ("a", 3), ("a", 4), *(("b", i) for i in range(5))]
    assert before <= set(lake.snapshot.pieces)


def test_a_lake_is_read_at_a_number_a_time_and_a_tag(lake):
    for name in "abc":
        add(lake, name)
    times = [c["time"] for c in lake.snapshot.commits]
    lake.tag("paper", 1)
    assert len(rows(lake.at(0))) == 5
    assert len(rows(lake.at("paper"))) == 10
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
    found = table(lake, "toy.counts")
    assert found["grade"].to_pylist() == [None] * 5 + [3] * 5
    assert found.schema.field("row_id").type == pa.int64()
    add(lake, "c")
    assert table(lake, "toy.counts")["grade"].null_count == 10
    in_ev = replace(COUNTS, columns=(obs_id, row_id, replace(energy, unit="eV")))
    with pytest.raises(SchemaError, match=r"energy_kev changed from \[keV\] to \[eV\]"), lake.transaction("no") as tx:
        tx.append(in_ev, counts("d"), source=origin("d"))
    assert Lake(lake.root).snapshot == lake.snapshot


def test_compaction_keeps_rows_and_old_commits(lake):
    for name in "abcdef":
        add(lake, name)
    before, number = rows(lake), lake.number
    assert compact(lake, catalog=False)["files_after"] == 1
    assert len(lake.snapshot.pieces) == 1
    assert rows(lake) == before == rows(lake.at(number))
    with lake.transaction("test", catalog=False) as tx:
        tx.delete("toy.counts", sources=[origin("c")["sha256"]])
    assert {o for o, _ in rows(lake)} == set("abdef")


def test_garbage_collection_takes_orphans_and_nothing_else(lake):
    add(lake, "a")
    stage_rows(lake.storage, COUNTS, counts("orphan"), source=origin("orphan"))
    compact(lake, catalog=False)
    assert gc(lake, catalog=False)["files"] == 0
    assert gc(lake, catalog=False, grace_s=0)["files"] == 1
    assert gc(lake, catalog=False, grace_s=0)["files"] == 0
    assert len(rows(lake.at(0))) == 5
    add(lake, "orphan")
    assert len(rows(lake)) == 10
    assert verify(lake) == []


def test_garbage_collection_gives_up_old_commits_only_when_asked(lake):
    for name in "abc":
        add(lake, name)
    lake.tag("kept", 1)
    compact(lake, catalog=False)
    add(lake, "d")
    assert gc(lake, catalog=False, grace_s=0, before=lake.number)["files"] == 1
    assert len(rows(lake)) == 20
    assert len(rows(lake.at("kept"))) == 10
    with pytest.raises(QueryError, match="was given up; the oldest kept is"):
        lake.at(2)
    assert verify(lake) == []


def test_the_state_is_the_same_from_a_checkpoint_and_from_the_log(lake):
    for i in range(101):
        add(lake, f"s{i}", n=1)
    assert lake.storage.size(checkpoint_name(100)) is not None
    opened = load(lake.storage)
    lake.storage.delete(checkpoint_name(100))
    assert opened == load(lake.storage) == lake.snapshot


def test_a_damaged_log_is_told_and_a_damaged_checkpoint_does_not_matter(tmp_path):
    lake = Lake.create(tmp_path / "lake")
    for i in range(102):
        add(lake, f"s{i}", n=1)
    (tmp_path / "lake" / checkpoint_name(100)).write_bytes(b"PAR1 nonsense")
    assert load(lake.storage) == lake.snapshot
    entry = tmp_path / "lake" / entry_name(50)
    entry.write_bytes(entry.read_bytes().replace(b"archive/s50", b"archive/x50"))
    with pytest.raises(CommitError, match=r"0050\.json: damaged"):
        load(lake.storage)


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
    assert len(rows(lake)) == 41 * 5
    assert verify(lake) == []


def test_verify_finds_a_flipped_byte_and_a_missing_file(tmp_path):
    lake = Lake.create(tmp_path / "lake")
    add(lake, "a")
    add(lake, "b")
    one, two = (tmp_path / "lake" / p for p in sorted(lake.snapshot.pieces))
    content = bytearray(one.read_bytes())
    content[len(content) // 2] ^= 1
    one.write_bytes(content)
    two.unlink()
    assert [f["what"] for f in verify(lake)][:2] == ["file", "file"]


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


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_is_told_and_leaves_the_lake_as_it_was(small_disk):
    lake = Lake.create(small_disk / "lake")
    add(lake, "a")
    noise = np.random.default_rng(0)
    values = {"obs_id": "big", "row_id": np.arange(400_000), "energy_kev": noise.random(400_000)}
    with pytest.raises(CommitError, match="no space left"), lake.transaction("big", catalog=False) as tx:
        tx.append(COUNTS, values, source=origin("big"))
    assert Lake(lake.root).number == 0
    assert list((small_disk / "lake" / "staging").iterdir()) == []
    add(lake, "b")
    assert verify(lake) == []


# Frames


def test_frames_read_back_in_order_of_time_whatever_order_they_came_in(lake):
    pixels = images(4)
    for names, seconds in (("late", (30, 20)), ("early", (10, 0))):
        chosen = pixels[[int(s / 10) for s in seconds]]
        with lake.transaction("test", catalog=False) as tx:
            tx.append_frames(FRAMES, chosen, {"time": instants(*seconds), "exposure_s": 1.0}, source=origin(names))
    found = lake["toy.images"]
    assert found.dims == ("time", "y", "x")
    np.testing.assert_array_equal(found.values, pixels)
    np.testing.assert_array_equal(found[1:3, 2:5, ::3].compute(), pixels[1:3, 2:5, ::3])
    assert found.attrs["units"] == "DN"


def test_a_missing_frame_is_flagged_and_never_a_silent_zero(lake):
    with lake.transaction("test", catalog=False) as tx:
        tx.append_frames(FRAMES, images(1), {"time": instants(0), "exposure_s": 1.0}, source=origin("a"))
        tx.append_frames(FRAMES, None, {"time": instants(3), "exposure_s": 0.0}, source=origin("b"))
    assert lake["toy.images"].is_missing.values.tolist() == [False, True]


def test_a_lost_shard_is_an_error_and_not_fill_values(tmp_path):
    lake = Lake.create(tmp_path / "lake")
    with lake.transaction("test", catalog=False) as tx:
        tx.append_frames(FRAMES, images(1), {"time": instants(0), "exposure_s": 1.0}, source=origin("a"))
    found = lake["toy.images"]
    segment = next(p for p in lake.snapshot.pieces.values() if p.is_segment)
    (tmp_path / "lake" / segment.path / "pixels/c/0/0/0").unlink()
    with pytest.raises(CommitError, match="c/0/0/0: no bytes, the log has"):
        found.compute()


def test_a_segment_is_plain_zarr_for_anybody(tmp_path):
    lake = Lake.create(tmp_path / "lake")
    pixels = images(3)
    with lake.transaction("test", catalog=False) as tx:
        tx.append_frames(FRAMES, pixels, {"time": instants(0, 1, 2), "exposure_s": 1.0}, source=origin("a"))
    segment = next(p for p in lake.snapshot.pieces.values() if p.is_segment)
    opened = zarr.open(tmp_path / "lake" / segment.path, mode="r")["pixels"]
    np.testing.assert_array_equal(opened[...], pixels)
    assert opened.metadata.dimension_names == ("time", "y", "x")
    assert len(list((tmp_path / "lake" / segment.path / "pixels/c").rglob("*"))) - 2 == 1


def test_tile_statistics_are_those_of_the_pixels(lake):
    pixels = images(2, size=12)
    with lake.transaction("test", catalog=False) as tx:
        tx.append_frames(FRAMES, pixels, {"time": instants(5, 0), "exposure_s": 1.0}, source=origin("a"))
    tiles = table(lake, "toy.images_tiles").to_pylist()
    assert len(tiles) == 8
    for tile in tiles:
        frame = pixels[0 if tile["time"].second == 5 else 1].astype(np.int64)
        part = frame[8 * tile["tile_y"] :, 8 * tile["tile_x"] :][:8, :8]
        expected = (part.size, part.sum(), (part**2).sum(), part.min(), part.max())
        found = tuple(tile[n] for n in ("n_pixels", "pixel_sum", "pixel_sum_of_squares", "pixel_min", "pixel_max"))
        assert found == expected


def test_frames_of_another_size_are_left_out_with_the_sizes(lake):
    for name, size in (("a", 12), ("b", 10)):
        with lake.transaction("test", catalog=False) as tx:
            at = instants(size)
            tx.append_frames(FRAMES, images(1, size=size), {"time": at, "exposure_s": 1.0}, source=origin(name))
    assert tx.skipped == [("archive/b", "toy.images: frames are 10 x 10 pixels, the array has 12 x 12")]


def test_the_same_frames_give_the_same_bytes(tmp_path):
    digests = []
    for name in ("one", "two"):
        lake = Lake.create(tmp_path / name)
        with lake.transaction("test", catalog=False) as tx:
            frames = {"time": instants(*range(20)), "exposure_s": 1.0}
            tx.append_frames(FRAMES, images(20, size=64), frames, source=origin("a"))
        digests.append(sorted(p.sha256 for p in lake.snapshot.pieces.values()))
    assert digests[0] == digests[1]


# Where a row came from


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
    assert {r["obs_id"] for r in table(lake, "toy.parted").to_pylist()} == set(names)


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


def test_a_read_only_root_is_told_and_leaves_the_lake_as_it_was(small_disk):
    lake = Lake.create(small_disk / "lake")
    add(lake, "a")
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(CommitError, match="read-only file system"):
        add(lake, "b")
    assert len(rows(Lake(lake.root))) == 5
    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    add(lake, "b")
    assert len(rows(lake)) == 10
