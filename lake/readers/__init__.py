"""The front door of files: bytes in, one Source out, whatever the format.

A reader is a module of this package that defines `recognises(head) -> bool` and `read(stream, name) -> Content`.
Nothing lists them: they are found here and asked in turn. No other place turns what a library throws into our errors.

Where files come from strangers, `read(path, apart=True)` decodes in a child process whatever code written in C would
decode: every format, but for files of which the reader's `read_plain(stream, name)` says that Python and NumPy do. Such
are plain FITS, PGM and classic netCDF; `read_plain` gives None for the others (compressed tiles, HDF5), and a reader
without it always goes to the child. Hashing, gzip and bzip2 stay here, under the limits of `guards`. A reader's
`CPU_S` are the seconds of the processor that a file of its may take there. The lake's own ways in, `lake run` and
`lake.intake`, read apart; without the word nothing but this process is needed, for files that one trusts.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, BinaryIO

from lake.errors import Forbidden, Malformed, Refused, SourceError
from lake.readers.guards import HEAD, MOST, first_bytes, inflated, sha256_of
from lake.source import Content, Source

__all__ = ["read", "recognised"]


def read(path: str | os.PathLike[str], most: int = MOST, *, apart: bool = False) -> Source:
    """A local file, read whole by the reader that recognises its first bytes.

    Parameters
    ----------
    path : a regular file of this machine; an address of the network is forbidden.
    most : bytes it may have, or inflate to [byte].
    apart : whether decoders written in C run in a child process, with the same result.

    Raises
    ------
    SourceError
        The file is missing or can't be opened.
    Refused
        It is too large, not what it claims, or no reader knows it; or the child ended over it.
    OSError
        The child can't start, or its disk is full: no fault of the file.
    """
    local = _local(path)
    with _opened(local) as raw:
        before = os.fstat(raw.fileno())
        sha256 = sha256_of(raw)
        with closing(inflated(raw, local.name, most)) as stream:
            name, reader = _reader(stream, local.name)
            content = _content(reader, "read_plain" if apart else "read", stream, local.name)
            if content is None:
                content = _apart(reader, name, local, most, before)
        after = os.fstat(raw.fileno())
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise SourceError(f"{local.name}: changed while it was read; had {before.st_size} bytes, has {after.st_size}")
    return Source(str(local), sha256, before.st_size, name, content)


def recognised(path: str | os.PathLike[str]) -> str | None:
    """The name of the reader that knows a file by its first bytes, or None; nothing more of it is read.

    Raises
    ------
    SourceError
        The file is missing or can't be opened.
    """
    local = _local(path)
    with _opened(local) as raw:
        head = first_bytes(raw)
    return next((name for name, reader in _readers() if reader.recognises(head)), None)


def _local(path: str | os.PathLike[str]) -> Path:
    if "://" in os.fspath(path):
        raise Forbidden(path, "local-file", "an address of the network; readers take local files only")
    return Path(path)


def _opened(path: Path) -> BinaryIO:
    """The file, opened where it is a regular one; pipes and devices would block or never end."""
    try:
        if path.exists() and not path.is_file():
            raise SourceError(f"{path.name}: not a regular file")
        return path.open("rb")
    except FileNotFoundError as error:
        raise SourceError(f"{path.name}: no such file in {path.parent}") from error
    except (OSError, ValueError) as error:
        if isinstance(error, SourceError):
            raise
        raise SourceError(f"{path.name}: can't be opened: {error}") from error


def _readers() -> Iterator[tuple[str, Any]]:
    """Reader modules of this package by name, each imported only when it is asked for."""
    for found in iter_modules(__path__):
        module = import_module(f"{__name__}.{found.name}")
        if hasattr(module, "recognises"):
            yield found.name, module


def _reader(stream: BinaryIO, name: str) -> tuple[str, Any]:
    head = stream.read(HEAD)
    stream.seek(0)
    if not head:
        raise Malformed(name, "empty", "found 0 bytes, expected a file with content")
    for kind, reader in _readers():
        if reader.recognises(head):
            return kind, reader
    kinds = ", ".join(kind for kind, _ in _readers())
    raise Malformed(name, "magic", f"begins with {head[:8]!r} at byte 0, expected one of {kinds}")


def decoded(path: Path, kind: str, most: int, identity: Sequence[int]) -> Content:
    """What the reader of a name finds in a file: the half of `read` that runs in the child.

    Raises
    ------
    SourceError
        As `read` does; or the file is another than the parent opened.
    """
    with _opened(path) as raw:
        if _identity(os.fstat(raw.fileno())) != list(identity):
            raise SourceError(f"{path.name}: changed while it was read; another file has its name")
        with closing(inflated(raw, path.name, most)) as stream:
            content = _content(import_module(f"{__name__}.{kind}"), "read", stream, path.name)
    assert content is not None
    return content


def _apart(reader: Any, kind: str, path: Path, most: int, status: os.stat_result) -> Content:
    from lake.readers.child import CPU_S, children

    return children().content(path, kind, most, getattr(reader, "CPU_S", CPU_S), _identity(status))


def _identity(status: os.stat_result) -> list[int]:
    return [status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns]


def _content(reader: Any, act: str, stream: BinaryIO, name: str) -> Content | None:
    """What a reader finds; None where it has no such way."""
    try:
        content: Content | None = getattr(reader, act, _nothing)(stream, name)
    except Refused:
        raise
    except Exception as error:
        kind = reader.__name__.rpartition(".")[2]
        raise Malformed(name, kind, f"{type(error).__name__}: {error}") from error
    return content


def _nothing(stream: BinaryIO, name: str) -> None:
    """The plain way of a reader that has none."""
