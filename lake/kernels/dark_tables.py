"""Columns of the tables of Hubble's exposures, of its orbits, and of what else belongs to them."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lake.errors import SourceError
from lake.kernels.darks import Exposure
from lake.kernels.orbits import elements_of
from lake.kernels.tles import parse_tles
from lake.kernels.values import floats
from lake.source import Part, Source, is_missing

Columns = dict[str, Any]
# Tables of parameters name the detector in one keyword or in two.
TABLE_DETECTORS = {
    ("ACS", "WFC"): "ACS_WFC", ("ACS", "HRC"): "ACS_HRC", ("STIS", ""): "STIS_CCD", ("STIS", "CCD"): "STIS_CCD",
    ("WFC3", "UVIS"): "WFC3_UVIS", ("WFC3", "IR"): "WFC3_IR",
}  # fmt: skip
RULES = {
    "n_images": "CRSPLIT", "mean_exposure_s": "MEANEXP", "scale_noise": "SCALENSE", "first_guess": "INITGUES",
    "sky": "SKYSUB", "sigmas": "CRSIGMAS", "radius_px": "CRRADIUS", "spill": "CRTHRESH", "excluded_bits": "BADINPDQ",
}  # fmt: skip
INDICES = {
    "sunspot_number": "ssn", "smoothed_sunspot_number": "smoothed_ssn", "radio_flux": "f10.7",
    "smoothed_radio_flux": "smoothed_f10.7",
}  # fmt: skip
MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")
ALL_CHIPS = -999
HUBBLE = "20580"
"""Number of Hubble in the space catalogue, which both lines of its elements carry."""


def exposure_columns(exposures: tuple[Exposure, ...], sha256: str) -> Columns:
    """Columns of exposures of one file.

    Parameters
    ----------
    exposures : tuple of Exposure, length n
    sha256 : str
        Of the file's bytes.

    Returns
    -------
    dict of lists, length n
        By column of the table of exposures, in its units.
    """
    rows = []
    for exposure in exposures:
        detector = exposure.detector
        rows.append(
            {
                **exposure.facts,
                "obs_id": exposure.obs_id,
                "instrument": detector.name,
                "area_cm2": detector.area_cm2 * _share(exposure),
                "pixel_um": detector.pixel_um,
                "thickness_um": detector.thickness_um or None,
                "flaw": exposure.flaw or None,
                "source_sha256": sha256,
            }
        )
    return {name: [row[name] for row in rows] for name in rows[0]}


def _share(exposure: Exposure) -> float:
    """The part of a detector's chips that an exposure has."""
    return 1.0 if exposure.detector.is_ramp else len(exposure.images) / exposure.detector.n_images


def header_columns(source: Source, exposures: tuple[Exposure, ...]) -> Columns:
    """Columns of the keywords of a file, once for each of its exposures.

    Parameters
    ----------
    source : Source
    exposures : tuple of Exposure

    Returns
    -------
    dict of lists, length n_keywords
        `obs_id`, `part`, `keyword` and `value` as text, None where a keyword has none.
    """
    parts: list[tuple[str, Mapping[str, Any]]] = [("", source.header)]
    parts += [(f"{part.name or 'HDU'} {part.version}", part.header) for part in source.content.parts if part.header]
    found: Columns = {name: [] for name in ("obs_id", "part", "keyword", "value")}
    for exposure in exposures:
        for place, header in dict(parts).items():
            found["obs_id"] += [exposure.obs_id] * len(header)
            found["part"] += [place] * len(header)
            found["keyword"] += list(header)
            found["value"] += [None if is_missing(value) else str(value) for value in header.values()]
    return found


def planes(exposures: tuple[Exposure, ...]) -> tuple[NDArray[Any] | None, ...]:
    """Pixels, quality and errors of all images of one file.

    Parameters
    ----------
    exposures : tuple of Exposure

    Returns
    -------
    float32, uint16 and float32, shape (n_images, y, x)
        [electron], of a ramp [electron/s]; NaN as the file has it; None for a plane that not all images have.
    """
    images = [image for exposure in exposures for image in exposure.images]
    each: tuple[list[Any], ...] = (
        [i.electrons for i in images],
        [i.quality for i in images],
        [i.errors for i in images],
    )
    return tuple(np.stack(plane) if all(p is not None for p in plane) else None for plane in each)


def frame_columns(exposures: tuple[Exposure, ...]) -> Columns:
    """Columns of the frames of one file, an image each.

    Parameters
    ----------
    exposures : tuple of Exposure

    Returns
    -------
    dict of lists, length n_images
        Those that chips and reads have in common or alone, by the detector [s].
    """
    pairs = [(exposure, image) for exposure in exposures for image in exposure.images]
    found: Columns = {
        "time": np.array([np.datetime64(exposure.facts["start_time"], "us") for exposure, _ in pairs]),
        "obs_id": [exposure.obs_id for exposure, _ in pairs],
    }
    if exposures[0].detector.is_ramp:
        found["read_id"] = np.array([image.read for _, image in pairs], np.int16)
        found["sample_s"] = np.array([image.sample_s for _, image in pairs])
        found["step_s"] = np.array([image.step_s for _, image in pairs])
    else:
        found["chip"] = np.array([image.chip for _, image in pairs], np.int16)
    return found


