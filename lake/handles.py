"""Files as DuckDB reads them: threads that share one handle, each moving to a place and reading there.

DuckDB takes its turns with Python between the two, so on a file with one position a thread may be given the bytes of
another's place.
"""

import threading
from typing import Any, BinaryIO

from fsspec import AbstractFileSystem


class SharedFile:
    """A file that every thread reads from a position of its own; dropped, as DuckDB leaves it, it is closed."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._lock, self._own, self._last = file, threading.Lock(), threading.local(), 0

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move to a place from the start (0), from here (1) or from the end (2)."""
        if whence:
            with self._lock:
                offset += self.tell() if whence == 1 else self._file.seek(0, 2)
        self._own.place = self._last = offset
        return offset

    def tell(self) -> int:
        """Where this thread is."""
        place: int = getattr(self._own, "place", self._last)
        return place

    def read(self, n: int = -1) -> bytes:
        """Bytes from this thread's place on."""
        with self._lock:
            self._file.seek(self.tell())
            content = self._file.read(n)
        self.seek(self.tell() + len(content))
        return content

    def close(self) -> None:
        """Close it for all."""
        self._file.close()

    def __del__(self) -> None:
        self.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


class SharedFiles(AbstractFileSystem):  # type: ignore[misc]
    """Another file system as it is, but for files opened to be read: many threads may share one."""

    cachable = False

    def __init__(self, inner: AbstractFileSystem) -> None:
        self._inner = inner

    def open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        """A file of the other file system."""
        file = self._inner.open(path, mode, **options)
        return SharedFile(file) if mode == "rb" else file

    def __getattribute__(self, name: str) -> Any:
        if name in ("open", "_inner") or name.startswith("__"):
            return super().__getattribute__(name)
        return getattr(self._inner, name)
