"""What must not go wrong though others write, collect, evolve or misuse the lake meanwhile."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from lake import maintain
from lake.columns import Column
from lake.errors import CommitError, ConflictError, QueryError, SchemaError
from lake.intake import Frames, commit, take_in
from lake.keys import merged
from lake.log import checkpoint_name
from lake.maintain import gc
from lake.ordering import key_order
from lake.pieces import read_rows
from lake.provenance import new_run
from lake.schema import Table, declaration
from lake.staging import stage_rows
from lake.storage import LocalStorage
from lake.store import Lake
from lake.transaction import Transaction
from lake.verify import verify
from tests.builders.lakes import COUNTS, FRAMES, counts, images, instants, origin
from tests.builders.toy_ingest import toy_rows, write_toy


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """An empty lake."""
    return Lake.create(tmp_path / "lake")


def add(lake: Lake, name: str, n: int = 5, obs_id: str = "", **words: bool) -> Transaction:
    """Commit one input of `n` counts."""
    with lake.transaction("test", catalog=False) as tx:
        tx.append(COUNTS, counts(obs_id or name, n), source=origin(name), **words)
    return tx


def add_frames(lake: Lake, name: str, second: float, seed: int = 0, size: int = 12) -> Transaction:
    """Commit one input of one frame."""
    with lake.transaction("test", catalog=False) as tx:
        frames = {"time": instants(second), "exposure_s": second}
        tx.append_frames(FRAMES, images(1, seed, size), frames, source=origin(name))
    return tx


def n_rows(lake: Lake, table: str = "toy.counts") -> int:
    """Rows of a table, read file by file."""
    pieces = [read_rows(lake.storage, p) for p in lake.snapshot.pieces_of(table)]
    return merged(lake.snapshot.tables[table], pieces).num_rows


def test_a_collection_gives_way_to_a_commit_made_while_it_looked_around(lake, monkeypatch):
    add(lake, "a")
    staged = stage_rows(lake.storage, COUNTS, counts("b"), source=origin("b"), staged_on=lake.number)
    needed = maintain.needed_paths
    late = []

    def commit_meanwhile(*words: object) -> set[str]:
        found = needed(*words)
        if not late:
            late.append(1)
            with Lake(lake.root).transaction("late", catalog=False) as tx:
                tx.add(staged)
        return found

    monkeypatch.setattr(maintain, "needed_paths", commit_meanwhile)
    gc(lake, grace_s=0, catalog=False)
    assert verify(Lake(lake.root)) == []
    assert n_rows(Lake(lake.root)) == 10


def test_files_collected_between_staging_and_commit_are_staged_anew(lake):
    add(lake, "a")
    staged = stage_rows(lake.storage, COUNTS, counts("b"), source=origin("b"), staged_on=lake.number)
    assert gc(lake, grace_s=0, catalog=False)["files"] == 1
    lake.refresh()
    tx = Transaction(lake.storage, lake.snapshot, "late")
    tx.add(staged)
    with pytest.raises(ConflictError, match="a garbage collection took it away"):
        tx.__exit__(None)
    add(lake, "b")
    assert verify(lake) == []


def test_an_array_takes_a_new_column_and_stays_readable(lake):
    add_frames(lake, "a", 0)
    wider = replace(FRAMES, columns=(*FRAMES.columns, Column("gain", pa.float64(), "Gain", nullable=True)))
    with lake.transaction("wider", catalog=False) as tx:
        frames = {"time": instants(9), "exposure_s": 1.0, "gain": 2.0}
        tx.append_frames(wider, images(1, 5), frames, source=origin("b"))
    found = Lake(lake.root)["toy.images"]
    assert np.isnan(found.gain.values[0])
    assert found.gain.values[1] == 2.0


def test_equal_pixels_of_two_inputs_go_one_by_one(lake):
    add_frames(lake, "a", 0, seed=1)
    add_frames(lake, "b", 1, seed=1)
    with lake.transaction("delete", catalog=False) as tx:
        tx.delete("toy.images", sources=[origin("a")["sha256"]])
    np.testing.assert_array_equal(lake["toy.images"].values, images(1, 1))
    assert verify(lake) == []


def test_a_single_row_column_or_pixel_of_frames_can_be_read(lake):
    add_frames(lake, "a", 0, seed=2)
    found, pixels = lake["toy.images"], images(1, 2)
    np.testing.assert_array_equal(found[:, 5, :].compute(), pixels[:, 5, :])
    np.testing.assert_array_equal(found[0, :, 3].compute(), pixels[0, :, 3])
    assert found[0, 1, 2].values == pixels[0, 1, 2]
    assert found[-1, -1, -1].values == pixels[-1, -1, -1]


@pytest.mark.parametrize("kind", [pa.uint16(), pa.int64(), pa.float64(), pa.date32(), pa.string()])
def test_keys_of_every_type_are_ordered_and_repeats_found(kind):
    rows = pa.table({"key": pa.array([5, 3, 5], pa.int32()).cast(pa.float64() if kind == pa.float64() else kind)})
    found, repeats = key_order(rows, ("key",))
    assert found["key"].to_pylist() == sorted(set(rows["key"].to_pylist()))
    assert repeats == [2]


def test_a_nullable_column_is_no_partition():
    with pytest.raises(SchemaError, match="energy_kev is part of the key or partition"):
        replace(COUNTS, partition="energy_kev")


def test_a_file_of_one_dataset_is_new_to_another(lake, tmp_path):
    path = [str(write_toy(tmp_path, 1))]
    run = new_run("toy", {})
    other = replace(COUNTS, name="other.counts")
    first = commit(lake, take_in(lake, path, [COUNTS, FRAMES], toy_rows, run=run["id"]), run)
    again = commit(lake, take_in(lake, path, [COUNTS, FRAMES], toy_rows, run=run["id"]), run)
    second = commit(lake, take_in(lake, path, [other], lambda s: [(other, toy_rows(s)[0][1])], run=run["id"]), run)
    assert [(p["new"], p["known"]) for p in (first, again, second)] == [(1, 0), (0, 1), (1, 0)]
    assert n_rows(lake, "other.counts") == 20


def test_a_file_that_is_left_out_supersedes_nothing(lake):
    add(lake, "a")
    add_frames(lake, "other", 0)
    with lake.transaction("bad", catalog=False) as tx:
        tx.append(COUNTS, counts("a", 1), source=origin("new"), supersede=True)
        frames = {"time": instants(5), "exposure_s": 1.0}
        tx.append_frames(FRAMES, images(1, 0, size=9), frames, source=origin("new"))
    assert [uri for uri, _ in tx.skipped] == ["archive/new"]
    assert n_rows(lake) == 5


def test_one_input_never_brings_a_key_twice(lake):
    with lake.transaction("twice", catalog=False) as tx:
        tx.append(COUNTS, counts("a", 3), source=origin("a"))
        tx.append(COUNTS, counts("a", 5), source=origin("a"))
    assert tx.skipped == [("archive/a", "toy.counts: obs_id a, row_id 0 is there already, from this file")]
    assert "toy.counts" not in {p.dataset for p in lake.snapshot.pieces.values()}


def test_deleting_needs_to_know_what(lake):
    add(lake, "a")
    with pytest.raises(QueryError, match="delete what"), lake.transaction("no", catalog=False) as tx:
        tx.delete("toy.counts")
    with lake.transaction("none", catalog=False) as tx:
        tx.delete("toy.counts", sources=[])
    assert n_rows(lake) == 5


def test_tiles_go_with_their_frames_whatever_named_them(lake):
    add_frames(lake, "a", 1)
    add_frames(lake, "b", 2)
    with lake.transaction("delete", catalog=False) as tx:
        tx.delete("toy.images", where={"exposure_s": 1.0})
    assert n_rows(lake, "toy.images_frames") == 1
    assert n_rows(lake, "toy.images_tiles") == 4
    assert len([p for p in lake.snapshot.pieces.values() if p.is_segment]) == 1


def test_a_commit_stands_though_its_checkpoint_fails(tmp_path):
    def fail(act: str, name: str, done: bool) -> None:
        if name == checkpoint_name(100):
            raise CommitError("no space left")

    root = tmp_path / "lake"
    lake = Lake.create(root, storage=LocalStorage(root, fail))
    for i in range(101):
        add(lake, f"s{i}", 1)
    assert Lake(root).number == 100
    assert not (root / checkpoint_name(100)).exists()


def test_a_disk_that_fails_stops_the_run_instead_of_blaming_the_file(lake, tmp_path, monkeypatch):
    path = [str(write_toy(tmp_path, 1))]

    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(LocalStorage, "publish", fail)
    with pytest.raises(OSError, match="Input/output error"):
        take_in(lake, path, [COUNTS, FRAMES], toy_rows)


def test_empty_frames_and_files_that_give_nothing_are_told(lake, tmp_path):
    path = [str(write_toy(tmp_path, 1))]
    none = Frames(np.empty((0, 12, 12), np.uint16), {"time": np.empty(0, "M8[us]"), "exposure_s": np.empty(0)})
    (taken,) = take_in(lake, path, [FRAMES], lambda _: [(FRAMES, none)])
    assert taken.reason == ""
    (taken,) = take_in(lake, path, [FRAMES], lambda _: [])
    assert taken.reason == "gives no dataset any rows"


def test_bounds_of_zero_stay_in_the_log():
    column = Column("share", pa.float64(), "Share", at_least=0, at_most=0)
    table = Table("toy.t", "Rows.", ("share",), (column,))
    assert declaration(table.to_json()).columns == (column,)


def test_values_beyond_the_declared_type_are_rejected_and_finer_instants_cut():
    table = Table("toy.t", "Rows.", ("time",), (
        Column("time", pa.timestamp("us"), "Time"),
        Column("flux", pa.float32(), "Flux", nullable=True),
        Column("n", pa.int64(), "Count", nullable=True),
    ))  # fmt: skip
    times = np.array(["2020-01-01T00:00:00.123456789", "2020-01-02", "2020-01-03"], "M8[ns]")
    taken = table.fit({"time": times, "flux": [1.0, 1e300, 2.0], "n": [1.0, 2.0, 2.0**63]})
    assert [r.reason for r in taken.rejected] == ["flux: does not fit float", "n: does not fit int64"]
    assert str(taken.rows["time"][0].as_py()) == "2020-01-01 00:00:00.123456"


def test_a_tag_is_given_once_though_two_ask(lake):
    add(lake, "a")
    add(lake, "b")
    tx = Transaction(lake.storage, lake.snapshot, "late")
    tx.tag("paper", 0)
    lake.tag("paper", 1)
    with pytest.raises(ConflictError, match="tag paper is commit 1 already"):
        tx.__exit__(None)


def test_odd_words_for_a_commit_are_told(lake):
    with pytest.raises(QueryError, match="the first is still to come"):
        lake.at("2020-01-01")
    for word in ("--5", "²", "never"):
        with pytest.raises(QueryError, match="no commit, time or tag"):
            lake.at(word)
