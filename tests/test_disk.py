"""Disks that fill, refuse or forget, clocks that go back, and names that nobody expects."""

import errno
import os
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

import lake.transaction
from lake.errors import CommitError, LakeError
from lake.maintain import compact
from lake.storage import REFUSALS, LocalStorage, storage_at
from lake.store import Lake
from lake.verify import verify
from tests.builders.lakes import COUNTS, FRAMES, counts, images, instants, origin

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
# DuckDB takes a question mark in a path for the end of it, so below such a folder there is no catalogue.
ODD_NAMES = (
    "with space",
    "naïve – ☀",
    "NFD e\u0301",
    "new\nline",
    "quo'te\"s",
    "semi;colon--",
    "percent%20",
    "[a]*{b}",
)


def add(own: Lake, name: str, n: int = 3) -> None:
    """One commit of rows and a frame, the catalogue refreshed."""
    with own.transaction(name) as tx:
        tx.append(COUNTS, counts(name, n), source=origin(f"{name} rows"))
        second = int.from_bytes(name.encode()[-3:], "big")
        when = {"time": instants(second), "exposure_s": 1.0}
        tx.append_frames(FRAMES, images(1, seed=second), when, source=origin(f"{name} frames"))


def noise(n_bytes: int) -> np.ndarray:
    """Numbers that no codec makes smaller."""
    return np.random.default_rng(0).random(n_bytes // 8)


def rows_that_do_not_fit(own: Lake) -> None:
    with own.transaction("rows", catalog=False) as tx:
        values = noise(3_000_000)
        tx.append(COUNTS, {"obs_id": "big", "row_id": np.arange(values.size), "energy_kev": values}, source=origin("b"))


def frames_that_do_not_fit(own: Lake) -> None:
    with own.transaction("frames", catalog=False) as tx:
        pixels = np.random.default_rng(0).integers(0, 65_536, (8, 512, 512), np.uint16)
        tx.append_frames(
            replace(FRAMES, chunk=(1, 512, 512), tile=512),
            pixels,
            {"time": instants(*range(8)), "exposure_s": 1.0},
            source=origin("b"),
        )


def a_log_entry_that_does_not_fit(own: Lake) -> None:
    (Path(own.root) / "filler").write_bytes(bytes(os.statvfs(own.root).f_bavail * os.statvfs(own.root).f_frsize))
    with own.transaction("entry", catalog=False) as tx:
        for n in range(40):
            tx.reject(f"{n}" * 200, "unfit")


def a_compaction_that_does_not_fit(own: Lake) -> None:
    for n in range(4):
        with own.transaction("part", catalog=False) as tx:
            values = noise(300_000)
            tx.append(COUNTS, {"obs_id": f"{n}", "row_id": np.arange(values.size), "energy_kev": values})
    compact(own, catalog=False)


@needs_root
@pytest.mark.parametrize(
    "act",
    [rows_that_do_not_fit, frames_that_do_not_fit, a_log_entry_that_does_not_fit, a_compaction_that_does_not_fit],
)
def test_what_does_not_fit_leaves_no_half_file_and_the_lake_as_it_was(small_disk, act):
    own = Lake.create(small_disk / "lake")
    add(own, "a")
    with pytest.raises(CommitError, match="no space left") as refused:
        act(own)
    assert "run again" in str(refused.value) or refused.value.hint
    (small_disk / "lake" / "filler").unlink(missing_ok=True)
    again = Lake(own.root)
    assert verify(again) == []
    named = {
        f"{p.path}/{name}" if p.files else p.path for p in again.snapshot.pieces.values() for name in p.files or [""]
    }
    found = {name for top in ("tables", "arrays") for name, _ in again.storage.walk(top)}
    assert found >= named
    add(again, "b")
    assert verify(again) == []


@needs_root
def test_a_full_disk_costs_the_catalogue_and_not_the_commit(small_disk, caplog):
    own = Lake.create(small_disk / "lake")
    add(own, "a")
    (small_disk / "filler").write_bytes(bytes(os.statvfs(small_disk).f_bavail * 4096 - 200_000))
    with own.transaction("more") as tx:
        tx.append(COUNTS, counts("b"), source=origin("b"))
    assert Lake(own.root).number == 1
    assert "catalog.duckdb stays at an older commit" in caplog.text
    assert verify(own) == []


@needs_root
def test_a_folder_that_becomes_read_only_amid_a_run_keeps_what_was_committed(small_disk):
    own = Lake.create(small_disk / "lake")
    add(own, "a")

    def amid() -> None:
        with own.transaction("b", catalog=False) as tx:
            tx.append(COUNTS, counts("b"), source=origin("b"))
            subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)

    with pytest.raises(CommitError, match="read-only file system"):
        amid()
    assert Lake(own.root).number == 0
    assert verify(Lake(own.root)) == []
    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    add(own, "b")
    assert Lake(own.root).number == 1


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES])
@pytest.mark.parametrize("act", ["mkdir", "write", "fsync", "link", "unlink"])
def test_a_disk_that_refuses_at_any_step_is_told_and_the_next_run_goes_on(tmp_path, act, number):
    own = Lake.create(tmp_path / "lake")
    add(own, "a")

    def refuse(done_act: str, name: str, done: bool) -> None:
        if done_act == act and not done:
            raise OSError(number, os.strerror(number), name)

    faulty = Lake(own.root, storage=storage_at(own.root, refuse))
    with pytest.raises(CommitError, match=REFUSALS[number]):
        add(faulty, "b")
    again = Lake(own.root)
    assert verify(again) == []
    add(again, "b")
    assert again.table(COUNTS.name).arrow().num_rows == 6


