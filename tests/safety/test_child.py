"""The child process below every decoder written in C (number 50): nothing is lost on the way, nothing dies but it."""

import gzip
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import hypothesis.extra.numpy as hnp
import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lake
from lake.blocks import map_items
from lake.errors import Forbidden, Malformed, SourceError
from lake.intake import commit, take_in
from lake.provenance import new_run
from lake.readers import child, decoded, read
from lake.readers.child import Child, children
from lake.readers.parcel import ARRAYS, WORDS, pack, unpack
from lake.source import Content, Part, Problem
from lake.store import Lake
from tests.builders.cdf import Given, cdf
from tests.builders.fits import fits_file, image, table, tiled
from tests.builders.images import chunk, jp2, jpeg, png
from tests.builders.lakes import COUNTS
from tests.builders.netcdf import netcdf
from tests.builders.pgm import minute
from tests.conftest import DATA, REPO
from tests.safety.hostile import boom, difference, file_rows, hostile_format

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


@pytest.fixture
def hostile(tmp_path):
    """The hostile format, and what makes a file of it."""
    with hostile_format(tmp_path):
        yield lambda act: boom(tmp_path, act)


@pytest.fixture(autouse=True)
def _no_child_stays():
    yield
    children().close()


def sealed(path):
    """What a file gives here and apart: a content or an error, as one comparable pair."""
    found = []
    for apart in (False, True):
        try:
            found.append(read(path, apart=apart))
        except SourceError as error:
            found.append(error)
    return found


def assert_alike(path):
    here, apart = sealed(path)
    assert type(here) is type(apart), f"{path.name}: {here!r}, {apart!r}"
    if isinstance(here, SourceError):
        assert vars(here) == vars(apart)
        return
    facts = [(s.uri, s.sha256, s.size, s.reader) for s in (here, apart)]
    assert facts[0] == facts[1]
    assert difference(here.content, apart.content) == "", path.name


@pytest.mark.data
@pytest.mark.parametrize("most", [300_000, pytest.param(1 << 30, marks=[pytest.mark.slow, pytest.mark.timeout(600)])])
def test_every_real_file_reads_apart_as_it_reads_here(most):
    plain = (".csv", ".ecsv", ".json", ".md", ".txt", ".xlsx")
    files = [p for p in sorted(DATA.rglob("*")) if p.is_file() and p.stat().st_size < most and p.suffix not in plain]
    if not files:
        pytest.skip("no real files (set LIGHTLAKE_DATA)")
    for path in files:
        assert_alike(path)


def made(folder):
    """Files of every format that goes to the child, with all that is awkward on the way."""
    quantised = np.random.default_rng(1).normal(size=(20, 30)).astype("f4")
    quantised[3, 4] = np.nan
    ragged = table(
        {
            "A": ("PJ", np.array([[2, 0], [0, 0], [1, 8]], "i4")),
            "T": ("4A", np.frombuffer(b"ab\0\0cdefgh  ", "u1").reshape(3, 4)),
            "I": ("I", np.array([[1], [2], [3]], "i2")),
            "X": ("3X", np.array([[160], [0], [96]], "u1")),
        },
        np.array([5, 6, 7], ">i4").tobytes(),
        TNULL1=6, TNULL3=2,
    )  # fmt: skip
    cards = {"PATH": "../../x", "NOTANUM": b"NaN", "NOTHING": None, "BIG": 10**20, "TRUTH": True, "REAL": 1e-300}
    files = {
        "tiled.fits": fits_file(image(**cards), tiled(quantised), ragged),
        "tiled.fits.gz": gzip.compress(fits_file(tiled(WIDE.astype("i2")))),
        "half.fits": fits_file(tiled(WIDE.astype("i2")), tiled(WIDE.astype("i2")))[:-2880],
        "grey.png": png(GREY, chunk(b"tEXt", b"Title\0caf\xe9")),
        "wide.png": png(WIDE),
        "cut.png": png(GREY)[:-20],
        "grey.jpg": jpeg(GREY),
        "grey.jp2": jp2(GREY),
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    variables = {
        "v": (("time",), np.array([1.0, -1.0, 3.0]), {"_FillValue": -1.0, "units": "W m-2"}),
        "time": (("time",), np.arange(3.0), {"units": "seconds since 2000-01-01"}),
        "word": (("time",), np.array(["a", "bé", ""]), {}),
        "cube": (("time", "y", "x"), np.zeros((3, 2, 2), "f4"), {}),
    }
    netcdf(folder / "four.nc", variables, title="A title")
    epochs = np.array([63_113_904_000_000.0, 63_113_904_000_500.0, -1e31])
    given = {
        "Epoch": Given("epoch", epochs),
        "v": Given("f4", np.array([1, 2, -1], "f4"), {"DEPEND_0": "Epoch", "FILLVAL": -1.0}, compress=6),
        "w": Given("text", np.array(["ab", "cd", ""], "U2"), {"DEPEND_0": "Epoch"}),
    }
    cdf(folder / "records.cdf", given, Title="A title")
    return sorted(p for p in folder.iterdir() if p.is_file())


def test_every_made_file_reads_apart_as_it_reads_here(tmp_path):
    files = made(tmp_path)
    assert len(files) == 10
    for path in files:
        assert_alike(path)
    assert any(isinstance(sealed(p)[1], Malformed) for p in files)


def test_a_file_cut_anywhere_is_refused_apart_in_the_words_of_here(tmp_path):
    for whole in made(tmp_path):
        content = whole.read_bytes()
        for share in (0.1, 0.5, 0.97):
            whole.write_bytes(content[: int(len(content) * share)])
            assert_alike(whole)


KINDS = st.one_of(
    hnp.scalar_dtypes(),
    st.sampled_from(["M8[us]", "U7", "S3", ">f8", "?", "c16", [("a", "i4"), ("b", "f8", (2,))]]).map(np.dtype),
).filter(lambda kind: kind.kind != "O")
PLAIN = KINDS.flatmap(lambda kind: hnp.arrays(kind, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)))
MASKED = st.tuples(PLAIN, st.booleans()).map(
    lambda pair: np.ma.MaskedArray(pair[0], np.ma.nomask if pair[1] else np.zeros(pair[0].shape, bool))
)
ITEMS = st.one_of(st.none(), st.text(), st.binary(), st.booleans(), st.integers(), st.floats(), PLAIN, MASKED)


