"""Where bytes lie: durable, write-once names in a folder, or in an object store as `lake.objects` has them.

A name is given once and never again: nothing here overwrites, but for `replace`, which is for disposable files. Each
step that changes the disk passes through `Storage.step`, the seam where the tests pull the plug.

What a power cut may take is all that was not fsynced: the bytes of a file by themselves, and each name in a folder by
itself. So nothing is named before its bytes are fsynced, and nothing rests on a name, ours or another writer's, before
every folder that leads to it is.
"""

import contextlib
import errno
import hashlib
import os
import re
import secrets
import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any

from lake.errors import CommitError, LakeError
from lake.redaction import has_secrets, without_secrets

Step = Callable[[str, str, bool], None]
"""Called with what is done (`write`, `fsync`, `link`, …), to which name, and whether it is done already."""

REFUSALS = {
    errno.ENOSPC: "no space left",
    errno.EDQUOT: "quota exceeded",
    errno.EROFS: "read-only file system",
    errno.EACCES: "permission denied",
    errno.EPERM: "not permitted",
    errno.ENOTSUP: "hard links are not supported",
    errno.EINVAL: "not supported by the file system",
    errno.EIO: "input/output error",
}
FULL = (errno.ENOSPC, errno.EDQUOT)
AS_IT_WAS = "the lake is as it was"
UNSURE = "whether it stands is not known; run the same again, no input is ever in twice"
MANY = 100_000
STAGED = re.compile(r"[0-9a-f]{16}")


def undisturbed(act: str, name: str, done: bool) -> None:
    """The step that lets everything pass."""


