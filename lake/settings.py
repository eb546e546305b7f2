"""Where the lake is and how its work runs: what the environment says, read once."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from lake.errors import LakeError

DEFAULT_ROOT = "./lakehouse"


@dataclass(frozen=True)
class Settings:
    """What an operator decides, never a scientist: science parameters are arguments.

    Attributes
    ----------
    root : folder or URL of the lake (`LAKE_ROOT`).
    workers : threads that map kernels; 0 takes one a core (`LAKE_WORKERS`).
    scheduler : `threads`, `sync`, or the address of a Dask scheduler (`LAKE_SCHEDULER`).
    """

    root: str = DEFAULT_ROOT
    workers: int = 0
    scheduler: str = "threads"

    def __post_init__(self) -> None:
        if self.scheduler not in ("threads", "sync") and "://" not in self.scheduler:
            raise LakeError(
                f"LAKE_SCHEDULER {self.scheduler!r}: neither threads, sync nor an address like tcp://host:8786"
            )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "Settings":
        """The settings that `LAKE_ROOT`, `LAKE_WORKERS` and `LAKE_SCHEDULER` give.

        Raises
        ------
        LakeError
            One of them is not what it should be.
        """
        words = os.environ if environment is None else environment
        workers = words.get("LAKE_WORKERS") or "0"
        if not workers.isdecimal():
            raise LakeError(f"LAKE_WORKERS {workers!r}: not a whole number of 0 or more")
        return cls(words.get("LAKE_ROOT") or DEFAULT_ROOT, int(workers), words.get("LAKE_SCHEDULER") or "threads")
