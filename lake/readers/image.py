"""PNG, JPEG and JPEG 2000 images, with the header that solar archives put into the last."""

import re
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO
from xml.etree import ElementTree

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from lake.errors import FETCH_AGAIN, Forbidden, Malformed, TooLarge
from lake.source import Content, Part, Problem

MOST_PIXELS = 64_000_000
MOST_COMPONENTS = 4
MOST_BITS = 16
MOST_TILES = 65_535
MOST_TEXT = 1 << 20
MOST_SCANS = 200
PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8\xff"
JP2 = b"\0\0\0\x0cjP  \r\n\x87\n"
CODESTREAM = b"\xff\x4f\xff\x51"
END = b"\xff\xd9"  # of a JPEG image and of a JPEG 2000 codestream alike
PNG_COMPONENTS = {0: 1, 2: 3, 3: 4, 4: 2, 6: 4}
PNG_PIXELS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
INTEGER = re.compile(r"[+-]?\d{1,18}")
REAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?")

Header = dict[str, Any]


def recognises(head: bytes) -> bool:
    """Whether a file starts as one of the three does."""
    return head.startswith((PNG, JPEG, JP2))


def read(stream: BinaryIO, name: str) -> Content:
    """The pixels of an image, and what it says of itself.

    Parameters
    ----------
    stream : the inflated file.
    name : for messages.

    Returns
    -------
    Content
        Text chunks of a PNG, or the XML of a JPEG 2000 file as header: the keywords below `fits` under their own
        names, as numbers where they read as such, others under their path (`helioviewer.HV_COMMENT`).
        One part: pixels (y, x), or (y, x, channel) in colour, the first row on top.

    Raises
    ------
    Malformed
        The file ends early, or its sizes contradict each other.
    TooLarge
        It declares more than 64 million pixels, 4 components, 16 bit or 65,535 tiles, or a mebibyte of text.
    Forbidden
        Its XML declares a document type or an entity.
    """
    data = stream.read()
    known: dict[bytes, Callable[[bytes, str], tuple[Header, NDArray[Any], list[Problem]]]]
    known = {PNG: _png, JPEG: _jpeg, JP2: _jp2}
    for magic, decode in known.items():
        if data.startswith(magic):
            header, pixels, problems = decode(data, name)
            return Content(header, (Part(pixels=pixels),), tuple(problems))
    raise Malformed(name, "image-magic", f"found {data[:12]!r}, expected a PNG, JPEG or JP2 signature")


def _check_size(name: str, width: int, height: int, components: int, bits: int) -> None:
    """Refuse a size before anything is decoded."""
    if width < 1 or height < 1 or components < 1:
        raise Malformed(name, "image-size", f"found {width} x {height} x {components}, expected 1 or more of each")
    if width * height > MOST_PIXELS:
        raise TooLarge(name, "image-size", f"found {width} x {height} pixels, expected up to {MOST_PIXELS}")
    if components > MOST_COMPONENTS or bits > MOST_BITS:
        limit = f"{MOST_COMPONENTS} of {MOST_BITS}"
        raise TooLarge(name, "image-depth", f"found {components} components of {bits} bit, expected up to {limit}")


def _native(pixels: NDArray[Any]) -> NDArray[Any]:
    """Pixels in this machine's byte order, without a channel axis of one."""
    pixels = pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels
    return np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("="))


def _png(data: bytes, name: str) -> tuple[Header, NDArray[Any], list[Problem]]:
    header: Header = {}
    kept = [PNG]
    kinds = []
    for kind, begin, end in _chunks(data, name):
        kinds.append(kind)
        if kind in PNG_PIXELS:
            kept.append(data[begin - 8 : end + 4])
        elif kind in (b"tEXt", b"zTXt", b"iTXt"):
            header.update([_png_text(kind, data[begin:end], name)])
            if sum(len(key) + len(text) for key, text in header.items()) > MOST_TEXT:
                raise TooLarge(name, "png-text", f"found more than {MOST_TEXT} characters of text")
    if kinds[:1] != [b"IHDR"] or kinds.count(b"IHDR") != 1 or kinds[-1] != b"IEND" or b"IDAT" not in kinds:
        raise Malformed(name, "png-chunks", f"found {_listed(kinds)}, expected IHDR, IDAT and IEND")
    return header, _native(imagecodecs.png_decode(b"".join(kept))), []


