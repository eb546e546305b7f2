"""Mappings that are values: another one with a few changes shares all that stays."""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")
T = TypeVar("T")

# A sixteenth of changes on top keeps both a change and a look over the changes cheap beside the whole.
FEWEST, SHARE = 64, 16


class Layers(Mapping[K, V], Generic[K, V]):
    """A mapping laid over one that many share; items come in the order a dictionary would give them.

    Attributes
    ----------
    bottom : the shared mapping; never changed.
    top : items that came since, or have another value.
    gone : keys of the bottom that were taken out.
    """

    __slots__ = ("_memo", "bottom", "gone", "top")

    def __init__(self, bottom: Mapping[K, V], top: Mapping[K, V], gone: frozenset[K], memo: dict[Any, Any]) -> None:
        self.bottom = bottom
        self.top = top
        self.gone = gone
        self._memo = memo

    def __getitem__(self, key: K) -> V:
        if key in self.top:
            return self.top[key]
        if key in self.gone:
            raise KeyError(key)
        return self.bottom[key]

    def __contains__(self, key: object) -> bool:
        return key in self.top or (key in self.bottom and key not in self.gone)

    def __iter__(self) -> Iterator[K]:
        yield from (key for key in self.bottom if key not in self.gone)
        yield from (key for key in self.top if key not in self.bottom or key in self.gone)

    def __bool__(self) -> bool:
        return next(iter(self), self) is not self

    def __len__(self) -> int:
        return len(self.bottom) - len(self.gone) + sum(k not in self.bottom or k in self.gone for k in self.top)

    def __repr__(self) -> str:
        return repr(dict(self))

    def of_bottom(self, name: Any, make: Callable[[Mapping[K, V]], T]) -> T:
        """What is made of the bottom under a name: once for all that share it."""
        if name not in self._memo:
            self._memo[name] = make(self.bottom)
        found: T = self._memo[name]
        return found


def overlaid(before: Mapping[K, V], added: Mapping[K, V], gone: Collection[K] = ()) -> Mapping[K, V]:
    """A mapping without some keys, then with some items; the one it came from stays as it is."""
    if not added and not gone:
        return before
    if not isinstance(before, Layers):
        before = Layers(before, {}, frozenset(), {})
    top = {key: value for key, value in before.top.items() if key not in gone} if gone else before.top
    left = before.gone.union(key for key in gone if key in before.bottom) if gone else before.gone
    return Layers(before.bottom, {**top, **added}, left, before._memo)


def layered(before: Mapping[K, V], added: Mapping[K, V], gone: Collection[K] = ()) -> Mapping[K, V]:
    """As `overlaid`, for one that stays: where the changes have become many, all is laid down anew."""
    after = overlaid(before, added, gone)
    if isinstance(after, Layers) and len(after.top) + len(after.gone) > max(FEWEST, len(after.bottom) // SHARE):
        return Layers(dict(after.items()), {}, frozenset(), {})
    return after
