"""A flipped byte or a cut file is told, at the latest by verify; it never gives another lake."""

from pathlib import Path

import numpy as np
import pytest

from lake import log
from lake.errors import LakeError
from lake.maintain import compact
from lake.store import Lake
from lake.verify import verify
from tests.builders.lakes import COUNTS, FRAMES, counts, images, instants, origin

FLIPS_OF_THE_LOG, CUTS, FLIPS_OF_PIECES = 500, 200, 200


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Six commits of rows and frames with a checkpoint amid them."""
    lake = Lake.create(tmp_path_factory.mktemp("corruption") / "lake")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log, "CHECKPOINT_EVERY", 3)
        for turn in range(5):
            with lake.transaction(f"turn {turn}", catalog=False) as tx:
                tx.append(COUNTS, counts(f"obs-{turn}"), source=origin(f"rows {turn}"))
                when = {"time": instants(turn), "exposure_s": 1.0}
                tx.append_frames(FRAMES, images(1, seed=turn), when, source=origin(f"frames {turn}"))
        compact(lake, catalog=False)
    assert any(name.endswith(".checkpoint.parquet") for name in lake.storage.list("log"))
    assert verify(lake) == []
    return lake


def files_of(lake: Lake, *folders: str) -> list[Path]:
    """Files of a lake below some folders; `.` for those of its root."""
    root = Path(lake.root)
    found = [p for folder in folders for p in (root.glob("*.json") if folder == "." else (root / folder).rglob("*"))]
    return sorted(p for p in found if p.is_file())


def told(lake: Lake) -> bool:
    """Whether the damage is told; a lake that opens is the one that was committed."""
    try:
        opened = Lake(lake.root)
    except LakeError:
        return True
    assert opened.snapshot == lake.snapshot
    assert opened.id == lake.id
    return verify(opened) != []


def flipped(content: bytes, place: int, bits: int) -> bytes:
    """The same bytes, one of them changed."""
    return content[:place] + bytes([content[place] ^ bits]) + content[place + 1 :]


def is_harmless(lake: Lake, path: Path) -> bool:
    """Whether a file is a checkpoint that still says the same: Parquet has bytes that mean nothing."""
    if not path.name.endswith(".checkpoint.parquet"):
        return False
    number = int(path.name[:20])
    return log.checkpoint_of(lake.storage, number) == log.replay(lake.storage, log.Snapshot(), number)


def test_every_flipped_byte_of_the_log_is_told_or_harmless(lake):
    files = files_of(lake, ".", "log")
    chance = np.random.default_rng(20)
    silent = []
    for _ in range(FLIPS_OF_THE_LOG):
        path = files[int(chance.integers(len(files)))]
        content = path.read_bytes()
        place, bits = int(chance.integers(len(content))), int(chance.integers(1, 256))
        path.write_bytes(flipped(content, place, bits))
        if not told(lake) and not is_harmless(lake, path):
            silent.append((path.name, place, bits))
        path.write_bytes(content)
    assert silent == []


def test_every_cut_file_is_told(lake):
    files = files_of(lake, ".", "log", "tables", "arrays")
    chance = np.random.default_rng(21)
    silent = []
    for _ in range(CUTS):
        path = files[int(chance.integers(len(files)))]
        content = path.read_bytes()
        size = int(chance.integers(len(content)))
        path.write_bytes(content[:size])
        if not told(lake):
            silent.append((path.name, size))
        path.write_bytes(content)
    assert silent == []


def test_every_flipped_byte_of_rows_and_frames_is_told_by_verify(lake):
    files = files_of(lake, "tables", "arrays")
    chance = np.random.default_rng(22)
    silent = []
    for _ in range(FLIPS_OF_PIECES):
        path = files[int(chance.integers(len(files)))]
        content = path.read_bytes()
        place = int(chance.integers(len(content)))
        path.write_bytes(flipped(content, place, 1 << int(chance.integers(8))))
        if not verify(lake):
            silent.append((path.name, place))
        path.write_bytes(content)
    assert silent == []


def test_an_entry_of_another_lake_is_no_entry_of_this_one(lake, tmp_path):
    other = Lake.create(tmp_path / "other")
    with other.transaction("other", catalog=False) as tx:
        tx.append(COUNTS, counts("other"), source=origin("other"))
    mine, theirs = (Path(one.root, log.entry_name(0)) for one in (lake, other))
    content = mine.read_bytes()
    mine.write_bytes(theirs.read_bytes())
    assert told(lake)
    mine.write_bytes(content)
    assert not told(lake)