def orbit_columns(source: Source) -> Columns:
    """Columns of the orbit that a telemetry file states.

    Parameters
    ----------
    source : Source

    Returns
    -------
    dict of lists, length 1
        By column of the table of orbits, in its units.

    Raises
    ------
    SourceError
        A keyword is missing or no number.
    """
    name = source.uri.rsplit("/", 1)[-1]
    try:
        elements = elements_of(source.header)
    except ValueError as error:
        raise SourceError(f"{name}: {error}") from error
    root = str(source.keyword("ROOTNAME") or name.partition("_")[0]).strip().lower()
    return {"archive_id": [root], **{key: [value] for key, value in vars(elements).items()}}


def tle_columns(source: Source) -> Columns:
    """Columns of a file of two-line elements.

    Parameters
    ----------
    source : Source

    Returns
    -------
    dict of arrays, length n_sets
        `epoch_mjd` [d], `line_1`, `line_2` of Hubble, the first of several of one epoch; `source_sha256`.

    Raises
    ------
    SourceError
        There is no good set of Hubble.
    """
    lines = source.part("LINES").column("line")
    assert lines is not None
    columns, problems = parse_tles("\n".join(lines.tolist()))
    is_hubble = np.array([line[2:7] == HUBBLE for line in columns["line_1"].tolist()], bool)
    if not is_hubble.any():
        why = f"; {problems[0].place}: {problems[0].reason}" if problems else ""
        file = source.uri.rsplit("/", 1)[-1]
        raise SourceError(f"{file}: found {is_hubble.size} sets of elements, none of Hubble ({HUBBLE}){why}")
    own = {name: values[is_hubble] for name, values in columns.items()}
    _, first = np.unique(own["epoch_mjd"], return_index=True)
    return {**{name: values[first] for name, values in own.items()}, "source_sha256": source.sha256}


def rule_columns(source: Source, part: Part) -> Columns:
    """Columns of a table of rejection parameters.

    Parameters
    ----------
    source : Source
    part : Part
        Its table, of n rows.

    Returns
    -------
    dict of arrays, length n
        By column of the table of rules, in its units.

    Raises
    ------
    SourceError
        It is for no detector that is known here, or lacks a column.
    """
    file = source.uri.rsplit("/", 1)[-1]
    words = tuple(str(source.keyword(name, part) or "").strip().upper() for name in ("INSTRUME", "DETECTOR"))
    instrument = TABLE_DETECTORS.get((words[0], words[1]))
    if instrument is None:
        raise SourceError(f"{file}: parameters for {' '.join(words).strip() or 'nothing'}, expected a CCD of Hubble")
    if missing := [name for name in RULES.values() if part.column(name) is None]:
        raise SourceError(f"{file}: no column {', '.join(missing)}; has {', '.join(part.columns)}")
    found: Columns = {name: part.column(stored) for name, stored in RULES.items()}
    for name in ("first_guess", "sky", "sigmas"):
        found[name] = np.char.strip(np.asarray(found[name], np.str_))
    chips = part.column("CCDCHIP")
    n = part.n_rows
    known = np.full(n, ALL_CHIPS) if chips is None else np.asarray(chips)
    return {
        **found,
        "scale_noise": np.asarray(found["scale_noise"]).astype(np.float64),
        "instrument": np.full(n, instrument),
        "row_id": np.arange(n, dtype=np.int32),
        "chip": np.ma.masked_array(known, (known < 1) | (known > 4)),
    }


def archive_rules(columns: Mapping[str, Any]) -> Columns:
    """Columns of the table of rules under the names that the archive's tables have.

    Parameters
    ----------
    columns : mapping of arrays, shape (n,)
        As `rule_columns` gives them.

    Returns
    -------
    dict of arrays, shape (n,)
        CRSPLIT, MEANEXP [s] and the others that `rejections.rule_of` reads; CCDCHIP where rows are of one chip.
    """
    found = {stored: columns[name] for name, stored in RULES.items()}
    chips = floats(columns["chip"])
    return found if np.isnan(chips).all() else found | {"CCDCHIP": chips}


def index_columns(source: Source) -> Columns:
    """Columns of NOAA's monthly indices of solar activity.

    Parameters
    ----------
    source : Source

    Returns
    -------
    dict of arrays, length n_months
        By column of the table of indices; NaN where the file has -1, which says that there is none.

    Raises
    ------
    SourceError
        These are other records, a month is none, or an index is no number.
    """
    part = source.part("RECORDS")
    file = source.uri.rsplit("/", 1)[-1]
    month = part.column("time-tag")
    if month is None or part.column("ssn") is None:
        raise SourceError(f"{file}: records of {', '.join(part.columns)}; expected time-tag and ssn among them")
    if wrong := next((text for text in month.tolist() if not MONTH.fullmatch(str(text))), None):
        raise SourceError(f"{file}: time-tag: found {wrong!r}, expected a year and a month such as 2013-01")
    found: Columns = {"month": month.astype("datetime64[M]").astype("datetime64[us]")}
    for name, stored in INDICES.items():
        values = part.column(stored)
        if values is not None and values.dtype.kind != "f":
            raise SourceError(f"{file}: {stored}: found text, expected numbers")
        found[name] = None if values is None else np.where(values < 0, np.nan, values)
    return found
