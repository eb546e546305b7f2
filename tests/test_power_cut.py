"""A power cut between any two changes of the disk: what was told to be done is there whole, and the lake opens."""

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from lake.storage import LocalStorage
from tests.builders.disks import FOLDER, Disk, Journal, power_cuts
from tests.builders.faults import (
    BytesNotFsynced,
    FoldersTrusted,
    NamedFirst,
    NamesNotFsynced,
    RootTrusted,
    WritersTrusted,
)  # fmt: skip
from tests.builders.sweeps import Act, Sweep, cut_after_a_kill, cut_everywhere
from tests.builders.works import BASE, HISTORY, add, add_all, drop_frames, make, merge, often_checkpointed

Left = list[dict[str, bytes | None]]


def left(folder: Path, act: Callable[[Path], None], before: Callable[[Path], None] = lambda _: None) -> Left:
    """Every tree that a power cut may leave after some changes: the bytes under each path, None for a folder."""
    before(folder)
    journal, disk = Journal(folder), Disk()
    with journal.on():
        act(folder)
    for event in journal.events:
        disk.take(event)
    trees = [disk.left(fates) for fates in disk.fates(random.Random(1), 30)]
    return [{p: None if k == FOLDER else journal.content(k) for p, k in t.items() if p} for t in trees]


def fsync(path: Path) -> None:
    """Fsync a file or folder."""
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def test_what_is_fsynced_with_all_its_folders_stays_whatever_the_cut(tmp_path):
    def act(top: Path) -> None:
        (top / "a").mkdir()
        (top / "a" / "file").write_bytes(b"whole")
        for path in (top / "a" / "file", top / "a", top):
            fsync(path)

    assert left(tmp_path, act) == [{"a": None, "a/file": b"whole"}] * 2


def test_bytes_that_are_not_fsynced_may_be_gone_cut_or_zeros(tmp_path):
    def act(top: Path) -> None:
        (top / "file").write_bytes(b"whole!")
        fsync(top)

    assert {tree["file"] for tree in left(tmp_path, act)} == {b"whole!", b"", b"who", bytes(6)}


def test_bytes_written_over_others_may_be_the_old_ones(tmp_path):
    found = left(tmp_path, lambda top: None, lambda top: (top / "file").write_bytes(b"old"))
    assert found == [{"file": b"old"}] * 2
    found = left(tmp_path, lambda top: (top / "file").write_bytes(b"newer"))
    assert {tree["file"] for tree in found} == {b"old", b"newer", b"ne", bytes(5)}


def test_each_name_may_be_lost_by_itself_until_its_folder_is_fsynced(tmp_path):
    def act(top: Path) -> None:
        for name in ("first", "second"):
            (top / name).write_bytes(b"bytes")
            fsync(top / name)

    assert {tuple(tree) for tree in left(tmp_path, act)} == {(), ("first",), ("second",), ("first", "second")}
    assert left(tmp_path, fsync) == [{"first": b"bytes", "second": b"bytes"}] * 2


def test_a_link_gives_the_fsynced_bytes_a_name_that_may_be_lost(tmp_path):
    def act(top: Path) -> None:
        os.link(top / "staged", top / "name")
        (top / "staged").unlink()

    found = left(tmp_path, act, lambda top: (top / "staged").write_bytes(b"bytes"))
    assert {tuple(tree) for tree in found} == {(), ("staged",), ("name",), ("staged", "name")}
    assert all(content == b"bytes" for tree in found for content in tree.values())


def test_a_folder_that_is_lost_takes_along_what_was_fsynced_in_it(tmp_path):
    def act(top: Path) -> None:
        (top / "a").mkdir()
        (top / "a" / "file").write_bytes(b"bytes")
        fsync(top / "a" / "file")
        fsync(top / "a")

    found = left(tmp_path, act)
    assert {} in found
    assert {"a": None, "a/file": b"bytes"} in found


def test_a_file_taken_away_may_come_back(tmp_path):
    found = left(tmp_path, lambda top: (top / "file").unlink(), lambda top: (top / "file").write_bytes(b"bytes"))
    assert {} in found
    assert {"file": b"bytes"} in found


