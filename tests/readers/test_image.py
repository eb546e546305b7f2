"""PNG, JPEG, JPEG 2000: decoded as others decode them, sizes believed only after a look."""

import gzip
import struct
import zlib
from io import BytesIO

import imagecodecs
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

from lake.errors import Forbidden, Malformed, Refused, TooLarge
from lake.readers import image, read
from tests.builders.images import box, chunk, jp2, jp2_claiming, jpeg, jpeg_claiming, png, png_claiming

GREY = np.arange(60, dtype=np.uint8).reshape(6, 10)
WIDE = GREY.astype(np.uint16) * 1_000
COLOUR = np.stack([GREY, GREY[::-1], GREY[:, ::-1]], axis=-1).copy()
XML = b"<?xml version='1.0'?><meta><fits><NAXIS>2</NAXIS><EXPTIME>1.5E0</EXPTIME><DATE>2013-06-24</DATE></fits></meta>"


def decoded(data):
    return image.read(BytesIO(data), "a.image")


@pytest.mark.parametrize("make", [png, jp2])
@pytest.mark.parametrize("pixels", [GREY, WIDE, COLOUR], ids=["grey", "16 bit", "colour"])
def test_pixels_without_loss_read_back_as_they_were_written(make, pixels):
    (part,) = decoded(make(pixels)).parts
    assert part.pixels.dtype == pixels.dtype
    assert_array_equal(part.pixels, pixels)


@pytest.mark.parametrize("pixels", [GREY, COLOUR], ids=["grey", "colour"])
def test_jpeg_pixels_equal_those_of_an_independent_reader(pixels):
    data = jpeg(pixels)
    assert_array_equal(decoded(data).parts[0].pixels, np.asarray(Image.open(BytesIO(data))))


def test_texts_of_a_png_are_its_header():
    packed = chunk(b"zTXt", b"Software\0\0" + zlib.compress(b"camera"))
    wide = chunk(b"iTXt", "Ort\0\0\0\0\0Tromsø".encode())
    assert decoded(png(GREY, chunk(b"tEXt", b"Title\0Sun"), packed, wide)).header == {
        "Title": "Sun",
        "Software": "camera",
        "Ort": "Tromsø",
    }


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt"])
def test_a_text_that_inflates_without_end_is_refused(kind):
    bomb = zlib.compress(bytes(64 << 20), 9)
    start = b"a\0\0" if kind == b"zTXt" else b"a\0\1\0\0\0"
    with pytest.raises(TooLarge, match="more than 1048576 bytes"):
        decoded(png(GREY, chunk(kind, start + bomb)))


def test_many_texts_together_are_refused():
    texts = [chunk(b"tEXt", b"%d\0" % n + b"x" * 300_000) for n in range(4)]
    with pytest.raises(TooLarge, match="characters of text"):
        decoded(png(GREY, *texts))


def test_keywords_of_a_jp2_are_numbers_where_they_read_as_such():
    assert decoded(jp2(GREY, box(b"xml ", XML + b"\0"))).header == {"NAXIS": 2, "EXPTIME": 1.5, "DATE": "2013-06-24"}


def test_other_elements_keep_their_path_and_repeated_ones_their_lines():
    xml = b"<meta><fits><HISTORY>a</HISTORY><HISTORY>b</HISTORY></fits><hv><ROT>TRUE</ROT></hv></meta>"
    assert decoded(jp2(GREY, box(b"xml ", xml))).header == {"HISTORY": "a\nb", "hv.ROT": "TRUE"}


@pytest.mark.parametrize("text", ["nan", "1_000", "0x10", "inf", "1e9999", "9" * 5_000 + "x"])
def test_what_is_not_a_plain_number_stays_text(text):
    xml = f"<meta><fits><A>{text}</A></fits></meta>".encode()
    assert decoded(jp2(GREY, box(b"xml ", xml))).header == {"A": text}


def test_broken_xml_is_a_problem_and_the_pixels_are_kept():
    content = decoded(jp2(GREY, box(b"xml ", b"<meta><fits></meta>")))
    assert_array_equal(content.parts[0].pixels, GREY)
    assert content.problems[0].place.startswith("XML at byte")


@pytest.mark.parametrize(
    "start", ['<!DOCTYPE a [<!ENTITY b "c">]>', "<!DOCTYPE meta SYSTEM 'http://example.org/a.dtd'>"]
)
def test_xml_that_declares_entities_is_forbidden(start):
    with pytest.raises(Forbidden, match="document type"):
        decoded(jp2(GREY, box(b"xml ", start.encode() + b"<meta/>")))


