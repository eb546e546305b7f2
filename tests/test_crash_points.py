"""A process killed before or after any step: the old lake or the new one, and the same work begun anew ends as ever."""

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from lake.catalog import CATALOG, catalog_number
from lake.errors import CommitError, ConflictError
from lake.pieces import publish_once
from lake.storage import AS_IT_WAS, UNSURE, LocalStorage
from lake.store import Lake
from tests.builders.lakes import origin
from tests.builders.sweeps import kill_everywhere, unlike_the_log
from tests.builders.traced import can_trace, traced_commits
from tests.builders.works import BASE, WORKS, Work, add, add_all, make, often_checkpointed, prepared
from tests.conftest import REPO


@pytest.fixture(autouse=True)
def _often_checkpointed(monkeypatch):
    often_checkpointed(monkeypatch)


@pytest.mark.parametrize("name", WORKS)
def test_killed_at_any_step_the_lake_is_the_old_or_the_new_one_and_the_work_can_be_repeated(name, tmp_path):
    sweep = kill_everywhere(WORKS[name], tmp_path / "sweep")
    assert sweep.problems == []
    assert sweep.n_tried >= 10
    assert sweep.n_states >= 3


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", WORKS)
def test_after_a_kill_at_any_step_every_byte_frame_and_key_is_verified(name, tmp_path):
    assert kill_everywhere(WORKS[name], tmp_path / "sweep", is_thorough=True).problems == []


@pytest.mark.parametrize(
    ("name", "every"),
    [
        ("making a lake", 5),
        *(pytest.param(name, 3, marks=[pytest.mark.slow, pytest.mark.timeout(900)]) for name in WORKS),
    ],
)
def test_a_process_that_gets_sigkill_at_a_step_leaves_a_lake_that_can_go_on(name, every, tmp_path):
    command = [sys.executable, "-m", "tests.builders.killings", name, str(tmp_path), str(every)]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=True)
    *problems, last = done.stdout.splitlines()
    assert (problems, done.stderr) == ([], "")
    assert last.endswith("last exit code: 0")
    assert int(last.split()[1].strip(",")) >= 3


def test_a_change_outside_of_the_steps_is_seen(tmp_path):
    class Careless(LocalStorage):
        def staging(self) -> Path:
            found = super().staging()
            found.touch()
            found.unlink()
            return found

    def act(storage: LocalStorage) -> None:
        make(Careless(Path(storage.root), storage._step))

    assert "something changed before write of lake.json" in kill_everywhere(Work((), act), tmp_path / "sweep").problems


def test_a_lake_half_made_is_made_but_a_folder_of_somebody_else_is_refused(tmp_path):
    (tmp_path / "half" / "staging").mkdir(parents=True)
    (tmp_path / "half" / "staging" / "0123456789abcdef").touch()
    assert Lake.create(tmp_path / "half").number == -1
    (tmp_path / "theirs" / "staging").mkdir(parents=True)
    (tmp_path / "theirs" / "staging" / "thesis.txt").touch()
    with pytest.raises(CommitError, match="not empty, and no lake"):
        Lake.create(tmp_path / "theirs")


def test_a_lake_that_another_process_makes_meanwhile_is_opened(tmp_path, monkeypatch):
    size_of, late = LocalStorage.size, []

    def size(self: LocalStorage, name: str) -> int | None:
        found = size_of(self, name)
        if not late:
            late.append(1)
            make(LocalStorage(tmp_path / "lake"))
            add("first")(LocalStorage(tmp_path / "lake"))
        return found

    monkeypatch.setattr(LocalStorage, "size", size)
    assert Lake.create(tmp_path / "lake").number == 0


def test_a_run_with_nothing_to_do_brings_the_catalogue_up_to_the_commit(tmp_path):
    make(LocalStorage(tmp_path))
    add("a", catalog=True)(LocalStorage(tmp_path))
    add("b", first=4)(LocalStorage(tmp_path))
    assert catalog_number(tmp_path / CATALOG) == 0
    add("a", catalog=True)(LocalStorage(tmp_path))
    assert (Lake(tmp_path).number, catalog_number(tmp_path / CATALOG)) == (1, 1)


def test_a_segment_collected_while_it_is_published_asks_for_another_run(tmp_path):
    storage = LocalStorage(tmp_path)
    staged = storage.staging()
    staged.touch()

    def collected(act: str, name: str, done: bool) -> None:
        if (act, done) == ("fsync", True):
            (tmp_path / "arrays").rmdir()

    with pytest.raises(ConflictError, match="a garbage collection came between; nothing was written, run again"):
        publish_once(LocalStorage(tmp_path, collected), staged, "arrays/a", "", {})


def test_a_collection_leaves_the_folders_of_tables_for_whoever_links_there_next(tmp_path):
    lake = Lake.create(tmp_path)
    add("a")(lake.storage)
    with lake.transaction("delete", catalog=False) as tx:
        tx.delete("toy.counts", sources=[origin("a")["sha256"]])
    WORKS["a garbage collection"].act(lake.storage)
    assert list((tmp_path / "tables").rglob("*")) == [tmp_path / "tables" / "toy.counts"]


class FailingFsync:
    """An fsync that fails once, as on a broken disk: the one of this place among all."""

    def __init__(self, place: int) -> None:
        self.place = place
        self.paths: list[Path] = []

    def __call__(self, path: Path) -> None:
        self.paths.append(path)
        if len(self.paths) == self.place + 1:
            raise OSError(errno.EIO, "Input/output error")


def test_a_failed_fsync_tells_whether_the_lake_is_as_it_was_and_the_work_can_be_repeated(tmp_path, monkeypatch):
    never = FailingFsync(-1)
    monkeypatch.setattr("lake.storage._fsync", never)
    prepared(Work(BASE, make), tmp_path / "lake")
    n_before = len(never.paths)
    add_all("new")(LocalStorage(tmp_path / "lake"))
    n_fsyncs = len(never.paths) - n_before
    assert n_fsyncs > 10
    for place in range(n_fsyncs):
        root = tmp_path / str(place)
        prepared(Work(BASE, make), root)
        fsync = FailingFsync(place)
        monkeypatch.setattr("lake.storage._fsync", fsync)
        with pytest.raises(CommitError, match="input/output error at fsync") as caught:
            add_all("new")(LocalStorage(root))
        is_last = place == n_fsyncs - 1
        assert Lake(root).number == int(is_last)
        assert caught.value.message.endswith(UNSURE if is_last else AS_IT_WAS)
        add_all("new")(LocalStorage(root))
        assert Lake(root).number == 1
        assert unlike_the_log(Lake(root)) == []
        # The kernel tells of lost bytes once: a second fsync of the same file would prove nothing.
        failed = fsync.paths[place]
        assert failed.is_dir() or fsync.paths.count(failed) == 1


def test_strace_counts_the_fsyncs_and_links_that_the_steps_tell(tmp_path):
    if not can_trace():
        pytest.skip("no strace that may trace")
    first, later = traced_commits(tmp_path)
    assert later == {"fsync": 4, "link": 2, "told fsync": 4, "told link": 2}
    assert (first["fsync"], first["link"]) == (first["told fsync"], first["told link"])
    assert 4 < first["fsync"] <= 9
