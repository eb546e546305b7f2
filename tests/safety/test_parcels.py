"""Files decoded in a child process: they read apart as they read here."""

import gzip

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.errors import Malformed, SourceError
from lake.readers import child, read
from lake.readers.parcel import ARRAYS, WORDS, pack, unpack
from lake.source import Content, Part, Problem
from tests.builders.cdf import Given, cdf
from tests.builders.fits import fits_file, image, table, tiled
from tests.builders.images import chunk, jp2, jpeg, png
from tests.builders.netcdf import netcdf
from tests.builders.pgm import minute
from tests.conftest import DATA
from tests.safety.hostile import difference

GREY = np.arange(48, dtype=np.uint8).reshape(6, 8)
WIDE = np.arange(48, dtype=np.uint16).reshape(6, 8) * 1000


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
