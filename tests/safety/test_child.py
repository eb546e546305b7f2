"""The child process below every decoder written in C: nothing dies but it."""

import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest

import lake
from lake.blocks import map_items
from lake.errors import Forbidden, Malformed, SourceError
from lake.intake import commit, take_in
from lake.provenance import new_run
from lake.readers import child, decoded, read
from lake.readers.child import Child, children
from lake.store import Lake
from tests.builders.images import png
from tests.builders.lakes import COUNTS
from tests.conftest import REPO
from tests.safety.hostile import boom, file_rows, hostile_format

GREY = np.arange(48, dtype=np.uint8).reshape(6, 8)
WIDE = np.arange(48, dtype=np.uint16).reshape(6, 8) * 1000
KILLS = {
    f"signal {int(signal.SIGSEGV)}": "ended by SIGSEGV",
    f"signal {int(signal.SIGBUS)}": "ended by SIGBUS",
    f"signal {int(signal.SIGABRT)}": "ended by SIGABRT",
    f"signal {int(signal.SIGKILL)}": "killed by SIGKILL",
    "memory": "MemoryError",
    "spin": "more than 1 s of the processor",
    "exit": "code 3: last words",
    "object": "TypeError: found a object",
}


@pytest.mark.parametrize("act", KILLS)
def test_a_child_that_dies_is_malformed_and_the_next_file_is_read(hostile, monkeypatch, act):
    monkeypatch.setattr(child, "MEMORY", 1 << 30)
    monkeypatch.setattr(child, "PATIENCE", 30)
    with pytest.raises(Malformed, match=KILLS[act]) as caught:
        read(hostile(act), apart=True)
    assert str(caught.value).startswith(f"{act.replace(' ', '-')}.boom: ")
    assert read(hostile("well"), apart=True).header["RLIMIT_CORE"] == 0


def test_a_child_that_is_silent_is_ended(hostile, monkeypatch):
    monkeypatch.setattr(child, "PATIENCE", 0.3)
    started = time.monotonic()
    with pytest.raises(Malformed, match=r"took more than 0\.3 s"):
        read(hostile("sleep"), apart=True)
    assert time.monotonic() - started < 10


def test_the_neighbours_of_a_killed_child_are_committed_and_the_killer_is_told(tmp_path, hostile):
    good = []
    for i in range(4):
        good.append(tmp_path / f"good{i}.png")
        good[-1].write_bytes(png(GREY + i))
    killers = [hostile(act) for act in ("signal 11", "spin", "exit")]
    paths = [str(p) for pair in zip(good, [*killers, hostile("well")], strict=True) for p in pair]
    own = Lake.create(tmp_path / "lake")
    intakes = take_in(own, paths, [COUNTS], file_rows, workers=2)
    summary = commit(own, intakes, new_run("toy", {}))
    assert summary["new"] == 5
    assert [Path(s["source"]).name for s in summary["skipped"]] == [p.name for p in killers]
    assert all("[child]" in s["reason"] for s in summary["skipped"])
    assert own.sql("select count(*) as n from lake.rejected").pl()["n"][0] == 3


def test_errors_come_back_as_they_were_raised(hostile):
    with pytest.raises(Forbidden) as caught:
        read(hostile("forbidden"), apart=True)
    error = caught.value
    assert (error.source, error.rule, error.detail, error.hint) == ("forbidden.boom", "rule", "a detail", "a hint")
    with pytest.raises(SourceError) as caught:
        read(hostile("missing"), apart=True)
    here = read(hostile("well"), apart=True).header["pid"]
    assert read(hostile("well"), apart=True).header["pid"] == here


def test_what_a_library_prints_is_no_answer(hostile):
    pid = read(hostile("print"), apart=True).header["pid"]
    assert read(hostile("well"), apart=True).header["pid"] == pid


def test_the_child_knows_nothing_of_its_parent(hostile, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    monkeypatch.setenv("PYTHONSTARTUP", "hunter2")
    words = read(hostile("well"), apart=True).header
    allowed = {*child.ENVIRONMENT, *child.KEPT, "HOME", "TMPDIR", "LC_CTYPE"}
    assert set(words["environment"].split()) <= allowed
    assert words["isolated"] == 1
    assert words["cwd"] != str(Path.cwd())
    assert (words["RLIMIT_AS"], words["RLIMIT_FSIZE"]) == (child.MEMORY, child.FILE_BYTES)
    assert Path(words["lake"]) == Path(child.__file__)


def test_one_child_serves_a_batch_and_goes_with_it(tmp_path, hostile):
    paths = []
    for i in range(20):
        paths.append(tmp_path / f"{i}.boom")
        paths[-1].write_bytes(b"BOOM well" + b" " * i)
    pids = []
    rows_of = lambda source: pids.append(source.header["pid"]) or file_rows(source)  # noqa: E731
    take_in(Lake.create(tmp_path / "lake"), [str(p) for p in paths], [COUNTS], rows_of, workers=2)
    assert len(pids) == 20
    assert len(set(pids)) <= 2
    assert not any(map(psutil.pid_exists, set(pids)))


def test_threads_that_ask_at_once_get_their_own_files(tmp_path):
    paths = []
    for i in range(40):
        paths.append(tmp_path / f"{i}.png")
        paths[-1].write_bytes(png(np.full((3, 4), i, np.uint8)))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda p: int(read(p, apart=True).part("").pixels.max()), paths))
    assert found == list(range(40))