def _chunks(data: bytes, name: str) -> Iterator[tuple[bytes, int, int]]:
    """Kind, first and last byte of each chunk; the declared size is checked on the way."""
    place = len(PNG)
    while place < len(data):
        if place + 12 > len(data):
            raise Malformed(name, "png-chunks", f"found {len(data) - place} bytes at {place}, expected a chunk")
        length, kind = struct.unpack_from(">I4s", data, place)
        begin, end = place + 8, place + 8 + length
        if end + 4 > len(data):
            detail = f"{kind!r} at byte {place}: found {len(data) - begin} bytes, expected {length + 4}"
            raise Malformed(name, "png-chunks", detail, FETCH_AGAIN)
        if zlib.crc32(data[place + 4 : end]) != struct.unpack_from(">I", data, end)[0]:
            raise Malformed(name, "png-crc", f"{kind!r} at byte {place} differs from its checksum")
        if kind == b"IHDR":
            if length != 13:
                raise Malformed(name, "png-chunks", f"found IHDR of {length} bytes, expected 13")
            width, height, bits, colour = struct.unpack_from(">IIBB", data, begin)
            _check_size(name, width, height, PNG_COMPONENTS.get(colour, 0), bits)
        yield kind, begin, end
        place = end + 4
        if kind == b"IEND":
            return


def _png_text(kind: bytes, chunk: bytes, name: str) -> tuple[str, str]:
    """Key and value of a text chunk, inflated up to the limit."""
    key, _, rest = chunk.partition(b"\0")
    packed = kind == b"zTXt"
    if kind == b"iTXt":
        packed, rest = rest[:1] == b"\1", rest[2:].split(b"\0", 2)[-1]
    elif packed:
        rest = rest[1:]
    if packed:
        try:
            rest = zlib.decompressobj().decompress(rest, MOST_TEXT + 1)
        except zlib.error as error:
            raise Malformed(name, "png-text", f"{key[:79]!r} cannot be inflated: {error}") from error
    if len(rest) > MOST_TEXT:
        raise TooLarge(name, "png-text", f"{key[:79]!r} holds more than {MOST_TEXT} bytes")
    return key.decode("latin-1"), rest.decode("utf-8" if kind == b"iTXt" else "latin-1", "replace")


def _jpeg(data: bytes, name: str) -> tuple[Header, NDArray[Any], list[Problem]]:
    scan = _check_jpeg(data, name)
    if data.count(b"\xff\xda", scan) > MOST_SCANS:
        raise TooLarge(name, "jpeg-scans", f"found more than {MOST_SCANS} scans")
    if data.rfind(END) < data.rfind(b"\xff\xda"):
        raise Malformed(name, "jpeg-end", f"found no end mark in {len(data)} bytes, expected FFD9", FETCH_AGAIN)
    return {}, _native(imagecodecs.jpeg8_decode(data)), []


def _check_jpeg(data: bytes, name: str) -> int:
    """Check the declared size; return where the first scan starts."""
    place, sized = 2, False
    while place + 4 <= len(data):
        mark, kind, length = struct.unpack_from(">BBH", data, place)
        if mark == kind == 0xFF:  # fill before a mark
            place += 1
            continue
        if mark != 0xFF or length < 2 or place + 2 + length > len(data):
            break
        if kind == 0xDA and sized:
            return place
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            if length < 8:
                break
            bits, height, width, components = struct.unpack_from(">BHHB", data, place + 4)
            _check_size(name, width, height, components, bits)
            sized = True
        place += 2 + length
    found = data[place : place + 4].hex(" ") or "the end"
    raise Malformed(name, "jpeg-marks", f"found {found} at byte {place}, expected a mark, a size and a scan")


def _jp2(data: bytes, name: str) -> tuple[Header, NDArray[Any], list[Problem]]:
    header: Header = {}
    problems: list[Problem] = []
    stream = stated = None
    for kind, begin, end in _boxes(data, name):
        if kind == b"xml ":
            try:
                header.update(_keywords(data[begin:end], name))
            except ElementTree.ParseError as error:
                problems.append(Problem(f"XML at byte {begin}", str(error)))
        elif kind == b"jp2h":
            stated = _stated(data[begin:end], name)
        elif kind == b"jp2c" and stream is None:
            stream = begin, end
    if stream is None:
        raise Malformed(name, "jp2-boxes", "found no codestream, expected a box jp2c")
    _check_codestream(data[slice(*stream)], name)
    _check_stated(stated, data[slice(*stream)], name)
    return header, _native(imagecodecs.jpeg2k_decode(data)), problems


