"""Many writers at once: no commit lost, each source in once, and readers that stay where they are."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest

from lake.log import entries
from lake.maintain import compact, gc
from lake.store import Lake
from lake.verify import verify
from tests.builders.lakes import COUNTS, FRAMES, counts, images, instants, origin
from tests.builders.s3 import bucket_on_loopback
from tests.conftest import REPO

SHARED = 10
WRITER = """
import json, sys, tempfile, time
from lake.store import Lake
from tests.builders.lakes import COUNTS, counts, origin
root, writer, n, shared = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
with tempfile.TemporaryDirectory() as scratch:
    # The first commit of a process loads its libraries, which takes seconds and is no part of the race.
    with Lake.create(scratch + "/lake").transaction("warm up", catalog=False) as tx:
        tx.append(COUNTS, counts("a", 3), source=origin("a"))
lake = Lake(root)
print("ready", flush=True)
sys.stdin.readline()
times, won = [], []
for turn in range(n):
    names = [f"{writer}-{turn}"] + ([f"shared-{turn}"] if turn < shared else [])
    for name in names:
        start = time.perf_counter()
        with lake.transaction(f"race of {writer}", catalog=False) as tx:
            tx.append(COUNTS, counts(name, 3), source=origin(name))
        times.append(time.perf_counter() - start)
        assert len(tx.new) + len(tx.known) == 1, (tx.new, tx.known)
        if tx.new and name.startswith("shared"):
            won.append(name)
print(json.dumps({"times": times, "won": won}), flush=True)
"""


def raced(root: str, writers: int, commits: int) -> list[dict[str, list[str]]]:
    """What processes tell that each make so many commits of their own, and all of them the shared ones."""
    words = [[sys.executable, "-c", WRITER, root, f"w{n}", str(commits), str(SHARED)] for n in range(writers)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": REPO}
    herd = [subprocess.Popen(command, **pipes) for command in words]
    for each in herd:
        assert each.stdout.readline() == "ready\n"
    for each in herd:
        each.stdin.write("go\n")
        each.stdin.flush()
    said = [each.communicate()[0] for each in herd]
    assert [each.returncode for each in herd] == [0] * writers
    return [json.loads(text) for text in said]


def check_serial(root: str, told: list[dict[str, list[str]]], commits: int) -> None:
    """Every commit is in the log once, those of a writer in its own order, and each shared source has one winner."""
    lake = Lake(root)
    log = list(entries(lake.storage, 0, lake.number))
    uris = [[source["uri"].rpartition("/")[2] for source in entry["sources"]] for entry in log]
    assert all(len(names) == 1 for names in uris)
    order = [names[0] for names in uris]
    assert len(order) == len(set(order)) == len(told) * commits + SHARED
    for writer in range(len(told)):
        own = [int(name.partition("-")[2]) for name in order if name.startswith(f"w{writer}-")]
        assert own == list(range(commits))
    won = [name for words in told for name in words["won"]]
    assert sorted(won) == sorted(f"shared-{n}" for n in range(SHARED))
    assert all(one["time"] < other["time"] for one, other in pairwise(log))
    assert verify(lake) == []


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """An empty bucket of an S3 server on loopback."""
    with bucket_on_loopback() as url:
        yield url


@pytest.mark.slow
def test_eight_processes_lose_none_of_fifty_commits_each(tmp_path):
    root = Lake.create(tmp_path / "lake").root
    check_serial(root, raced(root, 8, 50), 50)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_four_processes_lose_none_of_twenty_commits_each_on_s3(bucket):
    root = Lake.create(f"{bucket}/race").root
    check_serial(root, raced(root, 4, 20), 20)


def test_of_two_writers_of_one_source_one_wins_and_the_other_learns_it(tmp_path):
    lake, other = Lake.create(tmp_path / "lake"), Lake(tmp_path / "lake")
    with lake.transaction("one", catalog=False) as first:
        first.append(COUNTS, counts("same"), source=origin("same"))
        with other.transaction("two", catalog=False) as second:
            second.append(COUNTS, counts("same"), source=origin("same"))
    assert (second.new, second.known) == (["archive/same"], [])
    assert (first.new, first.known) == ([], ["archive/same"])
    assert Lake(lake.root).number == 0


def seen(lake: Lake) -> tuple[list[str], bytes, bytes]:
    """All that a reader sees: names of files, rows and pixels."""
    rows = lake.table(COUNTS.name).pl().sort("obs_id", "row_id").write_csv().encode()
    return sorted(lake.snapshot.pieces), rows, lake[FRAMES.name].values.tobytes()


def test_a_pinned_reader_sees_the_same_bytes_through_a_hundred_commits_compaction_and_gc(tmp_path):
    lake = Lake.create(tmp_path / "lake")
    add = growing(lake)
    for turn in range(10):
        add(turn)
    pinned = Lake(lake.root, at=lake.number)
    before = seen(pinned)
    for turn in range(10, 110):
        add(turn)
    compact(lake, catalog=False)
    gc(lake, grace_s=0, catalog=False)
    assert seen(pinned) == before
    assert seen(Lake(lake.root, at=pinned.number)) == before
    assert Lake(lake.root).table(COUNTS.name).arrow().num_rows == 110 * 3


def growing(lake: Lake) -> Callable[[int], None]:
    """A commit of rows and a frame for each turn."""

    def add(turn: int) -> None:
        with lake.transaction("grow", catalog=False) as tx:
            tx.append(COUNTS, counts(f"obs-{turn}", 3), source=origin(f"rows {turn}"))
            when = {"time": instants(turn), "exposure_s": 1.0}
            tx.append_frames(FRAMES, images(1, seed=turn), when, source=origin(f"frames {turn}"))

    return add
