"""A cluster makes the same lake as threads do, hash for hash, whoever dies; and where nobody is left, it says so."""

import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from lake import blocks
from lake.blocks import map_items
from lake.errors import LakeError
from lake.intake import RowsOf, commit, take_in
from lake.provenance import new_run
from lake.storage import LocalStorage
from lake.store import Lake
from lake.synth.photons import Emitter, Scene, write_event_list
from lake.verify import rows_from, verify
from tests.builders.clusters import (
    NOTES,
    deadly_rows,
    die,
    local_cluster,
    noted,
    separate_cluster,
    watch_writes,
    watched_rows,
)
from tests.builders.lakes import COUNTS, FRAMES
from tests.builders.toy_ingest import toy_rows, write_toy

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def notes(tmp_path_factory):
    """The folder in which processes note what they do."""
    folder = tmp_path_factory.mktemp("notes")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(NOTES, str(folder))
        yield folder


@pytest.fixture(scope="module")
def cluster(notes):
    with local_cluster() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def toys(tmp_path_factory):
    """Six files of counts and images, one of them cut short, and one with the keys of another."""
    folder = tmp_path_factory.mktemp("toys")
    paths = [write_toy(folder, place) for place in range(5)]
    broken = folder / "broken.fits"
    broken.write_bytes(paths[0].read_bytes()[:9000])
    again = folder / "again.fits"
    content = bytearray(paths[0].read_bytes())
    content[-1] ^= 1
    again.write_bytes(bytes(content))
    return [str(p) for p in (*paths[:2], broken, *paths[2:], again)]


