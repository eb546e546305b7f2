"""Works that a lake is put to, each with what it needs beforehand, to be stopped at any step."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from lake import log
from lake.catalog import CATALOG, catalog_number
from lake.maintain import compact, gc
from lake.storage import LocalStorage, Storage, storage_at
from lake.store import Lake
from tests.builders.disks import Killed
from tests.builders.lakes import COUNTS, FRAMES, counts, images, instants, origin

SITES = replace(COUNTS, name="toy.sites", doc="Counts by observation.", partition="obs_id")
CHECKPOINT_EVERY = 3


@dataclass(frozen=True)
class Work:
    """One thing that is done to a lake.

    Attributes
    ----------
    before : what is done first, in order.
    act : the thing itself, through a storage.
    """

    before: tuple[Callable[[Storage], None], ...]
    act: Callable[[Storage], None]


def make(storage: Storage) -> None:
    """Make a lake."""
    Lake.create(storage.root, storage=storage)


def add(name: str, n: int = 4, first: int = 0, *, catalog: bool = False) -> Callable[[Storage], None]:
    """Rows of one input."""

    def act(storage: Storage) -> None:
        with Lake(storage.root, storage=storage).transaction("add", catalog=catalog) as tx:
            tx.append(COUNTS, counts("m", n, first), source=origin(name))

    return act


def add_all(name: str) -> Callable[[Storage], None]:
    """Rows with keys on both sides of those that are there, rows by partition, and frames, of one input."""

    def act(storage: Storage) -> None:
        rows = {"obs_id": ["a", "a", "z"], "row_id": [0, 1, 0], "energy_kev": [1.0, 2.0, 3.0]}
        with Lake(storage.root, storage=storage).transaction("add all", catalog=False) as tx:
            tx.append(COUNTS, rows, source=origin(name))
            tx.append(SITES, rows, source=origin(name))
            frames = {"time": instants(0, 1), "exposure_s": 1.0}
            tx.append_frames(FRAMES, images(2, seed=1), frames, source=origin(name))

    return act


def up_to_the_log(act: Callable[[Storage], None]) -> Callable[[Storage], None]:
    """A work by a process that is killed when its files are published and its entry is about to be written."""

    def step(what: str, name: str, done: bool) -> None:
        if (what, name.partition("/")[0]) == ("write", "log"):
            raise Killed(name)

    def stopped(storage: Storage) -> None:
        with suppress(Killed):
            act(LocalStorage(Path(storage.root), step))

    return stopped


def supersede_and_delete(storage: Storage) -> None:
    """One input processed anew, some rows and a frame of another taken away."""
    with Lake(storage.root, storage=storage).transaction("supersede", catalog=False) as tx:
        tx.append(COUNTS, counts("m", 5), source=origin("old"), supersede=True)
        tx.delete("toy.sites", where={"obs_id": "a", "row_id": 0})
        tx.delete("toy.images", where={"time": instants(0)[0]})


def drop_frames(storage: Storage) -> None:
    """All frames of one input taken away; a file and a folder of a writer that was killed are left in staging."""
    with Lake(storage.root, storage=storage).transaction("drop", catalog=False) as tx:
        tx.delete("toy.images", sources=[origin("new")["sha256"]])
    storage.staging().write_bytes(b"half a file")
    folder = storage.staging() / "c" / "0"
    folder.mkdir(parents=True)
    (folder / "0").write_bytes(b"half a shard")


def merge(storage: Storage) -> None:
    """Small files into one."""
    compact(Lake(storage.root, storage=storage), catalog=False)


def collect(storage: Storage) -> None:
    """Files of commits before the newest off the disk."""
    lake = Lake(storage.root, storage=storage)
    gc(lake, grace_s=0, before=lake.number, catalog=False)


def refresh_catalog(storage: Storage) -> None:
    """The catalogue at the newest commit."""
    Lake(storage.root, storage=storage).refresh_catalog()


BASE = (make, add("old"))
HISTORY = (
    *BASE, add_all("new"), add("next", first=4), refresh_catalog, supersede_and_delete, merge, drop_frames, collect,
    add("last", first=8), refresh_catalog,
)  # fmt: skip
WORKS: Mapping[str, Work] = {
    "making a lake": Work((), make),
    "adding rows and frames": Work(BASE, add_all("new")),
    "adding what a killed run left": Work((*BASE, up_to_the_log(add_all("new"))), add_all("new")),
    "adding with the catalogue": Work((*BASE, refresh_catalog), add("new", first=4, catalog=True)),
    "superseding and deleting": Work((*BASE, add_all("new")), supersede_and_delete),
    "a compaction": Work((*BASE, add("next", first=4), add("last", first=8), add_all("new")), merge),
    "a garbage collection": Work((*BASE, add_all("new"), supersede_and_delete, merge, drop_frames), collect),
    "a catalogue refresh": Work((*BASE, refresh_catalog, add_all("new")), refresh_catalog),
    "a checkpoint": Work((*BASE, add("next", first=4), add("last", first=8)), add_all("new")),
}


def prepared(work: Work, root: Path) -> None:
    """Make a lake on which a work can begin, by a process for each step."""
    for act in work.before:
        act(storage_at(root))


def often_checkpointed(patch: pytest.MonkeyPatch) -> None:
    """Make a checkpoint due every few commits."""
    patch.setattr(log, "CHECKPOINT_EVERY", CHECKPOINT_EVERY)


def state(root: Path) -> dict[str, Any]:
    """All that two lakes with the same history share: all but times, random names and how often it was tried."""
    lake = Lake(root)
    snapshot = lake.snapshot
    return {
        "pieces": {path: replace(piece, run="") for path, piece in snapshot.pieces.items()},
        "ingested": set(snapshot.ingested),
        "sources": set(snapshot.sources),
        "declared": {name: words.to_json() for name, words in snapshot.declarations.items()},
        "tags": dict(snapshot.tags),
        "given up": (set(snapshot.deleted), bool(snapshot.oldest)),
        "files": sorted(name for top in ("tables", "arrays") for name, _ in lake.storage.walk(top)),
        "catalogue": catalog_number(root / CATALOG) == lake.number if (root / CATALOG).exists() else None,
    }