def test_a_file_renamed_onto_another_leaves_one_or_the_other_and_never_none(tmp_path):
    def before(top: Path) -> None:
        (top / "old").write_bytes(b"old")
        (top / "new").write_bytes(b"new")

    found = left(tmp_path, lambda top: (top / "new").rename(top / "old"), before)
    assert {tree["old"] for tree in found} == {b"old", b"new"}


def test_cuts_are_made_between_all_events_and_know_what_was_promised(tmp_path):
    journal = Journal(tmp_path)
    with journal.on():
        for number in range(3):
            (tmp_path / str(number)).touch()
            fsync(tmp_path)
            journal.promise(number)
    found = {(promised, len(tree) - 1) for tree, promised in power_cuts(journal.events, chance=random.Random(0))}
    assert found == {(-2, 0), (-2, 1), (0, 1), (0, 2), (1, 2), (1, 3), (2, 3)}


@pytest.mark.parametrize("is_one_process", [True, False])
def test_a_cut_anywhere_in_a_history_leaves_every_commit_that_was_told_to_be_done(
    is_one_process, tmp_path, monkeypatch
):
    often_checkpointed(monkeypatch)
    sweep = cut_everywhere(HISTORY, tmp_path / "sweep", is_one_process=is_one_process)
    assert sweep.problems == []
    assert sweep.n_tried > 2000
    assert sweep.n_states > 200


def in_turn(*acts: Act) -> Act:
    """Some works, one after the other."""

    def act(storage: LocalStorage) -> None:
        for one in acts:
            one(storage)

    return act


RACES = {
    "both make the lake": ((), make, in_turn(make, add("b"))),
    "both add the same": ((make,), add("a"), add("a")),
    "each adds its own": (BASE, add("a", first=4), add("b", first=8)),
    "one adds both": ((make,), add("a"), in_turn(add("a"), add("b", first=8))),
    "one merges what the other has merged": ((*BASE, add("a", first=4)), merge, in_turn(merge, add("b", first=8))),
}


@pytest.mark.parametrize("race", RACES)
def test_what_a_killed_writer_had_not_made_durable_takes_nothing_of_the_next_one_along(race, tmp_path):
    sweep = cut_after_a_kill(RACES[race], tmp_path / "sweep")
    assert sweep.problems == []
    assert sweep.n_tried > 1000


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("second", [add_all("new"), add_all("other"), in_turn(add_all("new"), drop_frames)])
def test_frames_that_a_killed_writer_left_take_nothing_of_the_next_one_along(second, tmp_path):
    sweep = cut_after_a_kill((BASE, add_all("new"), second), tmp_path / "sweep")
    assert sweep.problems == []
    assert sweep.n_tried > 10_000


def alone(folder: Path, kind: type[LocalStorage]) -> Sweep:
    """Cuts in a short history of one writer."""
    return cut_everywhere((make, add("a"), add("b", first=4)), folder, kind=kind)


def beside_another(folder: Path, kind: type[LocalStorage]) -> Sweep:
    """Cuts while a writer works that found another one killed."""
    return cut_after_a_kill(RACES["each adds its own"], folder, kind=kind)


def test_the_history_in_which_faults_are_planted_is_sound_without(tmp_path):
    assert alone(tmp_path / "sweep", LocalStorage).problems == []


FAULTS = [
    (NamesNotFsynced, alone, "though 1 was told to be done"),
    (BytesNotFsynced, alone, "damaged, its checksum does not match"),
    (NamedFirst, alone, "damaged, its checksum does not match"),
    (FoldersTrusted, alone, "though 1 was told to be done"),
    (RootTrusted, alone, "though 1 was told to be done"),
    (WritersTrusted, beside_another, "missing, though later commits are there"),
]


@pytest.mark.parametrize(("kind", "scene", "found"), FAULTS)
def test_a_planted_fault_is_caught(kind, scene, found, tmp_path):
    assert any(found in problem for problem in scene(tmp_path / "sweep", kind).problems)
