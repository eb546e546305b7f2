"""Frames of an array: their order, their gaps, their tiles and their bytes."""

from pathlib import Path

import numpy as np
import pytest
import zarr

from lake.errors import CommitError
from lake.store import Lake
from tests.builders.lakes import FRAMES, all_rows, images, instants, origin


@pytest.fixture(params=["folder", "memory"])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    """An empty lake in a folder and in an object store."""
    root = str(tmp_path / "lake") if request.param == "folder" else f"memory://{tmp_path.name}"
    return Lake.create(root)


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
    tiles = all_rows(lake, "toy.images_tiles").to_pylist()
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
