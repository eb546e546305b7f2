"""PNG, JPEG and JPEG 2000 files, true ones and ones that lie about their size."""

import struct
import zlib
from io import BytesIO

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image

PNG = b"\x89PNG\r\n\x1a\n"


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(pixels: NDArray[np.generic], *chunks: bytes) -> bytes:
    """An image, with other chunks after its header."""
    data = bytes(imagecodecs.png_encode(pixels))
    return data[:33] + b"".join(chunks) + data[33:]


def png_claiming(width: int, height: int, bits: int = 8, colour: int = 0) -> bytes:
    """A few bytes that declare an image of any size."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    return PNG + header + chunk(b"IDAT", zlib.compress(b"\0" * 10)) + chunk(b"IEND", b"")


def jpeg(pixels: NDArray[np.generic]) -> bytes:
    """An image, grey or in three colours."""
    return bytes(imagecodecs.jpeg8_encode(pixels))


def jpeg_claiming(width: int, height: int, data: bytes) -> bytes:
    """A JPEG image whose frame header declares another size."""
    place = data.index(b"\xff\xc0")
    return data[: place + 5] + struct.pack(">HH", height, width) + data[place + 9 :]


def box(kind: bytes, data: bytes) -> bytes:
    """A box of a JPEG 2000 file."""
    return struct.pack(">I4s", 8 + len(data), kind) + data


def jp2(pixels: NDArray[np.generic], *boxes: bytes) -> bytes:
    """An image without loss, with other boxes before its codestream."""
    out = BytesIO()
    Image.fromarray(pixels).save(out, "JPEG2000", irreversible=False)
    data = out.getvalue()
    place = data.index(b"jp2c") - 4
    return data[:place] + b"".join(boxes) + data[place:]


def jp2_claiming(data: bytes, **words: int) -> bytes:
    """A JPEG 2000 file with other numbers after its mark SIZ."""
    names = ("width", "height", "x0", "y0", "tile_width", "tile_height", "tile_x0", "tile_y0")
    place = data.index(b"\xff\x4f\xff\x51") + 8
    numbers = list(struct.unpack_from(">8IH", data, place))
    for name, value in words.items():
        numbers[8 if name == "components" else names.index(name)] = value
    return data[:place] + struct.pack(">8IH", *numbers) + data[place + 34 :]
