"""FITS: images, compressed images, binary and ASCII tables.

Every HDU with data is a part, and every extension without; a primary header alone is the file's. Headers keep COMMENT
and HISTORY joined by newlines, the first of a repeated keyword, and times as they are written.
"""

from collections.abc import Iterator, Mapping
from math import prod
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from lake.errors import Refused
from lake.readers.fits_fields import scaling
from lake.readers.fits_guard import Hdu, walk
from lake.readers.fits_table import binary_columns, scaled, text_columns
from lake.readers.fits_tiles import image_header, tiled_pixels
from lake.source import Content, Part, Problem

PIXELS = {8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
# Letters of table columns with the same items, which name the other signedness.
LETTERS = {8: "B", 16: "I", 32: "J", 64: "K"}

ONES = (1 << 32) - 1


def recognises(head: bytes) -> bool:
    """Whether a file begins with the first card of FITS."""
    return head.startswith(b"SIMPLE  =")


def read(stream: BinaryIO, name: str) -> Content:
    """The HDUs of a FITS file; a damaged one is left out and told of, where another is good.

    An HDU whose data differ from their DATASUM is told of as well, and kept. CHECKSUM is not looked at: every tool that
    adds a keyword makes it stale.

    Raises
    ------
    Refused
        There is damage, and nothing good beside it.
    """
    return _content(stream, *walk(stream, name))


def read_plain(stream: BinaryIO, name: str) -> Content | None:
    """The same, where no image is compressed; None where one is."""
    hdus, damage = walk(stream, name)
    return None if any(map(_is_tiled, hdus)) else _content(stream, hdus, damage)


def _is_tiled(hdu: Hdu) -> bool:
    return hdu.header.get("ZIMAGE") is True and hdu.kind == "BINTABLE"


def _content(stream: BinaryIO, hdus: list[Hdu], damage: Refused | None) -> Content:
    """The HDUs that were found, decoded."""
    parts: list[Part] = []
    doubts: list[Problem] = []
    wrong: list[tuple[Hdu, Refused]] = []
    for hdu in hdus:
        if hdu.number == 0 and hdu.size == 0:
            continue
        try:
            stream.seek(hdu.start)
            data = stream.read(hdu.size)
            parts.append(_part(hdu, data, parts))
            doubts.extend(_doubts(hdu, data, stream.read(hdu.end - hdu.start - hdu.size)))
        except Refused as error:
            wrong.append((hdu, error))
        # Codecs throw anything; one HDU they choke on does not spoil the others.
        except Exception as error:
            refusal = hdu.malformed("fits-decode", f"{type(error).__name__}: {error}")
            refusal.__cause__ = error
            wrong.append((hdu, refusal))
    if damage is not None:
        wrong.append((Hdu(hdus[0].file, len(hdus)), damage))
    if wrong and not parts:
        raise wrong[0][1]
    return Content(hdus[0].header, tuple(parts), (*(_problem(hdu, error) for hdu, error in wrong), *doubts))


def _doubts(hdu: Hdu, data: bytes, padding: bytes) -> Iterator[Problem]:
    """Whether the header has bytes that it may not, or the data differ from their DATASUM.

    Archives leave a DATASUM as it was when they change a file.
    """
    if hdu.n_strange:
        yield Problem(hdu.place, f"found {hdu.n_strange} bytes of header that are no printable ASCII; kept", 0)
    stated = str(hdu.header.get("DATASUM", "")).strip()
    if stated.isdecimal() and len(stated) <= 10:
        found = _sum32(data, padding)
        if (found - int(stated)) % ONES:
            yield Problem(hdu.place, f"found data that sum to {found}, expected DATASUM {stated}; kept", 0)


def _sum32(data: bytes, padding: bytes) -> int:
    """The sum of all four-byte words, the carry added at the other end."""
    n = len(data) // 4
    rest = data[4 * n :] + padding
    words = np.frombuffer(data, ">u4", n), np.frombuffer(rest + bytes(-len(rest) % 4), ">u4")
    total = sum(int(w.sum(dtype=np.uint64)) for w in words)
    return (total - 1) % ONES + 1 if total else 0


def _problem(hdu: Hdu, error: Refused) -> Problem:
    """What was wrong with an HDU, whose place the message may name already."""
    place, colon, reason = error.detail.partition(": ")
    return Problem(place, reason) if colon else Problem(hdu.place, error.detail)


def _part(hdu: Hdu, data: bytes, before: list[Part]) -> Part:
    """One HDU, decoded."""
    if hdu.kind == "BINTABLE" and hdu.truth("ZTABLE"):
        raise hdu.malformed("fits-kind", "found a tile-compressed table, expected a plain one")
    if hdu.kind == "BINTABLE" and hdu.truth("ZIMAGE"):
        header = image_header(hdu)
        image = Hdu(hdu.file, hdu.number, header)
        return _image(image, tiled_pixels(hdu, data), before)
    version = _version(hdu, before)
    if hdu.kind == "BINTABLE":
        columns = binary_columns(hdu, data)
        return Part(hdu.name, version, hdu.header, columns, _units(hdu, list(columns)))
    if hdu.kind == "TABLE":
        columns, units = text_columns(hdu, data)
        return Part(hdu.name, version, hdu.header, columns, units)
    if hdu.kind != "IMAGE" or hdu.header.get("GROUPS") is True:
        raise hdu.malformed("fits-kind", f"found {hdu.kind}, expected an image or a table")
    return _image(hdu, _stored(hdu, data), before)


def _version(hdu: Hdu, before: list[Part]) -> int:
    """EXTVER, or how many of this name there are up to here."""
    stated = hdu.header.get("EXTVER")
    if isinstance(stated, int) and not isinstance(stated, bool):
        return stated
    return 1 + sum(part.name == hdu.name for part in before)


def _units(hdu: Hdu, names: list[str]) -> Mapping[str, str]:
    stated = {name: str(hdu.header.get(f"TUNIT{i}") or "").strip() for i, name in enumerate(names, 1)}
    return {name: unit for name, unit in stated.items() if unit}


def _stored(hdu: Hdu, data: bytes) -> NDArray[Any] | None:
    """The stored pixels, not yet scaled."""
    axes = hdu.axes()
    if not axes or not prod(axes):
        return None
    return np.frombuffer(data, PIXELS[hdu.header["BITPIX"]], prod(axes)).reshape(axes[::-1])


def _image(hdu: Hdu, stored: NDArray[Any] | None, before: list[Part]) -> Part:
    """An image scaled by BSCALE and BZERO; integers that declare a BLANK become real numbers, NaN where it stands."""
    unit = str(hdu.header.get("BUNIT") or "").strip()
    units = {"pixels": unit} if unit else {}
    version = _version(hdu, before)
    if stored is None:
        return Part(hdu.name, version, hdu.header, {}, units)
    scale, zero = scaling(hdu, "BSCALE", "BZERO")
    bitpix = hdu.header["BITPIX"]
    kind = np.float64 if bitpix in (32, 64, -64) else np.float32
    pixels = scaled(stored, LETTERS.get(bitpix, ""), scale, zero, kind)
    if bitpix > 0 and "BLANK" in hdu.header:
        pixels = pixels.astype(kind, copy=False)
        pixels[stored == hdu.whole("BLANK", least=-(1 << 63))] = np.nan
    return Part(hdu.name, version, hdu.header, {}, units, pixels)