@pytest.fixture(scope="module")
def lists(tmp_path_factory):
    """Three event lists and one that ends too early."""
    folder = tmp_path_factory.mktemp("lists")
    paths = [folder / f"{name}.fits" for name in ("one", "two", "three")]
    for i, path in enumerate(paths):
        write_event_list(path, Scene("nicer", 50.0, (Emitter(1.0),), obs_id=f"9200{i}"), seed=i)
    broken = folder / "broken.fits"
    content = paths[0].read_bytes()
    broken.write_bytes(content[: len(content) // 2])
    return [str(p) for p in (paths[0], broken, *paths[1:])]


def ingested(root: Path, paths: list[str], datasets: list[Any], rows_of: RowsOf, scheduler: str) -> Lake:
    """A lake with these files, two to a commit."""
    lake = Lake.create(root)
    run = new_run("toy", {})
    for place in range(0, len(paths), 2):
        pair = paths[place : place + 2]
        commit(lake, take_in(lake, pair, datasets, rows_of, run=run["id"], scheduler=scheduler), run)
    return lake


def contents(lake: Lake) -> dict[str, Any]:
    """All that a lake holds but for the run's name and the hours."""
    snapshot = lake.snapshot
    return {
        "pieces": {p.path: p.to_json() | {"run": ""} for p in snapshot.pieces.values()},
        "ingested": list(snapshot.ingested),
        "sources": dict(snapshot.sources),
        "rejected": snapshot.rejected,
        "commits": [(c["number"], c["n_added"], c["n_removed"], c["n_rows"]) for c in snapshot.commits],
        "rows": {n: [rows_from(lake, n, s).to_pylist() for s in snapshot.sources] for n in snapshot.tables},
    }


@pytest.fixture(scope="module")
def clean(toys, tmp_path_factory):
    """What the lake of the toy files holds, made by one process, one file after the other."""
    found = contents(ingested(tmp_path_factory.mktemp("clean") / "lake", toys, [COUNTS, FRAMES], toy_rows, "sync"))
    assert len(found["sources"]) == 5
    assert len(found["rejected"]) == 2
    return found


def test_threads_give_the_lake_of_one_process(toys, clean, tmp_path):
    assert contents(ingested(tmp_path / "lake", toys, [COUNTS, FRAMES], toy_rows, "threads")) == clean


def test_a_cluster_gives_the_same_lake_and_only_the_driver_commits(cluster, notes, toys, clean, tmp_path, monkeypatch):
    # What watching puts in its place is undone after the test.
    monkeypatch.setattr(LocalStorage, "_link", LocalStorage._link)
    watch_writes()
    lake = ingested(tmp_path / "lake", toys, [COUNTS, FRAMES], watched_rows, cluster.scheduler_address)
    assert contents(lake) == clean
    found = noted(notes)
    driver = {name for _, name in found.pop(os.getpid())}
    workers = [name for acts in found.values() for _, name in acts]
    assert {n for n in driver if n.startswith("log/")} == {f"log/{n:020d}.json" for n in range(lake.number + 1)}
    assert {n.partition("/")[0] for n in workers} == {"tables", "arrays"}
    assert not any(n.startswith(("tables/", "arrays/")) for n in driver)
    files = {n for p in lake.snapshot.pieces.values() for n in ([f"{p.path}/{f}" for f in p.files] or [p.path])}
    assert files <= set(workers)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.usefixtures("prefect_server")
def test_a_flow_on_event_lists_gives_the_same_lake_on_every_scheduler(cluster, lists, tmp_path, monkeypatch):
    from flows.lightlane import lightlane

    made = []
    for i, scheduler in enumerate(("sync", "threads", cluster.scheduler_address)):
        monkeypatch.setenv("LAKE_SCHEDULER", scheduler)
        root = str(tmp_path / str(i))
        assert len(lightlane(root, lists)["skipped"]) == 1
        made.append(contents(Lake(root)))
    one, *others = made
    assert [found == one for found in others] == [True, True]
    assert [Path(r["uri"]).name for r in one["rejected"]] == ["broken.fits"]
    assert sum(len(rows) for rows in one["rows"]["lightlane.photons"]) > 100


def test_workers_killed_midway_change_nothing(cluster, notes, toys, clean, tmp_path):
    lake = ingested(tmp_path / "lake", toys, [COUNTS, FRAMES], deadly_rows, cluster.scheduler_address)
    assert len(list(notes.glob("died-*"))) == 2
    assert contents(lake) == clean
    assert verify(lake) == []


def test_a_task_that_kills_every_worker_is_told_and_nothing_is_committed(cluster, toys, tmp_path):
    cluster.scheduler.allowed_failures, before = 0, cluster.scheduler.allowed_failures
    try:
        lake = Lake.create(tmp_path / "lake")
        with pytest.raises(LakeError, match="1 workers died of one task"):
            take_in(lake, toys[:1], [COUNTS, FRAMES], die, scheduler=cluster.scheduler_address)
    finally:
        cluster.scheduler.allowed_failures = before
    assert lake.refresh().number == -1


def slow(item: int) -> int:
    time.sleep(0.2)
    return item


@pytest.fixture(scope="module")
def apart():
    """A cluster of processes that nobody starts again: the scheduler's address, its process, its workers."""
    with separate_cluster() as found:
        yield found


def test_a_cluster_without_workers_is_given_up_after_a_while(apart, monkeypatch):
    address, _, workers = apart
    monkeypatch.setattr(blocks, "PATIENCE_S", 1.0)

    def kill_all(done: int, _: int) -> None:
        for worker in workers if done == 2 else ():
            worker.kill()

    with pytest.raises(LakeError, match=rf"{address}: no worker for 1 s, \d of 20 tasks were done") as error:
        map_items(slow, range(20), scheduler=address, progress=kill_all)
    assert error.value.hint == f"dask worker {address}"


def test_a_scheduler_that_is_killed_is_told_at_once(apart):
    address, scheduler, _ = apart
    threading.Timer(1.0, scheduler.kill).start()
    start = time.monotonic()
    with pytest.raises(LakeError, match=f"{address}: the Dask scheduler is gone; nothing was committed") as error:
        map_items(slow, range(200), scheduler=address)
    assert time.monotonic() - start < 30
    assert error.value.hint == "dask scheduler"


def test_an_address_where_nobody_answers_is_told(monkeypatch):
    monkeypatch.setattr(blocks, "ANSWER_S", 0.5)
    with pytest.raises(LakeError, match=r"tcp://127\.0\.0\.1:9: no Dask scheduler answers there"):
        map_items(slow, range(2), scheduler="tcp://127.0.0.1:9")