def _boxes(data: bytes, name: str) -> Iterator[tuple[bytes, int, int]]:
    """Kind, first and last byte of each box of the file."""
    place = 0
    while place < len(data):
        if place + 8 > len(data):
            raise Malformed(name, "jp2-boxes", f"found {len(data) - place} bytes at {place}, expected a box")
        length, kind = struct.unpack_from(">I4s", data, place)
        begin = place + 8
        if length == 1 and place + 16 <= len(data):
            (length,), begin = struct.unpack_from(">Q", data, begin), place + 16
        end = place + length if length else len(data)
        if not begin <= end <= len(data):
            found = len(data) - place
            raise Malformed(name, "jp2-boxes", f"{kind!r} at byte {place}: found {found} bytes, expected {length}")
        yield kind, begin, end
        place = end


def _check_codestream(stream: bytes, name: str) -> None:
    """Check the declared size, depth and tiles, and that the end is there."""
    if not stream.startswith(CODESTREAM) or len(stream) < 42:
        raise Malformed(name, "jp2-siz", f"found {stream[:4].hex(' ')}, expected ff 4f ff 51 and 38 bytes more")
    words = struct.unpack_from(">HHIIIIIIIIH", stream, 4)
    x1, y1, x0, y0, tile_x, tile_y, tile_x0, tile_y0, components = words[2:]
    if components > MOST_COMPONENTS or len(stream) < 42 + 3 * components:
        raise TooLarge(name, "image-depth", f"found {components} components, expected up to {MOST_COMPONENTS}")
    bits = max((((stream[42 + 3 * i] & 0x7F) + 1) for i in range(components)), default=0)
    _check_size(name, x1 - x0, y1 - y0, components, bits)
    if tile_x < 1 or tile_y < 1 or tile_x0 > x0 or tile_y0 > y0:
        raise Malformed(name, "jp2-tiles", f"found tiles of {tile_x} x {tile_y} from {tile_x0}, {tile_y0}")
    tiles = -(-(x1 - tile_x0) // tile_x) * -(-(y1 - tile_y0) // tile_y)
    if tiles > MOST_TILES:
        raise TooLarge(name, "jp2-tiles", f"found {tiles} tiles, expected up to {MOST_TILES}")
    if not stream.endswith(END):
        raise Malformed(name, "jp2-end", f"found {stream[-2:].hex(' ')} at the end, expected ff d9")


def _stated(box: bytes, name: str) -> tuple[int, ...] | None:
    """Height, width, components and bits that the header of the file states; None where it has none."""
    for kind, begin, end in _boxes(box, name):
        if kind == b"ihdr" and end - begin == 14:
            return struct.unpack_from(">IIHB", box, begin)
    return None


def _check_stated(stated: tuple[int, ...] | None, stream: bytes, name: str) -> None:
    """Compare what the file states with what its codestream does; 255 bits are several kinds."""
    x1, y1, x0, y0 = struct.unpack_from(">IIII", stream, 8)
    (components,) = struct.unpack_from(">H", stream, 40)
    found = y1 - y0, x1 - x0, components, stream[42]
    if stated is None or stated[:3] != found[:3] or stated[3] not in (found[3], 255):
        raise Malformed(name, "jp2-ihdr", f"found {found} in the codestream, expected {stated} as the file states")


def _keywords(box: bytes, name: str) -> Header:
    """The leaves of an XML header, without its root; a repeated one joins its lines."""
    if len(box) > MOST_TEXT:
        raise TooLarge(name, "jp2-xml", f"found {len(box)} bytes of XML, expected up to {MOST_TEXT}")
    text = box.rstrip(b"\0").decode("utf-8", "replace")
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise Forbidden(name, "jp2-xml", "the XML header declares a document type, expected plain elements")
    leaves: dict[str, list[str]] = {}
    nodes = [(child, "") for child in reversed(list(ElementTree.fromstring(text)))]
    while nodes:
        node, above = nodes.pop()
        if len(above) > 200:
            raise Malformed(name, "jp2-xml", "found elements nested past 200 characters of names")
        if len(node):
            below = above if node.tag == "fits" else f"{above}{node.tag}."
            nodes.extend((child, below) for child in reversed(list(node)))
        else:
            leaves.setdefault(above + node.tag, []).append((node.text or "").strip())
    return {key: _value(texts[0]) if len(texts) == 1 else "\n".join(texts) for key, texts in leaves.items()}


def _value(text: str) -> str | int | float:
    """A number where the text is one."""
    if INTEGER.fullmatch(text):
        return int(text)
    return float(text) if REAL.fullmatch(text) else text


def _listed(kinds: list[bytes]) -> str:
    """The first few kinds of chunk, for a message."""
    return ", ".join(repr(kind)[2:-1] for kind in kinds[:6]) or "nothing"
