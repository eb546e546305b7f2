"""Frames read lazily through the lake beside plain Zarr of the same layout, both computed by Dask's threads."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import zarr

from lake.bench import Line, in_turn
from lake.bench._samples import IMAGES, instants
from lake.errors import LakeError
from lake.pieces import PIXELS, blosc_in_one_thread
from lake.store import Lake

# Frames, frames of a segment, and their side.
LAYOUTS = ((64, 1, 1024), (1280, 20, 256))
QUICK = {"layouts": ((16, 1, 1024), (320, 20, 256)), "rounds": 9}


def lines(folder: Path, layouts: tuple[tuple[int, int, int], ...] = LAYOUTS, rounds: int = 15) -> Iterator[Line]:
    """Opening and computing, then computing alone."""
    for n, each, size in layouts:
        lake, plain = filled(folder / f"{n}-{size}", n, each, size)
        blosc_in_one_thread()

        def bare(plain: list[str] = plain) -> Any:
            parts = [zarr.open_array(path, mode="r") for path in plain]
            return da.concatenate([da.from_array(p, chunks=p.chunks, asarray=False) for p in parts])

        def ours(lake: Lake = lake) -> Any:
            return lake[IMAGES.name].data

        mine, theirs = ours(), bare()
        if not (mine.compute() == theirs.compute()).all():
            raise LakeError(f"{lake.root}: frames differ from those of plain Zarr")
        what = f"{n:,} frames {size}², {each} a segment / plain Zarr"
        read, peer = in_turn((mine.compute, theirs.compute), rounds, warm=2)
        yield Line(f"read {what}", read, peer, peer / read, ">= 0.95")
        read, peer = in_turn((mine.mean().compute, theirs.mean().compute), rounds, warm=2)
        yield Line(f"mean of {what}", read, peer, peer / read, ">= 0.95")
        opened, peer = in_turn((ours, bare), rounds)
        yield Line(f"open {what}", opened, peer, peer / opened)


def filled(folder: Path, n: int, each: int, size: int) -> tuple[Lake, list[str]]:
    """A lake of so many frames, and the same in plain Zarr arrays of the lake's chunks, shards and codec."""
    lake = Lake.create(folder / "lake")
    array = replace(IMAGES, chunk=(each, size, size), tile=size)
    chance = np.random.default_rng(1)
    plain = []
    for start in range(0, n, each):
        images = chance.poisson(200, (each, size, size)).astype(np.uint16)
        before = set(lake.snapshot.pieces)
        with lake.transaction("bench", catalog=False) as tx:
            tx.append_frames(array, images, {"time": instants(start, each)})
        (path,) = (p.path for p in lake.snapshot.pieces_of(IMAGES.name) if p.path not in before)
        plain.append(str(folder / f"plain/{start}.zarr"))
        segment = zarr.open_array(lake.storage.url(f"{path}/{PIXELS}"))
        zarr.create_array(
            plain[-1], shape=images.shape, dtype=images.dtype, chunks=segment.chunks, shards=segment.shards,
            compressors=segment.compressors,
        )[...] = images  # fmt: skip
    return lake, plain
