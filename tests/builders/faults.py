"""Storages that leave out, or turn round, one thing that a power cut asks of them."""

import os
from pathlib import Path, PurePosixPath

from lake.storage import LocalStorage


class NamesNotFsynced(LocalStorage):
    """Never fsyncs a folder."""

    def _fsync_folders(self, name: str, otherwise: str) -> None:
        """Nothing."""


class BytesNotFsynced(LocalStorage):
    """Never fsyncs a file."""

    def _link(self, staged: Path, name: str, otherwise: str = "") -> None:
        target = self.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with self.step("link", name):
            os.link(staged, target)
        self._fsync_folders(name, otherwise)


class NamedFirst(BytesNotFsynced):
    """Fsyncs a file after it got its name."""

    def _link(self, staged: Path, name: str, otherwise: str = "") -> None:
        super()._link(staged, name, otherwise)
        with self.step("fsync", name), staged.open("rb") as file:
            os.fsync(file.fileno())


class FoldersTrusted(LocalStorage):
    """Fsyncs the folder of a name, and none that leads there."""

    def _fsync_folders(self, name: str, otherwise: str) -> None:
        self._durable.update(map(str, PurePosixPath(name).parents))
        super()._fsync_folders(name, otherwise)


class RootTrusted(LocalStorage):
    """Makes the folder of the lake and fsyncs none that leads there."""

    def prepare(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)


class WritersTrusted(LocalStorage):
    """Takes what another writer named for durable."""

    def secure(self, name: str) -> None:
        """Nothing."""
