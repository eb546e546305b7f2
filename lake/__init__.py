"""A data lake for light: images and photons under one commit, asked in one SQL."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lake.store import Lake

__version__ = "0.1.0"
__all__ = ["Lake", "create", "open"]


def create(root: Any) -> "Lake":
    """Make a lake in an empty folder or bucket, or open the one that is there."""
    from lake.store import Lake

    return Lake.create(root)


def open(root: Any = None) -> "Lake":
    """Open a lake at its newest commit; `root` defaults to LAKE_ROOT, then to ./lakehouse."""
    from lake.settings import Settings
    from lake.store import Lake

    return Lake(Settings.from_environment().root if root is None else root)


def __getattr__(name: str) -> Any:
    if name == "Lake":
        from lake.store import Lake

        return Lake
    raise AttributeError(f"module 'lake' has no attribute {name!r}")
