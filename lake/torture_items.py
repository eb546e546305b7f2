"""What is tortured: items whose rows and frame say themselves what they should be, put into a lake by many writers."""

import hashlib
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lake.errors import ConflictError
from lake.log import Json
from lake.maintain import compact, gc, needed_paths, piece_path
from lake.schema import INSTANT, Array, Column, Table
from lake.storage import storage_at
from lake.store import Lake
from lake.verify import verify

N_ROWS, SIDE = 5, 32
COMPACT_EVERY, GC_EVERY, GRACE_S = 8, 20, 5.0
START = np.datetime64("2000-01-01", "us")
Item = tuple[int, int]
"""Number of a writer and of the item it put."""

COUNTS = Table(
    name="torture.counts",
    doc="Rows that say themselves what they should be.",
    key=("writer", "item", "row_id"),
    columns=(
        Column("writer", pa.int32(), "Writer"),
        Column("item", pa.int64(), "Item of the writer"),
        Column("row_id", pa.int32(), "Row of the item, from 0"),
        Column("check_sum", pa.int64(), "Function of the three"),
    ),
)
IMAGES = Array(
    name="torture.images",
    doc="Frames that say themselves what they should be.",
    dims=("time", "y", "x"),
    dtype="uint16",
    unit="DN",
    chunk=(1, SIDE, SIDE),
    fill=0,
    columns=(Column("time", INSTANT, "One second an item, one year a writer, UTC"),),
    tile=SIDE,
)


@dataclass(frozen=True)
class Found:
    """What is there in the end.

    Attributes
    ----------
    items : how often each item is there.
    wrong_rows, wrong_frames : rows and frames that are not what their item should be, and frames that are missing.
    orphans : files of killed writers that no commit lists, which a garbage collection removes.
    findings : what `verify` says.
    commits : of the log.
    """

    items: Counter[Item]
    wrong_rows: int = 0
    wrong_frames: int = 0
    orphans: int = 0
    findings: tuple[Json, ...] = ()
    commits: int = 0


class Writer(Protocol):
    """A store under torture, as one of its writers sees it."""

    def __init__(self, root: str, writer: int) -> None: ...

    def put(self, item: int) -> int:
        """Store an item, durably when this returns; the fsyncs it took so far."""

    @staticmethod
    def found(root: str) -> Found:
        """What is in the store."""


class LakeWriter:
    """The lake under torture."""

    def __init__(self, root: str, writer: int) -> None:
        self.writer = writer
        self.fsyncs = 0
        self.lake = Lake(root, storage=storage_at(root, self._counted))

    def _counted(self, act: str, name: str, done: bool) -> None:
        self.fsyncs += done and act.startswith("fsync")

    def put(self, item: int) -> int:
        """Commit the rows and the frame of an item, and at times keep house."""
        sha256 = hashlib.sha256(f"{self.writer}/{item}".encode()).hexdigest()
        source = {"uri": f"torture/{self.writer}/{item}", "sha256": sha256, "size": 1, "reader": "torture"}
        with self.lake.transaction("torture", catalog=False) as tx:
            tx.append(COUNTS, rows_of(self.writer, item), source=source)
            times = [START + np.timedelta64(self.writer * 31_557_600 + item, "s")]
            tx.append_frames(IMAGES, image_of(self.writer, item)[None], {"time": np.array(times)}, source=source)
        # Who keeps house may find that another writer did.
        with suppress(ConflictError):
            if item % COMPACT_EVERY == self.writer:
                compact(self.lake, COUNTS.name, catalog=False)
            if item % GC_EVERY == self.writer:
                gc(self.lake, grace_s=GRACE_S, catalog=False)
        return self.fsyncs

    @staticmethod
    def found(root: str) -> Found:
        """Every row and frame of the newest commit, and every file that no commit needs."""
        lake = Lake(root)
        if lake.number < 0:
            return Found(Counter())
        rows = lake.table(COUNTS.name, ["writer", "item", "row_id", "check_sum"]).arrow()
        writer, item, row, check = (rows[name].to_numpy() for name in rows.column_names)
        full = Counter(zip(writer.tolist(), item.tolist(), strict=True))
        frames = items_of(lake[IMAGES.name].data.compute(scheduler="sync"))
        n_rows = {key: n for key, n in full.items() if n != N_ROWS}
        listed = needed_paths(lake.storage, lake.snapshot, lake.snapshot.oldest)
        files = {piece_path(name) for top in ("tables", "arrays") for name, _ in lake.storage.walk(top)}
        return Found(
            items=Counter(key for key in frames if key),
            wrong_rows=int((check != check_sum(writer, item, row)).sum())
            + len(n_rows)
            + len(full.keys() ^ set(frames)),
            wrong_frames=sum(key is None for key in frames),
            orphans=len(files - listed),
            findings=tuple(verify(lake)),
            commits=lake.number + 1,
        )


def check_sum(writer: Any, item: Any, row: Any) -> Any:
    """What a row should hold."""
    return (np.int64(writer) * 1_000_003 + item) * 31 + row


def rows_of(writer: int, item: int) -> dict[str, Any]:
    """The rows of an item."""
    row = np.arange(N_ROWS, dtype=np.int32)
    return {"writer": writer, "item": item, "row_id": row, "check_sum": check_sum(writer, item, row)}


def image_of(writer: int, item: int) -> NDArray[np.uint16]:
    """The frame of an item, shape (32, 32): its first three pixels name it, and none is 0."""
    image = np.random.default_rng([writer, item]).integers(1, 4096, (SIDE, SIDE), np.uint16)
    image[0, :3] = writer + 1, item // 65_535 + 1, item % 65_535 + 1
    return image


def items_of(images: Iterable[NDArray[np.uint16]]) -> list[Item | None]:
    """Which item each frame is; None for one that is not wholly what it should be."""
    found: list[Item | None] = []
    for image in images:
        writer, high, low = (int(n) - 1 for n in image[0, :3])
        item = high * 65_535 + low
        is_right = min(writer, high, low) >= 0 and np.array_equal(image, image_of(writer, item))
        found.append((writer, item) if is_right else None)
    return found
