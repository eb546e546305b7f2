"""A writer of frames killed in the middle: frames that are there and silently zero, in plain Zarr and in the lake."""

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import BloscCodec

from lake.bench import Line
from lake.bench._samples import IMAGES, instants
from lake.store import Lake

# Twenty frames an append, of the size of IMAGES.
BATCH, SIZE = 20, IMAGES.tile
LONGEST_S = 0.6
READY = "ready"
QUICK = {"trials": 2}


def lines(folder: Path, trials: int = 15) -> Iterator[Line]:
    """Trials with silent zeros, of each store; both are killed after the same times."""
    chance = random.Random(7)
    plain, ours = 0, 0
    for trial in range(trials):
        place = folder / str(trial)
        Lake.create(place / "lake")
        after_s = chance.uniform(0.1, LONGEST_S)
        _killed("plain", place, after_s)
        _killed("ours", place, after_s)
        plain += _zero_frames(zarr.open_array(f"{place}/plain.zarr", mode="r")) > 0
        ours += _zero_frames(Lake(place / "lake")[IMAGES.name].data.compute(scheduler="sync")) > 0
    what = f"killed while writing, of {trials} with frames of zeros / plain Zarr"
    yield Line(what, ours, plain, ours / trials, "<= 0", unit="")


def write_plain(folder: str) -> None:
    """Append to one Zarr array until killed."""
    array = zarr.create_array(
        f"{folder}/plain.zarr", shape=(0, SIZE, SIZE), chunks=(1, SIZE, SIZE), dtype="uint16",
        compressors=BloscCodec(cname="zstd", clevel=3, shuffle="bitshuffle"),
    )  # fmt: skip
    images = _images()
    for turn in count():
        array.append(images)
        _tell_once(turn)


def write_ours(folder: str) -> None:
    """Commit frames to a lake until killed."""
    lake = Lake(f"{folder}/lake")
    images = _images()
    for turn in count():
        with lake.transaction("bench", catalog=False) as tx:
            tx.append_frames(IMAGES, images, {"time": instants(turn * BATCH, BATCH)})
        _tell_once(turn)


def _tell_once(turn: int) -> None:
    if not turn:
        sys.stdout.write(f"{READY}\n")
        sys.stdout.flush()


def _images() -> NDArray[np.uint16]:
    """Frames without a single zero."""
    return np.random.default_rng(1).integers(1, 4096, (BATCH, SIZE, SIZE), np.uint16)


def _killed(kind: str, folder: Path, after_s: float) -> None:
    """A writer, killed so long after its first batch."""
    words = [sys.executable, "-m", __name__, kind, str(folder)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline() if process.stdout else ""
        time.sleep(after_s)
        process.send_signal(signal.SIGKILL)
    if line.strip() != READY:
        raise RuntimeError(f"{kind} writer of {folder}: ended by itself, exit {process.returncode}")


def _zero_frames(array: Any) -> int:
    """How many frames hold nothing but zeros."""
    return sum(int(not np.asarray(array[i]).any()) for i in range(array.shape[0]))


if __name__ == "__main__":
    {"plain": write_plain, "ours": write_ours}[sys.argv[1]](sys.argv[2])
