"""Upkeep of a lake: compaction, garbage collection, checkpoints, and what damage and a full disk do to it."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from lake.errors import CommitError, QueryError
from lake.log import checkpoint_name, entry_name, load
from lake.maintain import compact, gc
from lake.staging import stage_rows
from lake.store import Lake
from lake.verify import verify
from tests.builders.lakes import COUNTS, add, count_keys, counts, origin


@pytest.fixture(params=["folder", "memory"])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    """An empty lake in a folder and in an object store."""
    root = str(tmp_path / "lake") if request.param == "folder" else f"memory://{tmp_path.name}"
    return Lake.create(root)


def test_compaction_keeps_rows_and_old_commits(lake):
    for name in "abcdef":
        add(lake, name)
    before, number = count_keys(lake), lake.number
    assert compact(lake, catalog=False)["files_after"] == 1
    assert len(lake.snapshot.pieces) == 1
    assert count_keys(lake) == before == count_keys(lake.at(number))
    with lake.transaction("test", catalog=False) as tx:
        tx.delete("toy.counts", sources=[origin("c")["sha256"]])
    assert {o for o, _ in count_keys(lake)} == set("abdef")


def test_garbage_collection_takes_orphans_and_nothing_else(lake):
    add(lake, "a")
    stage_rows(lake.storage, COUNTS, counts("orphan"), source=origin("orphan"))
    compact(lake, catalog=False)
    assert gc(lake, catalog=False)["files"] == 0
    assert gc(lake, catalog=False, grace_s=0)["files"] == 1
    assert gc(lake, catalog=False, grace_s=0)["files"] == 0
    assert len(count_keys(lake.at(0))) == 5
    add(lake, "orphan")
    assert len(count_keys(lake)) == 10
    assert verify(lake) == []


def test_garbage_collection_gives_up_old_commits_only_when_asked(lake):
    for name in "abc":
        add(lake, name)
    lake.tag("kept", 1)
    compact(lake, catalog=False)
    add(lake, "d")
    assert gc(lake, catalog=False, grace_s=0, before=lake.number)["files"] == 1
    assert len(count_keys(lake)) == 20
    assert len(count_keys(lake.at("kept"))) == 10
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


def test_a_read_only_root_is_told_and_leaves_the_lake_as_it_was(small_disk):
    lake = Lake.create(small_disk / "lake")
    add(lake, "a")
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(CommitError, match="read-only file system"):
        add(lake, "b")
    assert len(count_keys(Lake(lake.root))) == 5
    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    add(lake, "b")
    assert len(count_keys(lake)) == 10


def flip(lake, path: str) -> None:
    """Change one bit of a file, its size the same."""
    file = Path(lake.root, path)
    content = bytearray(file.read_bytes())
    content[len(content) // 3] ^= 4
    file.write_bytes(bytes(content))


def test_damaged_rows_are_never_written_anew_under_a_good_hash(tmp_path):
    lake = Lake.create(tmp_path / "lake")
    for name in "ab":
        add(lake, name)
    flip(lake, lake.snapshot.pieces_of("toy.counts")[0].path)
    with pytest.raises(CommitError, match="other bytes than were committed; nothing was written"):
        compact(lake, catalog=False)
    assert Lake(lake.root).number == 1
    assert len(verify(lake)) == 1


@pytest.mark.parametrize("damage", [flip, lambda lake, path: Path(lake.root, path).unlink()])
def test_what_was_damaged_can_be_forgotten_and_taken_in_again(tmp_path, damage):
    lake = Lake.create(tmp_path / "lake")
    for name in "ab":
        add(lake, name)
    before = count_keys(lake)
    piece = lake.snapshot.pieces_of("toy.counts")[0]
    damage(lake, piece.path)
    (finding,) = verify(lake)
    (uri,) = finding["inputs"]
    name = uri.rpartition("/")[2]
    with lake.transaction("forget", catalog=False) as tx:
        tx.delete("toy.counts", sources=piece.sources)
    assert {o for o, _ in count_keys(lake)} == set("ab") - {name}
    add(lake, name)
    assert count_keys(lake) == before
    assert [f["where"] for f in verify(lake)] == ([piece.path] if damage is flip else [])
    gc(lake, before=lake.number, grace_s=0, catalog=False)
    assert verify(lake) == []
