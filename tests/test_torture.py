"""Writers that are killed lose nothing they acknowledged; and a store that does lose is caught."""

import json

import pytest

from lake.cli import main
from lake.store import Lake
from lake.torture import torture
from lake.torture_items import COUNTS, IMAGES, image_of, items_of, rows_of
from tests.builders.lakes import origin
from tests.builders.plain_zarr import PlainZarrWriter


@pytest.mark.timeout(300)
def test_thirty_kills_lose_nothing_double_nothing_and_leave_the_folder_as_it_was(tmp_path, capsys):
    root = tmp_path / "not there yet"
    assert main(["torture", "--json", "-q", "--root", str(root), "--seed", "1"]) == 0
    proof = json.loads(capsys.readouterr().out)
    assert proof["kills"] == 30
    assert proof["acknowledged"] >= 30
    assert proof["commits"] >= proof["acknowledged"]
    assert proof["fsyncs"] >= 4 * proof["acknowledged"]
    assert [proof[name] for name in ("lost", "doubled", "wrong_rows", "wrong_frames")] == [0, 0, 0, 0]
    assert proof["findings"] == []
    assert not root.exists()


@pytest.mark.timeout(300)
def test_the_same_kills_catch_the_loss_of_a_plain_zarr_append(tmp_path):
    proof = torture(tmp_path, kills=8, seed=1, kind=PlainZarrWriter)
    assert proof.found.wrong_frames > 0
    assert not proof.holds
    assert proof.lines()[-1].endswith("DATA WAS LOST")


def test_an_item_is_known_by_its_frame_and_by_nothing_less():
    for key in ((0, 0), (2, 7), (1, 70_000)):
        image = image_of(*key)
        assert items_of([image]) == [key]
        image[-1, -1] ^= 1
        assert items_of([image]) == [None]
    assert items_of([image * 0]) == [None]


def test_a_lost_row_a_wrong_row_and_a_missing_frame_are_each_told(tmp_path):
    from lake.torture_items import LakeWriter

    lake = Lake.create(tmp_path / "lake")
    LakeWriter(lake.root, 0).put(1)
    assert LakeWriter.found(lake.root).items == {(0, 1): 1}
    assert LakeWriter.found(lake.root).wrong_rows == 0
    wrong = rows_of(0, 2)
    wrong["check_sum"][3] += 1
    with lake.transaction("wrong") as tx:
        tx.append(COUNTS, wrong, source=origin("wrong"))
    found = LakeWriter.found(lake.root)
    # one row is wrong, and the item has no frame
    assert found.wrong_rows == 2
    with lake.transaction("missing") as tx:
        tx.append_frames(IMAGES, None, {"time": ["2030-01-01"]}, source=origin("missing"))
    assert LakeWriter.found(lake.root).wrong_frames == 1
