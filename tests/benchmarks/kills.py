"""A writer of frames killed in the middle: frames that are there and silently zero, in plain Zarr and in the lake."""

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import zarr
from zarr.codecs import BloscCodec

from lake.store import Lake
from tests.benchmarks import Line
from tests.builders.lakes import FRAMES, instants

TRIALS, BATCH, SIZE = 15, 20, 256
LONGEST_S = 0.6
IMAGES = replace(FRAMES, chunk=(1, SIZE, SIZE), tile=SIZE)


def _images() -> np.ndarray:
    """Frames without a single zero."""
    return np.random.default_rng(1).integers(1, 4096, (BATCH, SIZE, SIZE), np.uint16)


def write_plain(folder: str) -> None:
    """Append to one Zarr array until killed."""
    array = zarr.create_array(
        f"{folder}/plain.zarr", shape=(0, SIZE, SIZE), chunks=(1, SIZE, SIZE), dtype="uint16",
        compressors=BloscCodec(cname="zstd", clevel=3, shuffle="bitshuffle"),
    )  # fmt: skip
    images = _images()
    array.append(images)
    print("ready", flush=True)
    while True:
        array.append(images)


def write_ours(folder: str) -> None:
    """Commit frames to a lake until killed."""
    lake = Lake(f"{folder}/lake")
    images = _images()
    for turn in count():
        with lake.transaction("frames", catalog=False) as tx:
            times = instants(*range(turn * BATCH, (turn + 1) * BATCH))
            tx.append_frames(IMAGES, images, {"time": times, "exposure_s": 1.0})
        if not turn:
            print("ready", flush=True)


def _killed(kind: str, folder: Path, after_s: float) -> None:
    """A writer, killed so long after its first batch."""
    words = [sys.executable, "-m", "tests.benchmarks.kills", kind, str(folder)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline().strip() == "ready"
        time.sleep(after_s)
        process.send_signal(signal.SIGKILL)


def _zero_frames(array: object) -> int:
    """How many frames hold nothing but zeros."""
    return sum(int(not np.asarray(array[i]).any()) for i in range(array.shape[0]))  # type: ignore[attr-defined,index]


def lines(folder: Path) -> Iterator[Line]:
    """Trials with silent zeros, of each store; both are killed after the same times."""
    chance = random.Random(7)
    plain, ours, frames = 0, 0, 0
    for trial in range(TRIALS):
        place = folder / str(trial)
        Lake.create(place / "lake")
        after_s = chance.uniform(0.1, LONGEST_S)
        _killed("plain", place, after_s)
        _killed("ours", place, after_s)
        plain += _zero_frames(zarr.open_array(f"{place}/plain.zarr", mode="r")) > 0
        stored = Lake(place / "lake")[IMAGES.name]
        frames += stored.shape[0]
        ours += _zero_frames(stored.data.compute(scheduler="sync")) > 0
    what = f"killed -9 mid-write: trials of {TRIALS} with zero frames"
    yield Line(what, f"{ours} ({frames} frames)", f"{plain} of plain Zarr", ours / TRIALS, "<= 0")


if __name__ == "__main__":
    {"plain": write_plain, "ours": write_ours}[sys.argv[1]](sys.argv[2])
