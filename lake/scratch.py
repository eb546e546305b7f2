"""Scratch places on the disk or bucket where a lake is: below its `staging` folder, and gone without a trace."""

import secrets
import shutil
from contextlib import suppress
from pathlib import Path

from lake.storage import storage_at


class Scratch:
    """A place of its own below the `staging` folder of a root, which need not be there yet.

    Attributes
    ----------
    root : the folder or URL; it is made by whoever first writes there.
    """

    def __init__(self, root: str | Path, name: str) -> None:
        self.root = f"{storage_at(root).root.rstrip('/')}/staging/{name}-{secrets.token_hex(4)}"
        self._made = _absent_folders(self.root)

    @property
    def file_system(self) -> str:
        """The kind of file system it is on."""
        return file_system_of(self.root)

    def remove(self) -> None:
        """Take it away, and the folders that were made for it; one that somebody else uses meanwhile stays."""
        storage = storage_at(self.root)
        if storage.filesystem is None:
            if Path(self.root).exists():
                shutil.rmtree(self.root)
        else:
            for name, _ in storage.walk(""):
                storage.delete(name)
        with suppress(OSError):
            for folder in self._made:
                folder.rmdir()


def file_system_of(root: str) -> str:
    """The kind of file system a folder is on, or the protocol of a URL."""
    if "://" in root:
        return root.partition("://")[0]
    here = Path(root).absolute()
    try:
        lines = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    except OSError:
        return "unknown"
    mounts = {Path(words[1]): words[2] for words in lines}
    return next((mounts[folder] for folder in (here, *here.parents) if folder in mounts), "unknown")


def _absent_folders(root: str) -> list[Path]:
    """Folders above a scratch place that have to be made for it, innermost first."""
    return [] if "://" in root else [folder for folder in Path(root).absolute().parents if not folder.exists()]
