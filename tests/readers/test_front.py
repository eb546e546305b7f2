"""The front door: any file becomes a Source or a refusal that names it."""

import bz2
import gzip
import hashlib
import io
import os
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest

from lake.errors import Forbidden, Malformed, SourceError, TooLarge
from lake.readers import read, recognised
from tests.builders.fits import fits_file, image

PIXELS = np.arange(12, dtype=np.int16).reshape(3, 4)
FILE = fits_file(image(PIXELS, OBJECT="Sun"))


def put(folder, content, name="a.fits"):
    path = folder / name
    path.write_bytes(content)
    return path


def zeros_as_gzip(n_megabytes):
    """A gzip of zeros, made of one compressed megabyte repeated as members are."""
    return gzip.compress(bytes(1 << 20), 9) * n_megabytes


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress])
def test_a_compressed_file_reads_as_the_plain_one_but_is_known_by_its_own_bytes(tmp_path, pack):
    stored = pack(FILE)
    source = read(put(tmp_path, stored, "a.fits.gz"))
    assert np.array_equal(source.part("").pixels, PIXELS)
    assert (source.sha256, source.size) == (hashlib.sha256(stored).hexdigest(), len(stored))
    assert (source.reader, source.uri, source.header["OBJECT"]) == ("fits", str(tmp_path / "a.fits.gz"), "Sun")


def test_the_ending_of_a_name_means_nothing(tmp_path):
    for name in ("a.gz", "a.png", "a"):
        assert read(put(tmp_path, FILE, name)).reader == "fits"


def test_a_path_may_be_text(tmp_path, monkeypatch):
    put(tmp_path, FILE)
    monkeypatch.chdir(tmp_path)
    assert read("a.fits").uri == "a.fits"


def test_a_missing_file_is_named_with_its_folder(tmp_path):
    with pytest.raises(SourceError, match=r"absent\.fits: no such file in .*" + tmp_path.name):
        read(tmp_path / "absent.fits")


def test_a_folder_and_a_pipe_are_no_files(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(SourceError, match="not a regular file"):
            read(path)


def test_a_name_that_no_file_can_have_is_a_source_error():
    with pytest.raises(SourceError):
        read("a\0b.fits")


def test_an_empty_file_is_malformed(tmp_path):
    for content in (b"", gzip.compress(b"")):
        with pytest.raises(Malformed, match="found 0 bytes"):
            read(put(tmp_path, content))


def test_an_unknown_beginning_is_shown_with_the_formats_there_are(tmp_path):
    with pytest.raises(Malformed, match=r"a\.fits: begins with b'hello wo' at byte 0, expected one of .*fits"):
        read(put(tmp_path, b"hello world"))


@pytest.mark.parametrize("door", [read, recognised])
@pytest.mark.parametrize("address", ["https://archive/a.fits?token=secret", "s3://bucket/a.fits", "file:///a.fits"])
def test_an_address_is_forbidden_and_its_query_is_not_repeated(door, address):
    with pytest.raises(Forbidden) as caught:
        door(address)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("cut", [5, 40, -9, -1])
@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress])
def test_a_truncated_stream_is_malformed(tmp_path, pack, cut):
    with pytest.raises(Malformed, match=r"damaged after \d+ inflated bytes"):
        read(put(tmp_path, pack(FILE)[:cut]))


def test_a_flipped_byte_in_a_gzip_is_malformed(tmp_path):
    stored = bytearray(gzip.compress(np.random.default_rng(1).bytes(5000)))
    stored[2000] ^= 0xFF
    with pytest.raises(Malformed):
        read(put(tmp_path, bytes(stored)))


def test_a_gzip_bomb_stops_at_the_ratio(tmp_path):
    with pytest.raises(TooLarge, match="inflate"):
        read(put(tmp_path, zeros_as_gzip(1024)))


def test_a_bzip2_bomb_stops_at_the_ratio(tmp_path):
    with pytest.raises(TooLarge, match="inflate"):
        read(put(tmp_path, bz2.compress(bytes(80 << 20))))


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_the_limit_of_bytes_holds_for_plain_and_compressed_files(tmp_path, pack):
    path = put(tmp_path, pack(FILE))
    assert read(path, most=len(FILE)).size == path.stat().st_size
    with pytest.raises(TooLarge):
        read(path, most=len(FILE) - 1 if pack is gzip.compress else 100)


def test_only_one_layer_is_taken_off(tmp_path):
    path = put(tmp_path, gzip.compress(gzip.compress(FILE)))
    with pytest.raises(Malformed, match="begins with"):
        read(path)
    assert recognised(path) is None


def test_a_large_stream_goes_through_a_temporary_file(tmp_path, monkeypatch):
    monkeypatch.setattr("lake.readers.guards.IN_MEMORY", 100)
    assert np.array_equal(read(put(tmp_path, gzip.compress(FILE))).part("").pixels, PIXELS)


def test_first_bytes_are_enough_to_recognise_a_file(tmp_path):
    stream = zlib.compressobj(wbits=31)
    cut = stream.compress(FILE) + stream.flush(zlib.Z_SYNC_FLUSH)
    assert recognised(put(tmp_path, cut)) == "fits"
    assert recognised(put(tmp_path, FILE[:80])) == "fits"
    assert recognised(put(tmp_path, b"hello")) is None
    assert recognised(put(tmp_path, b"\x1f\x8b\x08hello")) is None
    with pytest.raises(SourceError):
        recognised(tmp_path / "absent")


def test_what_a_reader_throws_is_malformed_with_its_cause(tmp_path, monkeypatch):
    def fail(stream, name):
        raise IndexError("list index out of range")

    monkeypatch.setattr("lake.readers.fits.read", fail)
    with pytest.raises(Malformed, match=r"IndexError: list index out of range \[fits\]") as caught:
        read(put(tmp_path, FILE))
    assert isinstance(caught.value.__cause__, IndexError)


def test_a_file_that_changes_under_the_reader_is_refused(tmp_path, monkeypatch):
    path = put(tmp_path, FILE)
    from lake.readers import fits

    def grow(stream, name, real=fits.read):
        with path.open("ab") as more:
            more.write(bytes(2880))
        return real(stream, name)

    monkeypatch.setattr(fits, "read", grow)
    with pytest.raises(SourceError, match="changed while it was read"):
        read(path)


def test_a_reader_gets_the_bare_name_and_a_seekable_stream(tmp_path, monkeypatch):
    from lake.readers import fits

    seen = []

    def look(stream, name, real=fits.read):
        seen.append((name, stream.seek(0, io.SEEK_END)))
        return real(stream, name)

    monkeypatch.setattr(fits, "read", look)
    read(put(tmp_path, gzip.compress(FILE)))
    assert seen == [("a.fits", len(FILE))]


def test_opening_the_door_imports_no_format():
    code = (
        "import sys, lake.readers; heavy = {'astropy', 'cdflib', 'PIL', 'h5py', 'netCDF4'} & set(sys.modules);"
        "assert not heavy, heavy; assert 'lake.readers.fits' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2], timeout=60)
