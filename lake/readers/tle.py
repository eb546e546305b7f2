"""Two-line elements: orbits as the space catalogue publishes them, with or without a line of the name."""

import re
from typing import BinaryIO

import numpy as np

from lake.errors import Malformed, TooLarge
from lake.source import Content, Part

MOST = 64 << 20
MOST_TEXT = 256 << 20
BEGINNING = re.compile(rb"(?:[^\n]{0,80}\r?\n)?1 \d{5}[A-Z ] [^\n]{50,62}\r?\n2 \d{5} ")


def recognises(head: bytes) -> bool:
    """Whether a file begins with the two lines of an orbit."""
    return BEGINNING.match(head) is not None


def read(stream: BinaryIO, name: str) -> Content:
    """The lines as one part, LINES, with the column `line`; what they mean is left to who asks.

    Raises
    ------
    Malformed
        There is a byte that is no ASCII.
    TooLarge
        It has more than 64 MiB, or its lines need more than 256 MiB.
    """
    text = stream.read(MOST + 1)
    if len(text) > MOST:
        raise TooLarge(name, "tle-bytes", f"found more than {MOST} bytes")
    if not text.isascii():
        raise Malformed(name, "tle-ascii", "found a byte that is no ASCII")
    lines = text.decode("ascii").splitlines()
    # NumPy gives every line the room of the longest, 4 bytes a character.
    if 4 * (longest := max(map(len, lines))) * len(lines) > MOST_TEXT:
        raise TooLarge(name, "tle-text", f"found {len(lines)} lines of up to {longest} characters")
    return Content({}, (Part("LINES", columns={"line": np.array(lines, np.str_)}),))


def read_plain(stream: BinaryIO, name: str) -> Content:
    """The same: no code but Python's own decodes it."""
    return read(stream, name)