class Storage(ABC):
    """A tree of names; `name` is always relative, with `/` between its parts."""

    def __init__(self, step: Step = undisturbed) -> None:
        self._step = step

    @contextlib.contextmanager
    def step(self, act: str, name: str, otherwise: str = AS_IT_WAS) -> Iterator[None]:
        """One change of the disk: announced before and after; its failure, and how that leaves the lake, told."""
        try:
            self._step(act, name, False)
            yield
        except OSError as error:
            if isinstance(error, LakeError) or error.errno not in REFUSALS:
                raise
            hint = "lake gc --grace 0s" if error.errno in FULL else ""
            raise CommitError(f"{self.root}: {REFUSALS[error.errno]} at {act} of {name}; {otherwise}", hint) from error
        self._step(act, name, True)

    root: str

    @abstractmethod
    def url(self, name: str) -> str:
        """What another program opens to get the bytes of a name."""

    @abstractmethod
    def read(self, name: str) -> bytes:
        """All bytes of a name; FileNotFoundError where it is not."""

    @abstractmethod
    def size(self, name: str) -> int | None:
        """Bytes under a name, or None where it is not."""

    @abstractmethod
    def list(self, folder: str) -> list[str]:
        """Names directly in a folder (without it), sorted; none where the folder is not."""

    @abstractmethod
    def walk(self, folder: str) -> Iterator[tuple[str, float]]:
        """Every file below a folder: its name from the root, and its age in seconds by the store's clock."""

    @abstractmethod
    def is_free(self) -> bool:
        """Whether a lake may be made here: nothing of anybody else's is there."""

    @abstractmethod
    def prepare(self) -> None:
        """Make the place where the names will lie, so that nothing put there is lost with it."""

    @abstractmethod
    def create(self, name: str, content: bytes) -> bool:
        """Give a name its content durably; False, and nothing changed, where the name is taken."""

    @abstractmethod
    def staging(self) -> Path:
        """A fresh local path to write to, before it is published."""

    @abstractmethod
    def publish(self, staged: Path, name: str) -> None:
        """Move a staged file under its final name; it is durable when this returns."""

    @abstractmethod
    def secure(self, name: str) -> None:
        """Make durable a name that others gave, who may have been killed before they did."""

    @abstractmethod
    def touch(self, name: str) -> None:
        """Make a name young again, so that a garbage collection leaves it to whoever found it."""

    @abstractmethod
    def replace(self, staged: Path, name: str) -> None:
        """Put a staged file in place of a disposable one."""

    @abstractmethod
    def delete(self, name: str, piece: str = "") -> None:
        """Take a name away, and what folders of its piece are empty then; one that is gone already is no error."""

    def discard(self, staged: Path) -> None:
        """Remove what is under a staging name, where that can be done; else a garbage collection will."""
        with self.step("unlink", staged.name), contextlib.suppress(OSError):
            if staged.is_dir():
                shutil.rmtree(staged, ignore_errors=True)
            else:
                staged.unlink(missing_ok=True)

    @property
    @abstractmethod
    def filesystem(self) -> Any:
        """The fsspec file system behind it; None for a local folder."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (storage_at, (self.root if "://" in self.root else str(Path(self.root).absolute()),))


class LocalStorage(Storage):
    """A folder of a POSIX file system.

    A file is written and fsynced below `staging/`, then hard-linked to its name and the folder fsynced: a link, unlike
    a rename, never takes the place of another file. A power cut may leave a name in `staging/` too: garbage only.
    """

    filesystem = None

    def __init__(self, root: Path, step: Step = undisturbed) -> None:
        super().__init__(step)
        self.root = str(root)
        self.folder = root
        self._durable: set[str] = set()

    def url(self, name: str) -> str:
        return str(self.folder.absolute() / name)

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def size(self, name: str) -> int | None:
        try:
            return (self.folder / name).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return None

    def list(self, folder: str) -> list[str]:
        try:
            return sorted(os.listdir(self.folder / folder))  # noqa: PTH208 - three times as fast as iterdir
        except (FileNotFoundError, NotADirectoryError):
            return []

    def walk(self, folder: str) -> Iterator[tuple[str, float]]:
        now = self._clock()
        for parent, _, files in os.walk(self.folder / folder):
            for file in files:
                path = Path(parent, file)
                with contextlib.suppress(FileNotFoundError):
                    yield path.relative_to(self.folder).as_posix(), now - path.stat().st_mtime

    def _clock(self) -> float:
        """The file system's own time, which on a server's disk is not ours."""
        probe = self.staging()
        try:
            with self.step("write", probe.name):
                probe.touch()
            return probe.stat().st_mtime
        except (OSError, CommitError):
            return time.time()
        finally:
            self.discard(probe)

    def is_free(self) -> bool:
        # A writer that was killed at the very beginning left what it staged.
        return {*self.list("")} <= {"staging"} and all(map(STAGED.fullmatch, self.list("staging")))

    def prepare(self) -> None:
        with self.step("mkdir", self.root):
            self.folder.mkdir(parents=True, exist_ok=True)
        device = self.folder.stat().st_dev
        for folder in self.folder.resolve().parents:
            if folder.stat().st_dev != device:
                break
            # A folder that may not be read was there before.
            with self.step("fsync folder", self.root), contextlib.suppress(PermissionError):
                _fsync(folder)

    def create(self, name: str, content: bytes) -> bool:
        staged = self.staging()
        try:
            with self.step("write", name), os.fdopen(_exclusive(staged), "wb") as file:
                file.write(content)
            self._link(staged, name, UNSURE)
        except FileExistsError:
            return False
        finally:
            self.discard(staged)
        self._durable.add(name)
        return True

    def staging(self) -> Path:
        folder = self.folder / "staging"
        with self.step("mkdir", "staging"):
            folder.mkdir(exist_ok=True)
        return folder / secrets.token_hex(8)

    def publish(self, staged: Path, name: str) -> None:
        self._link(staged, name)
        self.discard(staged)

    def _link(self, staged: Path, name: str, otherwise: str = AS_IT_WAS) -> None:
        """Fsync a staged file and link it to its name; FileExistsError where the name is taken."""
        target = self.folder / name
        with self.step("mkdir", name):
            target.parent.mkdir(parents=True, exist_ok=True)
        with self.step("fsync", name):
            _fsync(staged)
        with self.step("link", name):
            try:
                os.link(staged, target)
            except OSError:
                # A network file system may have made the link, lost the answer and asked again.
                if not (target.exists() and target.samefile(staged)):
                    raise
        self._fsync_folders(name, otherwise)

    def _fsync_folders(self, name: str, otherwise: str) -> None:
        """Fsync the folder of a name, and those that lead there, unless done before, whoever made them."""
        folders = PurePosixPath(name).parents
        above = [f for f in folders[:-1] if str(f) not in self._durable]
        for folder in (folders[0], *(f.parent for f in above)):
            with self.step("fsync folder", name, otherwise):
                _fsync(self.folder / folder)
        if len(self._durable) > MANY:
            self._durable.clear()
        self._durable.update(map(str, above))

    def secure(self, name: str) -> None:
        if name not in self._durable:
            self._fsync_folders(name, AS_IT_WAS)
            self._durable.add(name)

    def touch(self, name: str) -> None:
        with self.step("touch", name):
            os.utime(self.folder / name)

    def replace(self, staged: Path, name: str) -> None:
        with self.step("fsync", name):
            _fsync(staged)
        with self.step("rename", name):
            staged.replace(self.folder / name)

    def delete(self, name: str, piece: str = "") -> None:
        path = self.folder / name
        with self.step("unlink", name):
            path.unlink(missing_ok=True)
        # Other folders stay: somebody may be about to link a file there, or know them to be durable.
        for folder in (f for f in path.parents if f.is_relative_to(self.folder / (piece or name))):
            with self.step("rmdir", name), contextlib.suppress(OSError):
                folder.rmdir()


def storage_at(root: str | Path, step: Step = undisturbed) -> Storage:
    """The storage of a folder, or of any URL that fsspec opens.

    Raises
    ------
    LakeError
        The URL has a password or a query in it, which the log and Prefect's pages would tell everybody.
    """
    text = str(root)
    if has_secrets(text):
        said = without_secrets(text)
        raise LakeError(f"{said}: was given with a password or a query; leave them to the store's own variables")
    if text.startswith("file://"):
        text = text.removeprefix("file://")
    if "://" not in text:
        return LocalStorage(Path(text), step)
    from lake.objects import ObjectStorage

    return ObjectStorage(text, step)


def staged_digest(path: Path) -> tuple[str, int]:
    """SHA-256 and number of bytes of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size


def content_digest(content: bytes) -> str:
    """SHA-256 of bytes."""
    return hashlib.sha256(content).hexdigest()


def _exclusive(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def file_sink(path: Path) -> IO[bytes]:
    """A new file to write to, refusing an existing name."""
    return os.fdopen(_exclusive(path), "wb")
