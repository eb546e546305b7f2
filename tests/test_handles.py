"""File handles that DuckDB's threads share."""

import io
import threading
import time

import fsspec
import numpy as np
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from lake.handles import SharedFile
from lake.store import Lake
from tests.builders.lakes import COUNTS, origin


class Slow(io.BytesIO):
    """Bytes whose reader loses its turn after it has moved."""

    def seek(self, offset: int, whence: int = 0) -> int:
        place = super().seek(offset, whence)
        time.sleep(0.0005)
        return place


class SlowFiles(MemoryFileSystem):
    """A store in memory of such files."""

    protocol = "slow"
    cachable = False

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(path.replace("slow://", "memory://"))

    def _open(self, path, mode="rb", **options):
        return Slow(self.store[path].getvalue()) if mode == "rb" else super()._open(path, mode, **options)


@pytest.fixture
def slow_lake(monkeypatch) -> Lake:
    fsspec.register_implementation("slow", SlowFiles, clobber=True)
    lake = Lake.create("slow://lake")
    with lake.transaction("many rows") as tx:
        n = 1_000_000
        rng = np.random.default_rng(1)
        tx.append(
            COUNTS, {"obs_id": ["a"] * n, "row_id": np.arange(n), "energy_kev": rng.random(n)}, source=origin("a")
        )
    return lake


def test_threads_that_share_a_handle_read_their_own_bytes():
    content = np.arange(10_000, dtype=np.uint32).tobytes()
    file = SharedFile(Slow(content))
    wrong = []

    def read(first: int) -> None:
        for place in range(first, len(content) - 64, 4_001):
            file.seek(place)
            if file.read(64) != content[place : place + 64]:
                wrong.append(place)

    threads = [threading.Thread(target=read, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_handle_moves_from_start_here_and_end():
    file = SharedFile(io.BytesIO(b"0123456789"))
    assert (file.seek(3), file.read(2), file.tell()) == (3, b"34", 5)
    assert (file.seek(2, 1), file.read(1)) == (7, b"7")
    assert (file.seek(-1, 2), file.read()) == (9, b"9")


def test_a_lake_behind_a_slow_store_gives_its_own_rows(slow_lake):
    text = "select count(*) as n, sum(row_id) as s, count(distinct energy_kev) > 900000 as e from toy.counts"
    for _ in range(3):
        assert slow_lake.sql(text).rows.to_pylist() == [{"n": 1_000_000, "s": 499_999_500_000, "e": True}]
