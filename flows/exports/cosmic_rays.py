"""HDF5 files and the catalogue as HSTcosmicrays wrote them: a group a statistic, a dataset an exposure, float32.

Chips are stacked again by their extensions, so that rows go on from one to the next. Positions along the exposure are
the original's own, a sample every half minute and longitudes that leave out the precession since J2000; those of the
lake are in cosmic_rays.positions.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from lake.kernels.detectors import DETECTORS
from lake.kernels.earth import geocentric_of_j2000
from lake.kernels.orbits import Elements, half_minute_times, position_j2000
from lake.store import Lake

# Stem of the file and group in it.
STATISTICS = {
    "affected_pixels": "cr_affected_pixels",
    "rate": "incident_cr_rate",
    "sizes": "sizes",
    "shapes": "shapes",
    "energy_deposited": "energy_deposited",
}
# Chips in the order of their extensions, where it is not that of their numbers.
FIRST_CHIPS = {"ACS_WFC": (2, 1), "WFC3_UVIS": (2, 1)}


def write(lake: Lake, folder: Path) -> list[Path]:
    """Five files a detector, and a catalogue.

    Raises
    ------
    QueryError
        The lake has no measurements of cosmic rays.
    """
    folder.mkdir(parents=True, exist_ok=True)
    measured = lake.table("cosmic_rays.measurements").pl().drop_nulls("n_hits").sort("obs_id")
    written: list[Path] = []
    for instrument in sorted(set(measured["instrument"])):
        paths = {name: folder / f"{instrument.lower()}_cr_{name}_1.hdf5" for name in STATISTICS}
        files = {name: h5py.File(path, "w") for name, path in paths.items()}
        try:
            for row in measured.filter(measured["instrument"] == instrument).to_dicts():
                _exposure(lake, row, {name: files[name].require_group(group) for name, group in STATISTICS.items()})
        finally:
            for file in files.values():
                file.close()
        written += paths.values()
        catalogue = (
            lake.query("cosmic_rays.catalogue", detector=instrument, darks_only=False).pl().sort("date_start", "obs_id")
        )
        written.append(folder / f"{instrument.lower()}_catalog.csv")
        catalogue.write_csv(written[-1])
    return written


def _exposure(lake: Lake, measured: dict[str, Any], groups: dict[str, Any]) -> None:
    """The datasets of one exposure."""
    (facts,) = lake.table("cosmic_rays.exposures", where={"obs_id": measured["obs_id"]}).pl().to_dicts()
    detector = DETECTORS[facts["instrument"]]
    hits = lake.table("cosmic_rays.hits", where={"obs_id": measured["obs_id"]}).pl()
    order = FIRST_CHIPS.get(facts["instrument"], tuple(range(1, detector.n_images + 1)))
    rows = [row for chip in order for row in hits.filter(hits["chip"] == chip).sort("read_id", "hit_id").to_dicts()]
    offset = {chip: place * detector.rows for place, chip in enumerate(order)}
    pixels = [(np.array(r["pixels_y"]) + offset[r["chip"]], np.array(r["pixels_x"])) for r in rows]
    flat = np.concatenate([np.stack(pair, axis=1) for pair in pixels]) if pixels else np.empty((0, 2))
    values = {
        "affected_pixels": flat,
        "rate": np.array(measured["rate_per_s_cm2"]),
        "sizes": np.array([[r["size_px"] for r in rows], [r["n_pixels"] for r in rows]], np.float64),
        "shapes": np.array([r["shape"] for r in rows], np.float64),
        "energy_deposited": np.array([r["energy_e"] for r in rows], np.float64),
    }
    name = Path(lake.snapshot.sources[facts["source_sha256"]]["uri"]).name.removesuffix(".gz")
    if facts["obs_id"] != facts["archive_id"]:
        name = f"{facts['obs_id']}_{name.partition('_')[2]}"
    attributes = dict(_attributes(lake, facts))
    for statistic, value in values.items():
        dataset = groups[statistic].create_dataset(name, data=value.astype(np.float32))
        dataset.attrs.update(attributes)


def _attributes(lake: Lake, facts: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """What every dataset of an exposure says of it."""
    start, stop = (np.datetime64("1858-11-17") + np.timedelta64(round(mjd * 86_400_000), "ms") for mjd in _span(facts))
    yield "date", str(facts["start_time"].isoformat())
    yield "expstart", str(start)
    yield "expend", str(stop)
    yield "integration_time", facts["integration_s"]
    cards = json.loads(facts["wcs"] or "{}")
    yield from next(iter(cards.values()), {}).items()
    mjd = half_minute_times(*_span(facts))
    orbits = []
    if "cosmic_rays.orbits" in lake.snapshot.tables:
        orbits = lake.table("cosmic_rays.orbits", where={"archive_id": facts["archive_id"]}).pl().to_dicts()
    place = [np.full(len(mjd), np.nan)] * 3
    for row in orbits:
        elements = Elements(**{key: value for key, value in row.items() if key != "archive_id"})
        place = list(geocentric_of_j2000(position_j2000(elements, mjd), mjd))
    yield "time_intervals", mjd
    yield from zip(("longitude", "latitude", "altitude"), place, strict=True)


def _span(facts: dict[str, Any]) -> tuple[float, float]:
    return facts["start_mjd"], facts["stop_mjd"]
