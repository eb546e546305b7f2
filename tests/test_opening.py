"""What is said where a root is no lake, or a commit, dataset or frame is not there."""

import shutil
import subprocess
from pathlib import Path

import pytest

from lake.errors import CommitError, LakeError, QueryError
from lake.store import Lake
from tests.builders.lakes import COUNTS, FRAMES, counts, images, instants, origin


@pytest.fixture
def lake(tmp_path) -> Lake:
    """A lake of counts and of two images."""
    lake = Lake.create(tmp_path / "lake")
    with lake.transaction("test", catalog=False) as tx:
        tx.append(COUNTS, counts("a"), source=origin("a"))
        tx.append_frames(FRAMES, images(2), {"time": instants(0, 1), "exposure_s": 1.0}, source=origin("b"))
    return lake


def refused(act, kind: type[LakeError] = QueryError) -> tuple[str, str]:
    """The message and the hint of what is raised."""
    with pytest.raises(kind) as caught:
        act()
    return caught.value.message, caught.value.hint


@pytest.mark.parametrize("opened", [Lake, Lake.create])
def test_a_file_is_no_lake(tmp_path, opened):
    path = tmp_path / "cut.fits"
    path.write_text("SIMPLE")
    assert refused(lambda: opened(path))[0] == f"{path}: a file, expected a folder with a lake"
    assert path.read_text() == "SIMPLE"


def test_below_a_file_there_is_no_lake(tmp_path):
    (tmp_path / "cut.fits").write_text("SIMPLE")
    assert refused(lambda: Lake(tmp_path / "cut.fits" / "lake"))[0].endswith("no lake there")


@pytest.mark.parametrize("opened", [Lake, Lake.create])
def test_a_log_without_its_head_is_told_and_the_hint_opens_it_again(lake, opened):
    head = Path(lake.root, "lake.json")
    kept = head.read_bytes()
    lake.storage.delete("lake.json")
    message, hint = refused(lambda: opened(lake.root), CommitError)
    assert message.startswith(f"{lake.root}: has a log of 1 commit but no lake.json; put it back from a copy")
    subprocess.run(hint, shell=True, check=True)
    assert Lake(lake.root).snapshot == lake.snapshot
    head.write_bytes(kept)
    assert Lake(lake.root).id == lake.id


def test_a_folder_that_lost_all_but_its_data_is_not_taken_for_a_new_one(lake):
    lake.storage.delete("lake.json")
    shutil.rmtree(lake.storage.url("log"))
    assert refused(lambda: Lake.create(lake.root), CommitError)[0].endswith("not empty, and no lake")


def test_an_unknown_protocol_is_told_with_what_was_expected():
    message, _ = refused(lambda: Lake("foo://bar"))
    assert message == (
        "foo://bar: unknown protocol foo, expected a folder, or a URL that fsspec opens, like s3://bucket/lake"
    )


@pytest.mark.parametrize("at", [1.5, True, [0], None])
def test_what_is_no_commit_is_refused(lake, at):
    message, hint = refused(lambda: lake._number(at))
    assert message == f"{at!r} found, expected a commit's number, a UTC time or a tag as text"
    assert hint == "lake log"


def test_an_unknown_dataset_is_told_with_those_there_are(lake):
    message, hint = refused(lambda: lake["toy.count"])
    assert message.startswith("no dataset toy.count; has toy.counts, toy.images, toy.images_frames, toy.images_tiles")
    assert hint == "lake show toy.counts"
    assert refused(lambda: lake.table("nothing"))[1] == "lake ls"


def test_only_frames_become_maps(lake):
    assert refused(lambda: lake.map("toy.counts", 0)) == (
        "toy.counts: a table, expected an array of images; has toy.images",
        "lake show toy.counts",
    )
    assert refused(lambda: lake.map("toy.images", 2)) == (
        "toy.images: no frame 2; has 2, from 0",
        "lake show toy.images",
    )
    assert "keeps no FITS header" in refused(lambda: lake.map("toy.images", -1))[0]
