"""What is done to every file before a reader sees it: hashed as it lies, inflated under limits."""

import bz2
import hashlib
import os
import tempfile
import zlib
from io import BufferedReader
from typing import BinaryIO, cast

from isal import igzip, isal_zlib

from lake.errors import FETCH_AGAIN, Malformed, TooLarge

HEAD = 4096
MOST = 2 << 30
# A file inflates to more than this many times its size only while it is small.
MOST_RATIO = 250
SMALL = 64 << 20
IN_MEMORY = 256 << 20
BLOCK = 1 << 20
GZIP, BZIP2 = b"\x1f\x8b\x08", b"BZh"
OPENERS = {GZIP: igzip.open, BZIP2: bz2.open}
DAMAGE: tuple[type[Exception], ...] = (
    EOFError,
    OSError,
    ValueError,
    zlib.error,
    cast("type[Exception]", isal_zlib.error),
)


def sha256_of(raw: BinaryIO) -> str:
    """The SHA-256 of a stream from its start, which is also where it is left."""
    raw.seek(0)
    digest = hashlib.file_digest(cast(BufferedReader, raw), "sha256").hexdigest()
    raw.seek(0)
    return digest


def inflated(raw: BinaryIO, name: str, most: int = MOST) -> BinaryIO:
    """A seekable stream of what a file holds, one layer of gzip or bzip2 taken off.

    Parameters
    ----------
    raw : an opened file.
    name : for messages.
    most : bytes it may have or inflate to [byte].

    Returns
    -------
    The same bytes under another handle where nothing is compressed; else in memory up to 256 MiB, then in a temporary
    file that goes when it is closed.

    Raises
    ------
    TooLarge
        It has, or inflates to, more than `most`, or to more than 250 times its size.
    Malformed
        The compressed stream is damaged or ends too early.
    """
    size = os.fstat(raw.fileno()).st_size
    if size > most:
        raise TooLarge(name, "size", f"found {size} bytes, expected at most {most}")
    raw.seek(0)
    opener = OPENERS.get(raw.read(3))
    raw.seek(0)
    if opener is None:
        plain = os.fdopen(os.dup(raw.fileno()), "rb")
        plain.seek(0)
        return plain
    # An IOBase in all that readers use of it.
    out = cast(BinaryIO, tempfile.SpooledTemporaryFile(max_size=IN_MEMORY))  # noqa: SIM115
    try:
        with opener(raw) as stream:
            _copy(cast(BinaryIO, stream), out, name, size, most)
    except BaseException:
        out.close()
        raise
    out.seek(0)
    return out


def _copy(stream: BinaryIO, out: BinaryIO, name: str, size: int, most: int) -> None:
    total = 0
    while block := _block(stream, name, total, size):
        total += len(block)
        if total > most or (total > SMALL and total > MOST_RATIO * size):
            raise TooLarge(name, "inflate", f"at least {total} bytes out of {size}, expected at most {most}")
        out.write(block)


def _block(stream: BinaryIO, name: str, total: int, size: int) -> bytes:
    try:
        return stream.read(BLOCK)
    except DAMAGE as error:
        detail = f"damaged after {total} inflated bytes of {size} stored: {error}"
        raise Malformed(name, "inflate", detail, FETCH_AGAIN if isinstance(error, EOFError) else "") from error


def first_bytes(raw: BinaryIO) -> bytes:
    """The first bytes of what a file holds, as many as can be had up to 4096."""
    stored = raw.read(BLOCK)
    try:
        if stored.startswith(GZIP):
            return zlib.decompressobj(31).decompress(stored, HEAD)
        if stored.startswith(BZIP2):
            return bz2.BZ2Decompressor().decompress(stored, HEAD)
    except DAMAGE:
        return b""
    return stored[:HEAD]
