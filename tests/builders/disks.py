"""A disk that keeps a journal: what a kill leaves of it at any step, and what a power cut may leave.

The model is the least that POSIX promises. What was fsynced stays. Of all else, the bytes of a file may be there, be
cut, be zeros or be gone, and a name given in a folder, or taken away, may have been so or not: each by itself, whatever
the others do and whatever came first.
"""

import hashlib
import os
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISDIR

from lake.storage import Step

Tree = Mapping[str, str]
"""What is under each path: the key of its bytes; of a folder, FOLDER."""

Stamps = Mapping[str, tuple[int, ...]]
"""What tells the file or folder under each path from what it was before."""

FOLDER = "folder"
NOTHING = "nothing"
TORN = ("kept", "lost", "half", "zeros")
TOP = 0


@dataclass(frozen=True)
class Named:
    """A name given to a file or folder, or taken away (`node` is None)."""

    path: str
    folder: int
    node: int | None
    is_folder: bool = False


@dataclass(frozen=True)
class Filled:
    """Bytes written to a file."""

    node: int
    key: str


@dataclass(frozen=True)
class Synced:
    """A file, or the names in a folder, made durable."""

    node: int


@dataclass(frozen=True)
class Promised:
    """A commit of this number told to be done."""

    number: int


Event = Named | Filled | Synced | Promised


@dataclass(frozen=True)
class Moment:
    """The disk when a step was announced.

    Attributes
    ----------
    place : number of events before it.
    is_changed : whether anything at all changed since the moment before.
    """

    act: str
    name: str
    done: bool
    place: int
    tree: Tree
    is_changed: bool