def test_a_child_that_cannot_start_blames_no_file(tmp_path, monkeypatch):
    monkeypatch.setattr(child, "PROGRAM", "raise SystemExit('no such module')")
    (tmp_path / "a.png").write_bytes(png(GREY))
    with pytest.raises(OSError, match="did not start: no such module") as caught:
        map_items(read, [tmp_path / "a.png"], scheduler="sync", apart=True)
    assert not isinstance(caught.value, SourceError)


def test_a_full_temporary_folder_blames_no_file(tmp_path, monkeypatch):
    words = child._words(OSError(28, "No space left on device"), "a.png")
    error = child._told(words)
    assert type(error) is OSError
    assert error.errno == 28


def test_a_child_that_was_interrupted_or_died_idle_is_not_asked_again(hostile, monkeypatch):
    pid = read(hostile("well"), apart=True).header["pid"]
    answer = Child._answer

    def interrupted(self, seconds):
        monkeypatch.setattr(Child, "_answer", answer)
        raise KeyboardInterrupt

    monkeypatch.setattr(Child, "_answer", interrupted)
    with pytest.raises(KeyboardInterrupt):
        read(hostile("well"), apart=True)
    other = read(hostile("well"), apart=True).header["pid"]
    assert other != pid
    os.kill(other, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(other)] if psutil.pid_exists(other) else [], timeout=0)
    time.sleep(0.2)
    assert read(hostile("well"), apart=True).header["pid"] != other


def test_another_file_under_the_same_name_is_noticed(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(png(GREY))
    status = path.stat()
    identity = [status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns]
    assert decoded(path, "image", 1 << 20, identity).parts
    with pytest.raises(SourceError, match="changed while it was read"):
        decoded(path, "image", 1 << 20, [*identity[:3], 0])


def test_no_folder_is_left_behind(tmp_path, hostile, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    read(hostile("well"), apart=True)
    assert list(tmp_path.glob("lightlake-*"))
    with pytest.raises(Malformed):
        read(hostile("signal 9"), apart=True)
    children().close()
    assert list(tmp_path.glob("lightlake-*")) == []


def test_a_killed_parent_leaves_no_child_and_no_folder(tmp_path):
    (tmp_path / "a.png").write_bytes(png(GREY))
    code = (
        "import sys, time; from lake.readers import read; from lake.readers.child import children\n"
        "read(sys.argv[1], apart=True); print(children()._idle[0]._process.pid, flush=True); time.sleep(60)"
    )
    words = [sys.executable, "-c", code, str(tmp_path / "a.png")]
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(words, cwd=REPO, stdout=subprocess.PIPE, env=environment) as parent:
        pid = int(parent.stdout.readline())
        parent.kill()
    deadline = time.monotonic() + 10
    while (psutil.pid_exists(pid) or list(tmp_path.glob("lightlake-*"))) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert list(tmp_path.glob("lightlake-*")) == []


def test_the_child_finds_the_package_wherever_it_was_installed(tmp_path):
    (tmp_path / "a.png").write_bytes(png(GREY))
    target = tmp_path / "site" / "packages"
    shutil.copytree(Path(lake.__file__).parent, target / "lake", ignore=shutil.ignore_patterns("__pycache__"))
    code = (
        "import sys, lake; from lake.readers import child, read; assert lake.__file__.startswith(sys.argv[2]), lake\n"
        "print(read(sys.argv[1], apart=True).content.parts[0].pixels.shape)"
    )
    for folder in (str(target), os.path.relpath(target, tmp_path)):
        done = subprocess.run(
            [sys.executable, "-c", code, "a.png", folder if folder.startswith("/") else str(target)],
            cwd=tmp_path, env=os.environ | {"PYTHONPATH": folder}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.stdout == "(6, 8)\n", done.stderr


def in_worker(path, home):
    """Read a file in a Dask worker that knows the hostile format; the worker's own process and what came of it."""
    with hostile_format(Path(home)):
        try:
            return os.getpid(), read(path, apart=True).reader
        except Malformed as error:
            return os.getpid(), error.rule


@pytest.mark.filterwarnings("ignore")
def test_a_killed_child_takes_no_dask_worker_with_it(tmp_path):
    from distributed import LocalCluster

    paths = [boom(tmp_path, act) for act in ("well", "signal 11", "signal 9", "exit")]
    with LocalCluster(n_workers=1, threads_per_worker=1, host="127.0.0.1", dashboard_address=None) as cluster:
        before = {w.pid for w in cluster.workers.values()}
        found = map_items(in_worker, paths, scheduler=cluster.scheduler_address, home=str(tmp_path))
        after = {w.pid for w in cluster.workers.values()}
    assert [o.value[1] for o in found] == ["boom", "child", "child", "child"]
    assert {o.value[0] for o in found} == before == after
