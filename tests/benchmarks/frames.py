"""Frames read lazily through the lake beside plain Zarr of the same layout, both computed by Dask's threads."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dask.array as da
import numpy as np
import zarr

from lake.pieces import blosc_in_one_thread
from lake.store import Lake
from tests.benchmarks import Line, in_turn, ms
from tests.builders.lakes import FRAMES, instants

LAYOUTS = {"64 frames 1024², one a segment": (64, 1, 1024), "1,280 frames 256², 20 a segment": (1280, 20, 256)}


def filled(folder: Path, n: int, each: int, size: int) -> tuple[Lake, list[str]]:
    """A lake of so many frames, and the same in plain Zarr arrays of the lake's chunks, shards and codec."""
    lake = Lake.create(folder / "lake")
    array = replace(FRAMES, chunk=(each, size, size), tile=size)
    chance = np.random.default_rng(1)
    plain = []
    with lake.transaction("frames", catalog=False) as tx:
        for start in range(0, n, each):
            images = chance.poisson(200, (each, size, size)).astype(np.uint16)
            tx.append_frames(array, images, {"time": instants(*range(start, start + each)), "exposure_s": 1.0})
            plain.append(str(folder / f"plain/{start}.zarr"))
            path = next(p.path for p in tx._staged[-1].pieces if p.is_segment)
            segment = zarr.open_array(lake.storage.url(f"{path}/pixels"))
            zarr.create_array(
                plain[-1], shape=images.shape, dtype=images.dtype, chunks=segment.chunks, shards=segment.shards,
                compressors=segment.compressors,
            )[...] = images  # fmt: skip
    return lake, plain


def lines(folder: Path) -> Iterator[Line]:
    """Opening and computing, then computing alone."""
    for what, (n, each, size) in LAYOUTS.items():
        lake, plain = filled(folder / str(size), n, each, size)
        blosc_in_one_thread()

        def bare(plain: list[str] = plain) -> da.Array:
            parts = [zarr.open_array(path, mode="r") for path in plain]
            return da.concatenate([da.from_array(p, chunks=p.chunks, asarray=False) for p in parts])

        def ours(lake: Lake = lake) -> da.Array:
            return lake[FRAMES.name].data

        assert (ours().compute() == bare().compute()).all()
        mine, theirs = ours(), bare()
        read, peer = in_turn((mine.compute, theirs.compute), rounds=15, warm=2)
        yield Line(f"read {what} / plain Zarr", ms(read), ms(peer), peer / read, ">= 0.95")
        read, peer = in_turn((mine.mean().compute, theirs.mean().compute), rounds=15, warm=2)
        yield Line(f"mean of {what} / plain Zarr", ms(read), ms(peer), peer / read, ">= 0.95")
        opened, peer = in_turn((ours, bare), rounds=9)
        yield Line(f"open {what} / plain Zarr", ms(opened), ms(peer), peer / opened)