@pytest.mark.parametrize(
    ("lie", "found"),
    [
        (png_claiming(100_000, 100_000), "found 100000 x 100000 pixels"),
        (jpeg_claiming(65_500, 65_500, jpeg(GREY)), "found 65500 x 65500 pixels"),
        (jp2_claiming(jp2(GREY), width=100_000, height=100_000), "found 100000 x 100000 pixels"),
        (jp2_claiming(jp2(GREY), components=5), "found 5 components"),
        (jp2_claiming(jp2(GREY), width=8_000, height=8_000, tile_width=1, tile_height=1), "64000000 tiles"),
    ],
    ids=["png", "jpeg", "jp2", "jp2 components", "jp2 tiles"],
)
def test_a_size_above_the_limit_is_refused_before_decoding(monkeypatch, lie, found):
    for decoder in ("png_decode", "jpeg8_decode", "jpeg2k_decode"):
        monkeypatch.setattr(imagecodecs, decoder, lambda _: pytest.fail("was decoded"))
    with pytest.raises(TooLarge) as refused:
        decoded(lie)
    assert found in refused.value.detail


@pytest.mark.parametrize(
    "lie",
    [
        png_claiming(0, 4),
        png_claiming(4, 4, colour=7),
        jpeg_claiming(4, 0, jpeg(GREY)),
        jp2_claiming(jp2(GREY), x0=10),
        jp2_claiming(jp2(GREY), tile_width=0),
    ],
    ids=["png width", "png colour", "jpeg height", "jp2 origin", "jp2 tile"],
)
def test_an_impossible_size_is_malformed(lie):
    with pytest.raises(Malformed, match="found"):
        decoded(lie)


@pytest.mark.parametrize("whole", [png(GREY), jpeg(GREY), jp2(GREY)], ids=["png", "jpeg", "jp2"])
def test_a_cut_anywhere_is_noticed(tmp_path, whole):
    path = tmp_path / "a.image"
    for end in [*range(0, len(whole) - 1, 7), len(whole) - 1]:
        path.write_bytes(whole[:end])
        with pytest.raises(Refused, match=r"a\.image"):
            read(path)


def test_a_changed_byte_of_a_png_fails_its_checksum():
    data = bytearray(png(GREY))
    data[45] ^= 1
    with pytest.raises(Malformed, match="checksum"):
        decoded(bytes(data))


def test_a_jpeg_of_very_many_scans_is_refused():
    data = jpeg(GREY)
    scan = data.index(b"\xff\xda")
    with pytest.raises(TooLarge, match="scans"):
        decoded(data[:-2] + data[scan:-2] * 300 + b"\xff\xd9")


def test_a_box_that_ends_before_it_begins_is_malformed():
    data = jp2(GREY)
    place = data.index(b"ftyp") - 4
    with pytest.raises(Malformed, match="ftyp"):
        decoded(data[:place] + struct.pack(">I", 4) + data[place + 4 :])


@pytest.mark.parametrize(("make", "ending"), [(png, "png"), (jpeg, "jpg"), (jp2, "jp2")])
def test_the_front_door_knows_it_whatever_its_name(tmp_path, make, ending):
    path = tmp_path / f"{ending}.dat"
    path.write_bytes(gzip.compress(make(GREY)))
    assert read(path).reader == "image"


@pytest.mark.parametrize(
    "pattern", ["benchmarks/staff/iswat193/*.png", "solar-aia/browse/*.jpg", "solar*/**/*SDO_AIA*.jp2"]
)
def test_real_images_equal_those_of_an_independent_reader(data, pattern):
    root = data("solar/SOURCES.md").parent.parent
    paths = sorted(root.glob(pattern))
    if not paths:
        pytest.skip(f"no real file {pattern}")
    for path in paths:
        with Image.open(path) as other:
            assert_array_equal(read(path).part("").pixels, np.asarray(other), str(path))


def test_a_real_jp2_has_the_header_of_its_observation(data):
    source = read(data("solar/images/2013_06_24__17_31_30_84__SDO_AIA_AIA_193.jp2"))
    assert source.keyword("WAVELNTH") == 193
    assert source.keyword("EXPTIME") == pytest.approx(1.999637)
    assert source.keyword("DATE-OBS") == "2013-06-24T17:31:30.84"
    assert source.keyword("helioviewer.HV_SUPPORTED") == "TRUE"
    assert source.problems == ()


@pytest.mark.parametrize("change", [{"at": 4, "to": b"\0\0\0\7"}, {"at": 9, "to": b"\3"}, {"at": 10, "to": b"\x87"}])
def test_a_jp2_header_that_differs_from_its_codestream_is_malformed(change):
    data = jp2(GREY)
    place = data.index(b"ihdr") + 4 + change["at"]
    with pytest.raises(Malformed, match="jp2-ihdr"):
        decoded(data[:place] + change["to"] + data[place + len(change["to"]) :])


def test_a_jp2_header_may_leave_the_bits_to_its_codestream():
    data = jp2(GREY)
    place = data.index(b"ihdr") + 14
    assert_array_equal(decoded(data[:place] + b"\xff" + data[place + 1 :]).parts[0].pixels, GREY)
