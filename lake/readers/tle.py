"""Two-line elements: orbits as the space catalogue publishes them, with or without a line of the name."""

import re
from typing import BinaryIO

import numpy as np

from lake.errors import Malformed, TooLarge
from lake.source import Content, Part, Problem

MOST = 64 << 20
MOST_TEXT = 256 << 20
LENGTH = 69
STARTS = ("1", "2")
BEGINNING = re.compile(rb"(?:[^\n]{0,80}\r?\n)?1 \d{5}[A-Z ] [^\n]{50,62}\r?\n2 \d{5} ")


def recognises(head: bytes) -> bool:
    """Whether a file begins with the two lines of an orbit."""
    return BEGINNING.match(head) is not None


def read(stream: BinaryIO, name: str) -> Content:
    """The lines as one part, LINES, with the column `line`; what they mean is left to who asks.

    Lines of elements, which begin with 1 or 2 and a blank, are left out where they have not 69 characters or another
    checksum than they state.

    Raises
    ------
    Malformed
        There is a byte that is no ASCII, or no line of elements is whole.
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
    own = [number for number, line in enumerate(lines) if line[:2].strip() in STARTS]
    broken = [number for number in own if not _is_whole(lines[number].rstrip())]
    if len(broken) == len(own):
        raise Malformed(name, "tle-lines", f"found {len(broken)} lines of elements, none with its length and checksum")
    gone = set(broken)
    kept = [line for number, line in enumerate(lines) if number not in gone]
    reason = f"line of elements without {LENGTH} characters or its checksum"
    problems = (Problem(f"line {broken[0] + 1}", reason, len(broken)),) if broken else ()
    return Content({}, (Part("LINES", columns={"line": np.array(kept, np.str_)}),), problems)


def read_plain(stream: BinaryIO, name: str) -> Content:
    """The same: no code but Python's own decodes it."""
    return read(stream, name)


def _is_whole(line: str) -> bool:
    """Whether a line has its length, and ends in the last digit of the sum of its digits, where a minus counts 1."""
    return len(line) == LENGTH and line[-1] == str(sum(int(c) if c.isdigit() else c == "-" for c in line[:-1]) % 10)