@pytest.mark.parametrize("back", [timedelta(seconds=1), timedelta(days=1), timedelta(days=20_000)])
def test_a_clock_that_goes_back_keeps_the_order_of_commits(tmp_path, monkeypatch, back):
    own = Lake.create(tmp_path / "lake")
    add(own, "a")
    first = own.snapshot.time

    class Earlier(datetime):
        @classmethod
        def now(cls, zone=None):
            return datetime.now(zone or UTC) - back

    monkeypatch.setattr(lake.transaction, "datetime", Earlier)
    add(own, "b")
    add(own, "c")
    times = [commit["time"] for commit in own.snapshot.commits]
    assert times == sorted(set(times))
    assert own.at(first).number == 0
    assert own.at(times[1]).number == 1
    assert verify(own) == []


def test_ten_thousand_names_in_a_folder_are_all_listed(tmp_path):
    storage = LocalStorage(tmp_path)
    (tmp_path / "log").mkdir()
    names = [f"{n:020d}.json" for n in range(10_000)]
    for name in names:
        (tmp_path / "log" / name).touch()
    assert storage.list("log") == names
    assert sum(1 for _ in storage.walk("log")) == 10_000


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_lake_may_lie_in_a_folder_of_any_name(tmp_path, name, monkeypatch):
    root = tmp_path / name / "lake"
    own = Lake.create(root)
    add(own, "a")
    own.tag("first")
    assert Lake(root, at="first").table(COUNTS.name, where={"row_id": 1}).arrow().num_rows == 1
    assert own.sql("select count(*) as n from toy.counts").arrow()["n"].to_pylist() == [3]
    assert own[FRAMES.name].values.any()
    assert verify(own) == []
    import duckdb

    monkeypatch.chdir(tmp_path)
    with duckdb.connect(str(root / "catalog.duckdb"), read_only=True) as con:
        assert con.execute("select count(*) from toy.counts").fetchall() == [(3,)]


@pytest.mark.parametrize("name", [*ODD_NAMES, "x" * 255, "\udcff lone surrogate"])
def test_an_input_may_have_any_name(tmp_path, name):
    own = Lake.create(tmp_path / "lake")
    with own.transaction("odd", catalog=False) as tx:
        tx.append(COUNTS, counts("a"), source=origin(name))
        tx.skip(name, "unfit")
    again = Lake(own.root)
    (source,) = again.snapshot.sources.values()
    assert source["uri"] == f"archive/{name}".encode("utf-8", "backslashreplace").decode()
    assert again.sql("select uri from lake.sources").arrow()["uri"].to_pylist() == [source["uri"]]
    assert again.sql("from lake.rejected").arrow().num_rows == 1


def test_two_spellings_of_one_partition_are_two_folders(tmp_path):
    own = Lake.create(tmp_path / "lake")
    table = replace(COUNTS, name="toy.parts", partition="obs_id")
    with own.transaction("parts", catalog=False) as tx:
        for name in ("caf\u00e9", "cafe\u0301", "CAF\u00c9", "con", "../../x", "a/b", "", "x" * 300):
            tx.append(table, counts(name, 2), source=origin(name))
    folders = {p.path.split("/")[2] for p in own.snapshot.pieces_of("toy.parts")}
    assert len(folders) == 8
    assert all(folder.isascii() and len(folder) <= 63 and "/" not in folder for folder in folders)
    assert verify(own) == []


def test_a_root_without_hard_links_is_refused_and_left_empty(tmp_path, monkeypatch):
    def no_links(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", no_links)
    with pytest.raises(LakeError, match="hard links are not supported"):
        Lake.create(tmp_path / "lake")
    monkeypatch.undo()
    assert storage_at(tmp_path / "lake").list("log") == []
    assert Lake.create(tmp_path / "lake").number == -1