def of_objects(items):
    array = np.empty(len(items), object)
    for i, item in enumerate(items):
        array[i] = item
    return array


RAGGED = hnp.arrays("f4", st.integers(0, 5)).map(lambda a: a)
OBJECTS = st.one_of(st.lists(ITEMS, max_size=4), st.lists(RAGGED, max_size=4)).map(of_objects)
ARRAYS_ = st.one_of(PLAIN, MASKED, PLAIN.map(lambda a: a.T), OBJECTS, OBJECTS.map(np.ma.MaskedArray))
WORDS_ = st.one_of(st.none(), st.text(), st.binary(), st.booleans(), st.integers(), st.floats())
PARTS = st.builds(
    Part, st.text(), st.integers(1, 9), st.dictionaries(st.text(), WORDS_, max_size=3),
    st.dictionaries(st.text(), ARRAYS_, max_size=3), st.dictionaries(st.text(), st.text(), max_size=2),
    st.none() | PLAIN,
)  # fmt: skip
CONTENTS = st.builds(
    Content, st.dictionaries(st.text(), WORDS_, max_size=4), st.lists(PARTS, max_size=2).map(tuple),
    st.lists(st.builds(Problem, st.text(), st.text(), st.integers(0, 9)), max_size=2).map(tuple),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(CONTENTS)
def test_whatever_a_reader_finds_arrives_unchanged(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("parcel")
    pack(content, folder)
    assert difference(content, unpack(folder)) == ""
    assert list(folder.iterdir()) == []


def test_no_pickle_is_written_and_none_is_read(tmp_path):
    with pytest.raises(TypeError):
        pack(Content({}, (Part(columns={"a": of_objects([object()])}),)), tmp_path)
    pack(Content({}, (Part(columns={"a": np.arange(3)}),)), tmp_path)
    with (tmp_path / ARRAYS).open("wb") as file:
        np.lib.format.write_array(file, of_objects([print]), allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle"):
        unpack(tmp_path)


def test_a_parcel_that_is_none_blames_the_file(tmp_path, monkeypatch):
    (tmp_path / "a.png").write_bytes(png(GREY))
    for words in (b"{", b"[]", b'{"header": {}, "parts": [{}], "problems": []}'):
        monkeypatch.setattr(
            child, "unpack", lambda folder, words=words: (folder / WORDS).write_bytes(words) and unpack(folder)
        )
        with pytest.raises(Malformed, match=r"a\.png: its parcel is unreadable"):
            read(tmp_path / "a.png", apart=True)


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


def test_plain_formats_need_no_child(tmp_path, monkeypatch):
    monkeypatch.setattr(child, "Child", None)
    (tmp_path / "a.fits").write_bytes(fits_file(image(GREY.astype("i2"))))
    (tmp_path / "a.fits.gz").write_bytes(gzip.compress((tmp_path / "a.fits").read_bytes()))
    (tmp_path / "a.pgm").write_bytes(minute(WIDE[None]))
    netcdf(tmp_path / "a.nc", {"v": (("time",), np.arange(3.0), {})}, "NETCDF3_CLASSIC")
    for path in tmp_path.iterdir():
        assert_alike(path)


def test_no_decoder_written_in_c_runs_in_the_parent(tmp_path, monkeypatch):
    def never(*_, **__):
        raise AssertionError("decoded in the parent")

    for name in ("png_decode", "jpeg8_decode", "jpeg2k_decode"):
        monkeypatch.setattr(f"imagecodecs.{name}", never)
    monkeypatch.setattr("h5py.File", never)
    monkeypatch.setattr("cdflib.CDF", never)
    monkeypatch.setattr("lake.readers.fits.tiled_pixels", never)
    for path in made(tmp_path):
        if "cut" not in path.name:
            assert read(path, apart=True).content.parts, path.name


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
