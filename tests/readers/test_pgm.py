"""PGM: every frame is read as it lies, and the damaged ones are named."""

import bz2
import contextlib
import gzip
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_array_equal
from PIL import Image

from lake.errors import Malformed, TooLarge
from lake.readers import pgm, read
from tests.builders.pgm import frame, minute

PIXELS = np.arange(3 * 4 * 5, dtype=np.uint16).reshape(3, 4, 5) * 1_000
SMALL = np.arange(20, dtype=np.uint8).reshape(4, 5)


def decoded(data):
    return pgm.read(BytesIO(data), "a.pgm")


@given(arrays(np.uint16, st.tuples(st.integers(1, 4), st.integers(1, 9), st.integers(1, 9))))
def test_any_frames_read_back_as_they_were_written(pixels):
    content = decoded(minute(pixels))
    assert_array_equal(content.parts[0].pixels, pixels)
    assert content.problems == ()


def test_pixels_are_in_this_machines_byte_order_and_not_flipped():
    (part,) = decoded(frame(PIXELS[0])).parts
    assert part.pixels.dtype == np.dtype("=u2")
    assert part.pixels.shape == (1, 4, 5)
    assert part.pixels[0, 0, 1] == 1_000


def test_up_to_255_a_pixel_is_one_byte():
    (part,) = decoded(frame(SMALL, maxval=255) * 2).parts
    assert part.pixels.dtype == np.uint8
    assert_array_equal(part.pixels, [SMALL, SMALL])


def test_an_independent_reader_finds_the_same_first_frame():
    data = frame(PIXELS[1], {"Site": "gill"})
    assert_array_equal(decoded(data).parts[0].pixels[0], np.asarray(Image.open(BytesIO(data))))


def test_numbers_may_share_the_first_line():
    assert_array_equal(decoded(b"P5 5 4 255\n" + SMALL.tobytes()).parts[0].pixels[0], SMALL)


def test_each_frame_has_its_own_words_and_instant():
    (part,) = decoded(minute(PIXELS)).parts
    assert part.columns["Mode sequence number"].tolist() == ["0", "1", "2"]
    assert part.columns["time"].dtype == np.dtype("M8[us]")
    assert_array_equal(np.diff(part.columns["time"]), np.timedelta64(3, "s"))


def test_what_only_the_first_frame_says_holds_for_all():
    content = decoded(minute(PIXELS))
    assert content.header["Site unique ID"] == "gill"
    assert content.parts[0].columns["Site unique ID"].tolist() == ["gill"] * 3


def test_a_word_that_a_later_frame_lacks_is_null_there():
    content = decoded(frame(SMALL, {"a": "1"}) + frame(SMALL) + frame(SMALL, {"a": "3"}))
    assert content.parts[0].columns["a"].tolist() == ["1", None, "3"]


def test_of_a_repeated_key_the_last_holds_and_the_first_is_kept():
    header = decoded(frame(SMALL, [("ID", "themis-gbo"), ("ID", "THEMIS")])).header
    assert header == {"ID": "THEMIS", "ID 1": "themis-gbo"}


def test_values_may_hold_quotes_and_hashes_and_bare_lines_say_nothing():
    header = decoded(frame(SMALL, {"OS": 'Linux "x" #1', "Blank": ""}, bare=2)).header
    assert header == {"OS": 'Linux "x" #1', "Blank": ""}


@pytest.mark.parametrize(
    "text", ["2014-03-10 06:00:60 UTC", "2014-13-10 06:00:00 UTC", "soon", "2014-03-10 06:00:00 MST"]
)
def test_a_start_that_is_no_utc_instant_is_null(text):
    (part,) = decoded(frame(SMALL, {"Image request start": text})).parts
    assert part.columns["time"].tolist() == [None]
    assert part.columns["Image request start"].tolist() == [text]


def test_frames_before_a_cut_are_kept_and_the_cut_is_named():
    data = minute(PIXELS)[:-7]
    content = decoded(data)
    assert_array_equal(content.parts[0].pixels, PIXELS[:2])
    assert [p.place for p in content.problems] == ["frame 2"]
    assert "found 33 bytes of pixels, expected 40" in content.problems[0].reason


def test_a_frame_of_another_size_is_left_out_and_named():
    content = decoded(frame(SMALL) + frame(SMALL.T) + frame(SMALL))
    assert len(content.parts[0].pixels) == 2
    assert content.problems[0].place == "frame 1"
    assert "found 4 x 5 up to 65535, expected 5 x 4" in content.problems[0].reason


