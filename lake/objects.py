"""Names in an object store, through fsspec."""

import contextlib
import secrets
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lake.errors import QueryError
from lake.storage import Step, Storage, undisturbed


class ObjectStorage(Storage):
    """A prefix of an object store, through fsspec; the store must honour conditional creation."""

    def __init__(self, root: str, step: Step = undisturbed) -> None:
        from fsspec.core import url_to_fs

        super().__init__(step)
        self.root = root.rstrip("/")
        try:
            self._fs, self._prefix = url_to_fs(self.root)
        except ValueError as error:
            wanted = "expected a folder, or a URL that fsspec opens, like s3://bucket/lake"
            raise QueryError(f"{self.root}: unknown protocol {self.root.partition('://')[0]}, {wanted}") from error
        except ImportError as error:
            raise QueryError(f"{self.root}: a package that opens it is not installed: {error}") from error
        self._protocol = self.root.partition("://")[0]

    @property
    def filesystem(self) -> Any:
        return self._fs

    def _key(self, name: str) -> str:
        return f"{self._prefix}/{name}"

    def url(self, name: str) -> str:
        return f"{self._protocol}://{self._key(name).lstrip('/')}"

    def read(self, name: str) -> bytes:
        content: bytes = self._fs.cat_file(self._key(name))
        return content

    def size(self, name: str) -> int | None:
        self._fs.invalidate_cache()
        try:
            return int(self._fs.info(self._key(name))["size"])
        except FileNotFoundError:
            return None

    def list(self, folder: str) -> list[str]:
        self._fs.invalidate_cache()
        try:
            return sorted(key.rstrip("/").rsplit("/", 1)[-1] for key in self._fs.ls(self._key(folder), detail=False))
        except FileNotFoundError:
            return []

    def walk(self, folder: str) -> Iterator[tuple[str, float]]:
        self._fs.invalidate_cache()
        now = self._clock()
        for key, info in self._fs.find(self._key(folder), detail=True).items():
            yield key[len(self._prefix) :].strip("/"), now - _modified(info)

    def _clock(self) -> float:
        """The store's own time: that of an object put now."""
        name = f"staging/{secrets.token_hex(8)}"
        with self.step("put", name):
            self._fs.pipe_file(self._key(name), b"now")
        try:
            return _modified(self._fs.info(self._key(name)))
        finally:
            self.delete(name)

    def is_free(self) -> bool:
        return not self.list("log")

    def prepare(self) -> None:
        """Nothing to do: a prefix need not be made."""

    def create(self, name: str, content: bytes) -> bool:
        with self.step("create", name):
            try:
                self._fs.pipe_file(self._key(name), content, mode="create")
            except (FileExistsError, TimeoutError, ConnectionError) as error:
                # An answer may have been lost and the request sent again: what is there now decides.
                with contextlib.suppress(FileNotFoundError):
                    return self.read(name) == content
                raise error
        return True

    def staging(self) -> Path:
        return Path(tempfile.gettempdir(), f"lightlake-{secrets.token_hex(8)}")

    def publish(self, staged: Path, name: str) -> None:
        with self.step("put", name):
            self._fs.put_file(str(staged), self._key(name))
        self.discard(staged)

    def secure(self, name: str) -> None:
        """Nothing to do: an object that is there is durable."""

    def touch(self, name: str) -> None:
        """Nothing to do: to put an object is to make it young."""

    def replace(self, staged: Path, name: str) -> None:
        self.publish(staged, name)

    def delete(self, name: str, piece: str = "") -> None:
        with self.step("delete", name), contextlib.suppress(FileNotFoundError):
            self._fs.rm_file(self._key(name))


def _modified(info: dict[str, Any]) -> float:
    """When an object was put, in seconds of the store's clock; now, where the store does not say."""
    found = info.get("LastModified") or info.get("created") or time.time()
    return found if isinstance(found, float) else float(found.timestamp())