class Journal:
    """A step that records all that changes below a folder, by looking at it at each announcement.

    Attributes
    ----------
    events : what changed, in order; all that is there at first is durable.
    moments : the disk at each announcement.
    n_first : number of events that only tell what was there at first.
    """

    def __init__(self, top: Path) -> None:
        self.top = top
        self.events: list[Event] = []
        self.moments: list[Moment] = []
        self._bytes: dict[str, bytes] = {NOTHING: b""}
        self._stamps: Stamps = {"": (top.stat().st_ino, 1)}
        self._nodes: dict[str, int] = {"": TOP}
        self._keys: dict[str, str] = {"": FOLDER}
        self._n_nodes = 1
        self.look()
        self.events += [Synced(node) for node in sorted(set(self._nodes.values()))]
        self.n_first = len(self.events)

    def __call__(self, act: str, name: str, done: bool) -> None:
        is_changed = self.look()
        self.moments.append(Moment(act, name, done, len(self.events), dict(self._keys), is_changed))

    def look(self) -> bool:
        """Record what changed since the last look; whether anything did, be it only a time."""
        stamps = {"": _stamp(self.top.stat()), **dict(_stamps(str(self.top)))}
        before, self._stamps = self._stamps, stamps
        if stamps == before:
            return False
        nodes = self._identified(stamps, before)
        for path in sorted(set(self._nodes) - set(nodes), reverse=True):
            self.events.append(Named(path, self._nodes[_parent(path)], None))
        for path in sorted(nodes):
            if path not in self._nodes or self._nodes[path] != nodes[path]:
                self.events.append(Named(path, nodes[_parent(path)], nodes[path], bool(stamps[path][1])))
        self._read(stamps, before, nodes)
        self._nodes = nodes
        return True

    def _identified(self, stamps: Stamps, before: Stamps) -> dict[str, int]:
        """The file or folder behind each path: the one it was, one that had another name, or a new one."""
        known = {before[path][0]: node for path, node in self._nodes.items()}
        nodes = {}
        for path, (inode, *_) in stamps.items():
            if inode not in known:
                known[inode] = self._n_nodes
                self._n_nodes += 1
            nodes[path] = known[inode]
        return nodes

    def _read(self, stamps: Stamps, before: Stamps, nodes: Mapping[str, int]) -> None:
        """Record the bytes of files that are new or were written to."""
        keys = dict(zip(self._nodes.values(), self._keys.values(), strict=True))
        for path, (_, is_folder, *_) in stamps.items():
            node = nodes[path]
            if is_folder:
                keys[node] = FOLDER
            elif node not in keys or stamps[path][:4] != before.get(path, stamps[path])[:4]:
                content = (self.top / path).read_bytes()
                key = hashlib.sha256(content).hexdigest()
                if keys.get(node, NOTHING) != key and content:
                    self._bytes[key] = content
                    self.events.append(Filled(node, key))
                keys[node] = key if content else NOTHING
        self._keys = {path: keys[nodes[path]] for path in stamps}

    @contextmanager
    def on(self) -> Iterator["Journal"]:
        """Record each fsync; the disk itself is spared them."""
        real = os.fsync

        def fsync(descriptor: int) -> None:
            self.look()
            inode = os.fstat(descriptor).st_ino
            nodes = {self._stamps[path][0]: node for path, node in self._nodes.items()}
            if inode in nodes:
                self.events.append(Synced(nodes[inode]))

        os.fsync = fsync  # type: ignore[assignment]
        try:
            yield self
        finally:
            os.fsync = real
            self.look()

    def promise(self, number: int) -> None:
        """Record that a commit was told to be done."""
        self.look()
        self.events.append(Promised(number))

    def content(self, key: str) -> bytes:
        """The bytes of a key, torn as it says."""
        digest, _, torn = key.partition(" ")
        whole = self._bytes[digest]
        return {"": whole, "half": whole[: len(whole) // 2], "zeros": bytes(len(whole))}[torn]

    def lay_out(self, tree: Tree, folder: Path, there: Tree = {}) -> Path:
        """Make a folder hold this tree, where it holds another one."""
        folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(there.keys() - tree.keys(), reverse=True):
            (folder / path).rmdir() if there[path] == FOLDER else (folder / path).unlink()
        for path in sorted(path for path in tree if tree[path] != there.get(path)):
            if tree[path] == FOLDER:
                (folder / path).mkdir(exist_ok=True)
            else:
                (folder / path).write_bytes(self.content(tree[path]))
        return folder


def _stamps(folder: str, path: str = "") -> Iterator[tuple[str, tuple[int, ...]]]:
    """What tells each file and folder below a folder from what it was before."""
    with os.scandir(f"{folder}/{path}") as found:
        for entry in sorted(found, key=lambda e: e.name):
            below = f"{path}/{entry.name}" if path else entry.name
            yield below, _stamp(entry.stat(follow_symlinks=False))
            if entry.is_dir(follow_symlinks=False):
                yield from _stamps(folder, below)


def _stamp(found: os.stat_result) -> tuple[int, ...]:
    return found.st_ino, S_ISDIR(found.st_mode), found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _parent(path: str) -> str:
    return path.rpartition("/")[0]


class Disk:
    """What is durable after some events, and what is not yet.

    Attributes
    ----------
    pending : changes that a power cut may take, in order.
    """

    def __init__(self, aside: str = "") -> None:
        self.aside = aside
        self.pending: list[Named | Filled] = []
        self._names: dict[int, dict[str, int]] = {}
        self._keys: dict[int, str] = {}
        self._folders: set[int] = set()

    def take(self, event: Event) -> None:
        """One event more."""
        if isinstance(event, Synced):
            settled = [e for e in self.pending if _settled_by(e) == event.node]
            self._apply(settled, ["kept"] * len(settled), self._names, self._keys)
            self.pending = [e for e in self.pending if _settled_by(e) != event.node]
        elif isinstance(event, Filled) or (isinstance(event, Named) and not self._is_aside(event.path)):
            self.pending.append(event)
            if isinstance(event, Named) and event.is_folder:
                self._folders.add(event.node or TOP)

    def _is_aside(self, path: str) -> bool:
        return bool(self.aside) and path.startswith(self.aside)

    @staticmethod
    def _apply(
        changes: Sequence[Named | Filled], fates: Sequence[str], names: dict[int, dict[str, int]], keys: dict[int, str]
    ) -> None:
        for change, fate in zip(changes, fates, strict=True):
            if fate == "lost":
                continue
            if isinstance(change, Filled):
                keys[change.node] = change.key if fate == "kept" else f"{change.key} {fate}"
            elif change.node is None:
                names.setdefault(change.folder, {}).pop(change.path.rpartition("/")[2], None)
            else:
                names.setdefault(change.folder, {})[change.path.rpartition("/")[2]] = change.node

    def left(self, fates: Sequence[str]) -> Tree:
        """The tree that a power cut leaves when each pending change meets its fate."""
        names = {folder: dict(found) for folder, found in self._names.items()}
        keys = dict(self._keys)
        self._apply(self.pending, fates, names, keys)
        tree: dict[str, str] = {"": FOLDER}

        def walk(node: int, path: str) -> None:
            for name, child in names.get(node, {}).items():
                below = f"{path}/{name}" if path else name
                tree[below] = FOLDER if child in self._folders else keys.get(child, NOTHING)
                walk(child, below)

        walk(TOP, "")
        return tree

    def fates(self, chance: random.Random, n_random: int) -> Iterator[list[str]]:
        """All lost, all kept, each alone kept, lost or torn, and some subsets by chance."""
        n = len(self.pending)
        yield ["lost"] * n
        yield ["kept"] * n
        for place, change in enumerate(self.pending):
            odd = [(fate, "kept") for fate in TORN[2:]] if isinstance(change, Filled) else []
            for fate, others in (("lost", "kept"), ("kept", "lost"), *odd):
                yield [fate if i == place else others for i in range(n)]
        for _ in range(n_random if n > 1 else 0):
            yield [chance.choice(TORN if isinstance(c, Filled) else ("kept", "lost")) for c in self.pending]


def _settled_by(change: Named | Filled) -> int:
    return change.folder if isinstance(change, Named) else change.node


def power_cuts(
    events: Sequence[Event], *, chance: random.Random, n_random: int = 4, aside: str = "", first: int = 0
) -> Iterator[tuple[Tree, int]]:
    """Each tree that a cut between any two events may leave, with the newest commit promised before it.

    Parameters
    ----------
    aside : paths that begin so are never there: nobody reads them.
    first : number of events before the first cut.
    """
    disk, promised = Disk(aside), -2
    for place, event in enumerate([*events, None], 1):
        if event is not None:
            disk.take(event)
            promised = max(promised, event.number) if isinstance(event, Promised) else promised
        if place > first:
            yield from ((disk.left(fates), promised) for fates in disk.fates(chance, n_random))


def killed_at(step: Step, at: int, last: Callable[[], None] = lambda: None) -> Step:
    """A step whose announcement number `at` is the last: then something else happens, and nothing more is done."""
    left = [at]

    def announced(act: str, name: str, done: bool) -> None:
        if left[0] >= 0:
            step(act, name, done)
            left[0] -= 1
            if left[0] < 0:
                last()
        if left[0] < 0:
            raise Killed(f"{act} {name}")

    return announced


class Killed(BaseException):
    """A process is gone; no step of its clean-up is done either."""