def test_frames_after_damaged_bytes_are_found_again():
    one, two, three = (frame(image, {"n": str(n)}) for n, image in enumerate(PIXELS))
    content = decoded(one + b"\0" * 11 + two[:9] + three)
    assert_array_equal(content.parts[0].pixels, PIXELS[[0, 2]])
    assert "expected P5" in content.problems[0].reason


def test_blank_bytes_at_the_end_are_no_problem():
    assert decoded(frame(SMALL) + b"\n\n").problems == ()


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"P5\n", "ends after 0 of 3 numbers"),
        (b"P5\n99999 99999\n65535\n", "found 99999 x 99999 pixels, expected 1 to 16384"),
        (b"P5\n0 4\n255\n", "found 0 x 4 pixels"),
        (b"P5\n5 4\n65536\n" + bytes(40), "found maxval 65536"),
        (b"P5\n-5 4\n255\n" + bytes(20), "found b'-5' in the header"),
        (b"P5\n5 4 255 1\n" + bytes(20), "found 4 numbers"),
        (b"P5\n5 4\n255\n" + bytes(19), "found 19 bytes of pixels, expected 20"),
        (b"P5\n" + b"#\n" * 1_001, "more than 1000 lines"),
        (b"P5\n" + b"#" * 70_000 + b"\n5 4\n255\n", "ends after 0 of 3"),
        (b"P6\n5 4\n255\n", "found b'P6' at byte 0, expected P5"),
    ],
)
def test_a_file_without_one_whole_frame_is_refused_with_what_was_found(data, found):
    with pytest.raises(Malformed, match=r"a\.pgm") as refused:
        decoded(data)
    assert found in refused.value.detail


def test_too_many_keys_are_refused(monkeypatch):
    monkeypatch.setattr(pgm, "MOST_KEYS", 2)
    with pytest.raises(TooLarge, match="3 comment keys"):
        decoded(frame(SMALL, {"a": "", "b": "", "c": ""}))


def test_too_many_frames_are_refused(monkeypatch):
    monkeypatch.setattr(pgm, "MOST_FRAMES", 2)
    with pytest.raises(TooLarge, match="more than 2 frames"):
        decoded(frame(SMALL) * 3)


@given(st.binary(max_size=80), st.integers(0, 60))
def test_no_damage_to_a_header_does_more_than_refuse_or_report(noise, place):
    data = minute(PIXELS)
    with contextlib.suppress(Malformed):
        assert decoded(data[:place] + noise + data[place + len(noise) :]).parts[0].pixels.dtype.kind == "u"


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress])
def test_the_front_door_reads_it_plain_and_compressed(tmp_path, pack):
    path = tmp_path / "a.pgm"
    path.write_bytes(pack(minute(PIXELS)))
    source = read(path)
    assert source.reader == "pgm"
    assert_array_equal(source.part("").pixels, PIXELS)


@pytest.mark.parametrize(
    ("name", "mean", "low", "high", "step_s", "n_saturated"),
    [
        ("aurora/themis_pgm/20140310_0600_gill_themis19_full.pgm.gz", 5964.223151, 3420, 65535, 3, 34),
        ("aurora/themis_pgm/20140310_0601_gill_themis19_full.pgm.gz", 5962.526379, 3436, 65535, 3, 29),
        ("aurora/themis_pgm/20140310_0602_gill_themis19_full.pgm.gz", 5959.763511, 3435, 65535, 3, 20),
        ("aurora/themis_pgm/20140310_0605_gill_themis19_full.pgm", 5942.933862, 3437, 42232, 3, 0),
        ("aurora/pgm_variants/20220307_0600_gill_nir-216_8446.pgm.gz", 384.190457, 91, 9971, 6, 0),
    ],
)
def test_real_minutes_have_the_known_counts_and_cadence(data, name, mean, low, high, step_s, n_saturated):
    source = read(data(name))
    part = source.part("")
    assert source.problems == ()
    assert part.pixels.shape == (60 // step_s, 256, 256)
    assert part.pixels.mean() == pytest.approx(mean, abs=1e-6)
    assert (part.pixels.min(), part.pixels.max()) == (low, high)
    assert (part.pixels == 65_535).sum() == n_saturated
    assert np.abs(np.diff(part.columns["time"]) / np.timedelta64(1, "s") - step_s).max() < 0.06
    assert source.keyword("Site unique ID") == "gill"


def test_a_real_minute_equals_its_bytes_at_the_places_the_format_states(data):
    path = data("aurora/themis_pgm/20140310_0605_gill_themis19_full.pgm")
    raw = path.read_bytes()
    expected = [raw[1059 + i * (337 + 131_072) :][:131_072] for i in range(20)]
    assert [image.astype(">u2").tobytes() for image in read(path).part("").pixels] == expected
