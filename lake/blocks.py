"""The one seam to Dask: a function mapped over items or frames, on threads, in order, or on a cluster.

Whatever the scheduler, results come back in the order of the items, so the same items give the same lake. Only the
driver commits: a function here stages at most. So a cluster may give the items of a worker that died to another one, as
it does: what is staged twice has one name.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any, Generic, TypeVar

from lake.errors import LakeError, SourceError

T = TypeVar("T")
R = TypeVar("R")

THREADS, SYNC = "threads", "sync"
# What an item may fail with on its own account. Anything else is a fault of the code or of the disk, and stops the run.
EXPECTED = (SourceError, ValueError)
# How long a scheduler may take to answer, and a cluster be without a worker: one that is started again is back by then.
ANSWER_S, PATIENCE_S = 30.0, 60.0
POLL_S, BEAT_S = 0.02, 1.0
Progress = Callable[[int, int], None]
"""Called with the number of items done and of all."""


@dataclass(frozen=True)
class Outcome(Generic[T, R]):
    """What became of one item: its value, or the error that kept it from having one."""

    item: T
    value: R | None = None
    error: Exception | None = None


def quiet(done: int, total: int) -> None:
    """Progress that nobody watches."""


def map_items(
    function: Callable[..., R],
    items: Iterable[T],
    *,
    scheduler: str = THREADS,
    workers: int = 0,
    strict: bool = False,
    progress: Progress = quiet,
    **options: Any,
) -> list[Outcome[T, R]]:
    """A function applied to every item.

    Parameters
    ----------
    function : called as `function(item, **options)`; pure, and picklable for a cluster.
    scheduler : `threads`, `sync` (one after the other, for tests), or the address of a distributed scheduler.
    workers : number of threads; 0 for one a core.
    strict : raise the first item's error; otherwise it becomes the item's outcome, and the others go on.

    Returns
    -------
    One outcome an item, in the order of the items.
    """
    todo = list(items)
    outcomes = _gathered(function, todo, options, scheduler, workers, progress)
    for outcome in outcomes:
        if outcome.error is not None and (strict or not isinstance(outcome.error, EXPECTED)):
            raise outcome.error
    return outcomes


def _attempt(function: Callable[..., R], item: T, options: dict[str, Any]) -> Outcome[T, R]:
    """One item, its error caught so that its neighbours finish."""
    try:
        return Outcome(item, function(item, **options))
    except Exception as error:
        return Outcome(item, error=error)


def _gathered(
    function: Callable[..., R],
    todo: Sequence[T],
    options: dict[str, Any],
    scheduler: str,
    workers: int,
    progress: Progress,
) -> list[Outcome[T, R]]:
    """Every item's outcome, in order, by the scheduler of this name."""
    from dask.base import compute
    from dask.delayed import delayed

    tasks = [delayed(_attempt, pure=False)(function, item, options) for item in todo]
    if scheduler not in (THREADS, SYNC):
        return _on_cluster(scheduler, tasks, progress)
    # Given by name, a local scheduler would make Dask load its distributed one.
    from dask import local, threaded

    with _watched(progress, len(todo)):
        run = threaded.get if scheduler == THREADS else local.get_sync
        return list(compute(*tasks, scheduler=run, num_workers=workers or None, optimize_graph=False))


def _on_cluster(address: str, tasks: Sequence[Any], progress: Progress) -> list[Any]:
    """What these tasks give on the cluster of a scheduler, in order.

    Raises
    ------
    LakeError
        The scheduler doesn't answer or is gone, no worker is left, or each worker that took a task died of it.
    """
    from distributed import Client, KilledWorker

    try:
        client = Client(address, timeout=ANSWER_S)
    except OSError as error:
        raise LakeError(f"{address}: no Dask scheduler answers there ({error})", "dask scheduler") from error
    with client:
        try:
            return _collected(client, client.compute(list(tasks)), address, progress)
        except CancelledError as error:
            gone = f"{address}: the Dask scheduler is gone; nothing was committed, run again"
            raise LakeError(gone, "dask scheduler") from error
        except KilledWorker as error:
            raise LakeError(
                f"{address}: {error.allowed_failures + 1} workers died of one task, the last was "
                f"{error.last_worker.address}; nothing was committed"
            ) from error


def _collected(client: Any, futures: Sequence[Any], address: str, progress: Progress) -> list[Any]:
    """Results fetched as they come, for those of a worker that dies are lost; an error where nobody is left to work."""
    from distributed import as_completed

    coming = as_completed(futures, with_results=True)
    results: dict[Any, Any] = {}
    seen_s = asked_s = time.monotonic()
    while len(results) < len(futures):
        for future, value in coming.next_batch(block=False):
            results[future] = future.result() if future.status in ("error", "cancelled") else value
            # What is here already need not be worked out again where the worker that holds it dies.
            future.release()
            progress(len(results), len(futures))
        time.sleep(POLL_S)
        if time.monotonic() - asked_s < BEAT_S:
            continue
        asked_s = time.monotonic()
        if _has_workers(client):
            seen_s = asked_s
        elif asked_s - seen_s > PATIENCE_S:
            done = f"{len(results)} of {len(futures)} tasks were done; nothing was committed, run again"
            raise LakeError(f"{address}: no worker for {PATIENCE_S:g} s, {done}", f"dask worker {address}")
    return [results[future] for future in futures]


def _has_workers(client: Any) -> bool:
    """Whether the scheduler says so; a connection that just broke says no."""
    try:
        return client.status == "running" and bool(client.scheduler_info().get("workers"))
    except OSError:
        return False


@contextmanager
def _watched(progress: Progress, total: int) -> Iterator[None]:
    """Dask's local schedulers, telling of each task that ends."""
    from dask.callbacks import Callback

    done = count(1)
    with Callback(posttask=lambda *_: progress(min(next(done), total), total)):
        yield


def map_frames(
    kernel: Callable[..., Any],
    frames: Any,
    *,
    halo: int = 0,
    dtype: Any = None,
    **options: Any,
) -> Any:
    """A kernel applied to each block of frames, lazily.

    Parameters
    ----------
    kernel : takes an array of shape (frame, …, y, x) and gives one of the same shape.
    frames : xarray.DataArray as the lake gives it; it is left alone.
    halo : pixels of y and x that a block also sees of its neighbours; cut off again from the result.

    Returns
    -------
    xarray.DataArray with the same dims and coordinates, not computed.
    """
    import dask.array as da

    if halo:
        depth = {frames.ndim - 2: halo, frames.ndim - 1: halo}
        mapped = da.map_overlap(
            kernel, frames.data, depth=depth, boundary="none", dtype=dtype or frames.dtype, **options
        )
    else:
        mapped = da.map_blocks(kernel, frames.data, dtype=dtype or frames.dtype, **options)
    return frames.copy(data=mapped)


def computed(array: Any, *, scheduler: str = THREADS, workers: int = 0) -> Any:
    """A lazy array with its values, computed by the scheduler of these names."""
    if scheduler == SYNC:
        return array.compute(scheduler="synchronous")
    if scheduler == THREADS:
        return array.compute(scheduler="threads", num_workers=workers or None)
    return _on_cluster(scheduler, [array], quiet)[0]
