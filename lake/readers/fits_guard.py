"""Where the HDUs of a FITS file lie, found by arithmetic on bounded headers before anything is decoded."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any, BinaryIO

from astropy.io.fits import Card
from astropy.io.fits.verify import VerifyError

from lake.errors import FETCH_AGAIN, Malformed, Refused, TooLarge

BLOCK, CARD = 2880, 80
MOST_CARDS = 100_000
# Of all headers of a file together.
MOST_HEADER_BYTES = 80 << 20
MOST_HDUS = 1024
MOST_STRING = 64 << 10
MOST_BYTES = 4 << 30
BITPIX = (8, 16, 32, 64, -32, -64)
# Outside printable ASCII: controls are blanks, the rest question marks.
PRINTABLE = bytes(c if 32 <= c < 127 else 32 if c < 32 else ord("?") for c in range(256))
KNOWN = bytes(range(32, 127))
NOT_A_NUMBER = re.compile(r"[+-]?(nan|inf|infinity)", re.IGNORECASE)


@dataclass(frozen=True)
class Hdu:
    """One header and where its data lie.

    Attributes
    ----------
    file, number : name of the file, place in it from 0.
    header : its keywords; the first of a repeated one.
    start, size : first byte and number of bytes of the data, without padding.
    n_strange : bytes of the header that no FITS header may have.
    """

    file: str
    number: int
    header: Mapping[str, Any] = field(default_factory=dict)
    start: int = 0
    size: int = 0
    n_strange: int = 0

    @property
    def name(self) -> str:
        """EXTNAME, or the empty string."""
        return str(self.header.get("EXTNAME") or "").strip()

    @property
    def place(self) -> str:
        """How messages call it."""
        return f"HDU {self.number} {self.name}".rstrip()

    @property
    def kind(self) -> str:
        """IMAGE, BINTABLE, TABLE or what else XTENSION says."""
        kind = str(self.header.get("XTENSION", "IMAGE")).strip()
        return {"A3DTABLE": "BINTABLE", "IUEIMAGE": "IMAGE"}.get(kind, kind)

    @property
    def end(self) -> int:
        """Where the next HDU begins."""
        return self.start + -(-self.size // BLOCK) * BLOCK

    def malformed(self, rule: str, detail: str, hint: str = "") -> Malformed:
        """The error that says what is wrong in this HDU."""
        return Malformed(self.file, rule, f"{self.place}: {detail}", hint)

    def too_large(self, rule: str, n_bytes: int, most: int = MOST_BYTES) -> TooLarge:
        """The error that says this HDU asks for too much."""
        return TooLarge(self.file, rule, f"{self.place}: found {n_bytes} bytes declared, expected at most {most}")

    def whole(self, key: str, default: int | None = None, least: int = 0, most: int = 1 << 63) -> int:
        """A keyword that must be a whole number within bounds."""
        value = self.header.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise self.malformed("fits-header", f"found {key} = {value!r}, expected a whole number of {least} or more")
        return value

    def truth(self, key: str) -> bool:
        """A keyword that is T or F, and F where it is absent."""
        value = self.header.get(key, False)
        if not isinstance(value, bool):
            raise self.malformed("fits-header", f"found {key} = {value!r}, expected T or F")
        return value

    def axes(self, prefix: str = "NAXIS") -> tuple[int, ...]:
        """NAXIS1, NAXIS2 … of the image, or ZNAXIS1 … of a compressed one."""
        n = self.whole(prefix, most=32)
        return tuple(self.whole(f"{prefix}{i}") for i in range(1, n + 1))

    def item_bytes(self, key: str = "BITPIX") -> int:
        """Bytes of a pixel."""
        bitpix = self.whole(key, least=-64)
        if bitpix not in BITPIX:
            raise self.malformed("fits-bitpix", f"found {key} = {bitpix}, expected one of {BITPIX}")
        return abs(bitpix) // 8


def walk(stream: BinaryIO, name: str) -> tuple[list[Hdu], Refused | None]:
    """The HDUs that lie whole in a file, and what is wrong with the one after them.

    Raises
    ------
    Refused
        The first HDU is already wrong, or there are too many.
    """
    length = stream.seek(0, 2)
    hdus: list[Hdu] = []
    at = header_bytes = 0
    while at < length:
        if len(hdus) == MOST_HDUS:
            raise TooLarge(name, "fits-hdus", f"found more than {MOST_HDUS} HDUs")
        try:
            hdu = _hdu_at(stream, at, Hdu(name, len(hdus)), length)
        except Refused as error:
            if not hdus:
                raise
            return hdus, error
        if hdu is None:
            break
        header_bytes += hdu.start - at
        if header_bytes > MOST_HEADER_BYTES:
            raise TooLarge(name, "fits-cards", f"found {header_bytes} bytes of headers, expected {MOST_HEADER_BYTES}")
        hdus.append(hdu)
        at = hdu.end
    return hdus, None


def _hdu_at(stream: BinaryIO, at: int, hdu: Hdu, length: int) -> Hdu | None:
    """The HDU that begins here; None where only padding follows."""
    stream.seek(at)
    first = stream.read(BLOCK)
    if hdu.number and not first.strip(b"\0 "):
        return None
    if not first.startswith(b"XTENSION" if hdu.number else b"SIMPLE  ="):
        wanted = "XTENSION" if hdu.number else "SIMPLE"
        raise hdu.malformed("fits-header", f"found {first[:8]!r} at byte {at}, expected {wanted}")
    cards, n_bytes, n_strange = _cards(stream, first, hdu)
    found = replace(hdu, header=_header(cards, hdu), start=at + n_bytes, n_strange=n_strange)
    axes = found.axes()
    # A random-groups file says NAXIS1 = 0 and means the axes after it.
    counted = axes[1:] if axes[:1] == (0,) and found.truth("GROUPS") else axes
    values = found.whole("PCOUNT", 0) + prod(counted) if axes else 0
    size = found.item_bytes() * found.whole("GCOUNT", 1) * values
    if size > MOST_BYTES:
        raise found.too_large("fits-size", size)
    if found.start + size > length:
        detail = f"found {max(length - found.start, 0)} bytes of data, expected {size}"
        raise found.malformed("fits-size", detail, FETCH_AGAIN)
    return replace(found, size=size)


def _cards(stream: BinaryIO, block: bytes, hdu: Hdu) -> tuple[list[str], int, int]:
    """Cards before END, the bytes that the header takes, and those of them that are not printable."""
    cards: list[str] = []
    n_bytes = n_strange = 0
    while True:
        n_bytes += BLOCK
        if len(block) < BLOCK:
            detail = f"found {n_bytes - BLOCK + len(block)} bytes of header and no END"
            raise hdu.malformed("fits-end", detail, FETCH_AGAIN)
        n_strange += len(block.translate(None, KNOWN))
        text = block.translate(PRINTABLE).decode("ascii")
        for i in range(0, BLOCK, CARD):
            card = text[i : i + CARD]
            if card[:8] == "END     ":
                return cards, n_bytes, n_strange
            cards.append(card)
        if len(cards) > MOST_CARDS:
            raise TooLarge(hdu.file, "fits-cards", f"{hdu.place}: found more than {MOST_CARDS} cards and no END")
        block = stream.read(BLOCK)


def _header(cards: list[str], hdu: Hdu) -> dict[str, Any]:
    """Keywords and values; COMMENT and HISTORY joined by newlines, text without a keyword left out."""
    header: dict[str, Any] = {}
    remarks: dict[str, list[str]] = {"COMMENT": [], "HISTORY": []}
    for text in _joined(cards, hdu):
        word = text[:8].rstrip()
        if word in remarks:
            remarks[word].append(text[8:].rstrip())
        elif "= " in text[:10] or (text.startswith("HIERARCH ") and "=" in text[:CARD]):
            key, value = _key_value(text)
            header.setdefault(key, value)
    return header | {word: "\n".join(lines) for word, lines in remarks.items() if lines}


def _joined(cards: list[str], hdu: Hdu) -> list[str]:
    """Cards with those that continue their string behind them."""
    joined: list[list[str]] = []
    for card in cards:
        if card.startswith("CONTINUE  ") and joined:
            joined[-1].append(card)
            if len(joined[-1]) * CARD > MOST_STRING:
                raise TooLarge(hdu.file, "fits-string", f"{hdu.place}: {joined[-1][0][:8]} goes on for over 64 KiB")
        else:
            joined.append([card])
    return ["".join(lines) for lines in joined]


def _key_value(text: str) -> tuple[str, Any]:
    """Keyword and value of a card; a value that is not FITS is NaN, infinite, or its own text."""
    card = Card.fromstring(text)
    try:
        value = card.value
    except (VerifyError, ValueError):
        raw = text.partition("=")[2].partition("/")[0].strip().strip("'").strip()
        value = float(raw) if NOT_A_NUMBER.fullmatch(raw) else raw
    if not isinstance(value, str | int | float):
        value = str(value) if isinstance(value, complex) else None
    return str(card.keyword), value
