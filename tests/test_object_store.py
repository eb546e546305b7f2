"""A lake on an S3 server on loopback, through s3fs, as on any object store."""

import threading
from collections.abc import Iterator

import numpy as np
import pytest

from lake.keys import merged
from lake.objects import ObjectStorage
from lake.pieces import read_rows
from lake.store import Lake
from lake.verify import check_log, check_piece
from tests.builders.lakes import COUNTS, FRAMES, counts, images, instants, origin
from tests.builders.s3 import bucket_on_loopback

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """An empty bucket of an S3 server on loopback."""
    with bucket_on_loopback() as url:
        yield url


def test_a_name_is_given_once(bucket):
    storage = ObjectStorage(f"{bucket}/names")
    assert storage.create("log/1", b"one")
    assert not storage.create("log/1", b"two")
    assert storage.read("log/1") == b"one"


def test_rows_and_frames_read_back(bucket):
    lake = Lake.create(f"{bucket}/lake")
    pixels = images(3)
    with lake.transaction("both") as tx:
        tx.append(COUNTS, counts("a"), source=origin("a"))
        tx.append_frames(FRAMES, pixels, {"time": instants(0, 1, 2), "exposure_s": 1.0}, source=origin("a"))
    opened = Lake(f"{bucket}/lake")
    assert opened.snapshot == lake.snapshot
    np.testing.assert_array_equal(opened["toy.images"].values, pixels)
    assert opened.sql("select count(*) as n from toy.counts").arrow()["n"].to_pylist() == [5]
    assert list(check_log(opened.storage, opened.snapshot)) == []
    assert [f for p in opened.snapshot.pieces.values() for f in check_piece(opened.storage, p)] == []


def test_writers_at_once_lose_nothing(bucket):
    root = f"{bucket}/race"
    Lake.create(root)
    failed = []

    def write(worker: int) -> None:
        try:
            own = Lake(root)
            for i in range(5):
                for name in (f"w{worker}-{i}", "shared"):
                    with own.transaction("race") as tx:
                        tx.append(COUNTS, counts(name, 2), source=origin(name))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(w,)) for w in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    lake = Lake(root)
    rows = merged(COUNTS, [read_rows(lake.storage, p) for p in lake.snapshot.pieces_of("toy.counts")])
    assert lake.number == 15
    assert rows.num_rows == 32
