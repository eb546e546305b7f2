"""A plain Zarr array that is appended to, as `lake.torture` tortures it."""

from collections import Counter
from pathlib import Path

import numpy as np
import zarr

from lake.torture_items import SIDE, Found, image_of, items_of


class PlainZarrWriter:
    """A writer with an array of its own, which it only ever appends to."""

    def __init__(self, root: str, writer: int) -> None:
        self.writer = writer
        path = Path(root, f"{writer}.zarr")
        try:
            self.array = zarr.open_array(path, mode="r+")
        except Exception:  # nothing there yet, or metadata that a kill left half
            self.array = zarr.create_array(
                path, shape=(0, SIDE, SIDE), chunks=(1, SIDE, SIDE), dtype="uint16", overwrite=True
            )

    def put(self, item: int) -> int:
        """Append a frame."""
        self.array.append(image_of(self.writer, item)[None])
        return 0

    @staticmethod
    def found(root: str) -> Found:
        """Every frame of every array."""
        arrays = [zarr.open_array(path, mode="r") for path in sorted(Path(root).glob("*.zarr"))]
        frames = items_of(image for array in arrays for image in np.asarray(array[...]))
        return Found(Counter(key for key in frames if key), wrong_frames=sum(key is None for key in frames))
