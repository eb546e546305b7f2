"""A toy pipeline as its own process, for tests that kill it: `python -m tests.builders.toy_ingest ROOT FILES…`."""

import sys
from pathlib import Path

import numpy as np
from astropy.io import fits

from lake.intake import Frames, Rows, commit, take_in
from lake.provenance import new_run
from lake.source import Source
from lake.store import Lake
from tests.builders.lakes import COUNTS, FRAMES, images


def toy_rows(source: Source) -> Rows:
    """Counts and two images of a made-up file."""
    part = source.part("COUNTS")
    frames = source.part("IMAGES")
    columns = {"obs_id": source.header["OBS_ID"], "row_id": part.column("ROW"), "energy_kev": part.column("ENERGY")}
    start = np.datetime64(source.header["DATE-OBS"], "us")
    times = start + np.arange(len(frames.pixels)) * np.timedelta64(1, "s")
    return [
        (COUNTS, COUNTS.fit(columns)),
        (FRAMES, Frames(frames.pixels, {"time": times, "exposure_s": 1.0})),
    ]


def write_toy(folder: Path, place: int) -> Path:
    """A file of this pipeline; another `place`, another observation."""
    header = fits.Header({"OBS_ID": f"obs{place:03}", "DATE-OBS": f"2020-01-01T{place // 60:02}:{place % 60:02}:00"})
    rows = np.arange(20)
    table = fits.BinTableHDU.from_columns(
        [fits.Column("ROW", "K", array=rows), fits.Column("ENERGY", "D", unit="keV", array=rows * 0.125)], name="COUNTS"
    )
    frames = fits.ImageHDU(images(2, seed=place), name="IMAGES")
    path = folder / f"toy{place:03}.fits"
    fits.HDUList([fits.PrimaryHDU(header=header), table, frames]).writeto(path)
    return path


def ingest(root: Path, paths: list[str]) -> None:
    """Take files in, two to a commit."""
    lake = Lake.create(root)
    run = new_run("toy", {})
    for place in range(0, len(paths), 2):
        pair = paths[place : place + 2]
        commit(lake, take_in(lake, pair, [COUNTS, FRAMES], toy_rows, run=run["id"], scheduler="sync"), run)


if __name__ == "__main__":
    ingest(Path(sys.argv[1]), sys.argv[2:])
