"""What goes between a statement's process and its parent."""

import io
import json
import struct
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any

from lake.log import Snapshot

HEAD = struct.Struct(">cQ")
# Kinds of messages: the child asks for bytes, answers, or tells an error; the parent gives bytes, or has none.
ASK, ANSWER, ERROR, BYTES, NONE = b"q", b"a", b"e", b"b", b"n"
BLOCK = 1 << 20
MOST_ASKED = 256 << 20


@dataclass(frozen=True)
class Limits:
    """What one statement may cost.

    Attributes
    ----------
    seconds : from the start of its process to the last row [s].
    memory : address space of its process; DuckDB's own buffers get a quarter of it [byte].
    rows, result : of the answer; `result` is its size in Arrow's format [byte].
    text : length of the statement [characters].
    """

    seconds: float = 30.0
    memory: int = 2 << 30
    rows: int = 100_000
    result: int = 32 << 20
    text: int = 100_000


@dataclass(frozen=True)
class Job:
    """A statement and the snapshot it is asked of.

    Attributes
    ----------
    folder : the lake's root; empty where the parent gives the bytes.
    """

    snapshot: Snapshot
    folder: str
    text: str
    params: Mapping[str, Any]
    limits: Limits


class Channel:
    """Messages over two pipes, each a kind, a length and that many bytes."""

    def __init__(self, reads: IO[bytes], writes: IO[bytes], most: int = 1 << 62) -> None:
        self._reads, self._writes, self._most = reads, writes, most
        self._turn = threading.Lock()

    def asked(self, kind: bytes, content: bytes) -> tuple[bytes, bytes]:
        """The other side's answer to a message, one thread after another."""
        with self._turn:
            self.send(kind, content)
            return self.receive()

    def send(self, kind: bytes, content: bytes = b"") -> None:
        """Write one message."""
        self._writes.write(HEAD.pack(kind, len(content)))
        self._writes.write(content)
        self._writes.flush()

    def receive(self) -> tuple[bytes, bytes]:
        """The next message.

        Raises
        ------
        EOFError
            The other side is gone.
        ValueError
            The message is longer than it may be.
        """
        kind, length = HEAD.unpack(self._exactly(HEAD.size))
        if length > self._most:
            raise ValueError(f"a message of {length} bytes, expected at most {self._most}")
        return kind, self._exactly(length)

    def _exactly(self, n: int) -> bytes:
        content = self._reads.read(n)
        if len(content) < n:
            raise EOFError(f"{len(content)} bytes of {n}")
        return content


class AskedFile(io.RawIOBase):
    """A file whose bytes the parent gives, some at a time."""

    def __init__(self, channel: Channel, path: str, size: int) -> None:
        self._channel, self._path, self._size, self._place = channel, path, size, 0

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a place."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        self._place = max(0, start + offset)
        return self._place

    def readinto(self, buffer: Any) -> int:
        """Bytes from the present place on; FileNotFoundError where the parent has none."""
        n = max(0, min(len(buffer), self._size - self._place))
        if not n:
            return 0
        kind, content = self._channel.asked(ASK, json.dumps([self._path, self._place, n]).encode())
        if kind != BYTES:
            raise FileNotFoundError(self._path)
        buffer[: len(content)] = content
        self._place += len(content)
        return len(content)
