"""Exposures of Hubble's detectors: which images a file holds, in electrons, each amplifier by its own gain.

A chip is one image. Pixels keep their sign and their background, and no image is put beside another one, where a cosmic
ray would run on from chip to chip.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lake.clocks import mjd_to_utc
from lake.errors import SourceError
from lake.kernels.detectors import Detector, detector_of
from lake.kernels.keywords import Keywords, finite
from lake.source import Part, Source

WCS_KEYS = re.compile(
    r"WCSAXES|CRPIX\d|CRVAL\d|CTYPE\d|CUNIT\d|CDELT\d|CD\d_\d|PC\d_\d|LONPOLE|LATPOLE|RADESYS|EQUINOX|ORIENTAT"
)
# Amplifiers of a detector that is read out as several: chip, then the sides they read from left to right.
AMPLIFIERS: Mapping[str, Mapping[int, str]] = {"ACS_WFC": {1: "AB", 2: "CD"}, "WFC3_UVIS": {1: "AB", 2: "CD"}}
DATA_LOST, RAY_BITS = 2, 8192
SHORTEST_S = 0.1
LONGEST_COMMENT = 30


@dataclass(frozen=True)
class Image:
    """One chip of an exposure, or one read of a ramp.

    Attributes
    ----------
    chip : its number, from 1.
    read : which read of a ramp in the order of time, from 0; 0 of a CCD.
    electrons : float32, shape (y, x) [electron], for a ramp [electron/s]; NaN where the file has it.
    errors : float32, shape (y, x), standard errors in the same unit; None where the file has none.
    quality : uint16, shape (y, x), data-quality bits; None where the file has none.
    gains : electrons a count of each amplifier that reads it; empty where the file is in electrons.
    sample_s, step_s : of a read, time since the first one and since the one before [s].
    wcs : its cards of the world coordinate system.
    """

    chip: int
    electrons: NDArray[np.float32]
    errors: NDArray[np.float32] | None = None
    quality: NDArray[np.uint16] | None = None
    gains: tuple[float, ...] = ()
    read: int = 0
    sample_s: float = 0.0
    step_s: float = 0.0
    wcs: Mapping[str, Any] = ()  # type: ignore[assignment]


@dataclass(frozen=True)
class Exposure:
    """One exposure of one detector.

    Attributes
    ----------
    obs_id : ROOTNAME, and which exposure of the file where it holds several.
    facts : columns of the table of exposures but for those of the detector.
    images : chips by number, or reads in the order of time.
    flaw : why it is not to be analysed; empty for a good one.
    """

    obs_id: str
    detector: Detector
    facts: Mapping[str, Any]
    images: tuple[Image, ...]
    flaw: str = ""


def exposures(source: Source) -> tuple[Exposure, ...]:
    """Every exposure of a file.

    Parameters
    ----------
    source : Source
        A file of calibrated images.

    Returns
    -------
    tuple of Exposure
        One, or as many as a CR-split association has; with `flaw` where one is not to be analysed: a sub-array, pixels
        that were lost on the way to the ground, an observer's complaint, less than 0.1 s.

    Raises
    ------
    SourceError
        It is no calibrated image of a detector that is known here; an image has no unit, no gain or no time; or two
        exposures of a file start at once.
    """
    words = Keywords(source, Part())
    detector = detector_of(words.text("INSTRUME"), words.text("DETECTOR", "CAMERA"))
    if detector is None:
        other = f"{words.text('INSTRUME') or 'nothing'} {words.text('DETECTOR', 'CAMERA')}".strip()
        raise SourceError(f"{words.file}: images of {other}, expected a CCD or an infrared camera of Hubble")
    if words.text("BIASCORR").upper() == "PERFORM":
        raise SourceError(f"{words.file}: a raw image, BIASCORR still to be done; expected a calibrated one")
    science = list(_science(source, detector))
    if not science:
        names = ", ".join(part.name or "(unnamed)" for part in source.content.parts) or "nothing"
        raise SourceError(f"{words.file}: no image; has {names}")
    each = len(science) if detector.is_ramp else detector.n_images
    groups = [science[start : start + each] for start in range(0, len(science), each)]
    found = tuple(_exposure(source, detector, group, n if len(groups) > 1 else 0) for n, group in enumerate(groups, 1))
    if len({exposure.facts["start_time"] for exposure in found}) < len(found):
        raise SourceError(f"{words.file}: {len(found)} exposures, of which some state the same EXPSTART")
    return found


def _science(source: Source, detector: Detector) -> Iterator[Part]:
    """Images by increasing EXTVER; those of WFPC2's old files, which are the planes of a cube, one by one."""
    parts = sorted((p for p in source.parts("SCI") if p.pixels is not None), key=lambda part: part.version)
    if parts or detector.name != "WFPC2":
        yield from parts
        return
    for part in source.content.parts:
        if part.pixels is not None and part.pixels.ndim == 3:
            for plane, pixels in enumerate(part.pixels, 1):
                # The header's world coordinates are those of the first plane; a table has those of the others.
                own = {k: v for k, v in part.header.items() if plane == 1 or not WCS_KEYS.fullmatch(k)}
                header = {**own, "DETECTOR": plane, "BUNIT": part.header.get("BUNIT", "COUNTS")}
                yield replace(part, name="SCI", version=plane, header=header, pixels=pixels)


def _exposure(source: Source, detector: Detector, science: list[Part], number: int) -> Exposure:
    """One exposure: what its header says, its images, and whether it is good."""
    words = Keywords(source, science[0])
    file = Keywords(source, Part())
    # Of several exposures each states its own time; of one, the file does, but for STIS.
    places = (words,) if number else (file, words)
    exposure_s = _first(places, "EXPTIME")
    start, stop = _first(places, "EXPSTART"), _first(places, "EXPEND")
    if exposure_s is None or start is None:
        raise SourceError(f"{file.file}: found EXPTIME {exposure_s}, EXPSTART {start}, expected two finite numbers")
    images = tuple(_images(source, detector, science, exposure_s))
    root = (file.text("ROOTNAME") or words.text("ROOTNAME") or file.file.partition("_")[0]).lower()
    readout_s = detector.readout_of(exposure_s)
    flash_s = file.number("FLASHDUR") or 0.0
    facts = {
        "archive_id": root,
        "target": file.text("TARGNAME") or None,
        "is_dark": file.text("TARGNAME").upper().startswith("DARK") or file.text("IMAGETYP").upper() == "DARK",
        "start_time": mjd_to_utc(start)[()],
        "start_mjd": start,
        # Without an end, or with one before the start (0 stands for none), it is as long as its exposure.
        "stop_mjd": stop if stop is not None and stop >= start else start + exposure_s / 86400,
        "exposure_s": exposure_s,
        "flash_s": flash_s,
        "readout_s": readout_s,
        "integration_s": exposure_s + flash_s + readout_s,
        "amplifiers": file.text("CCDAMP") or None,
        "unit": words.text("BUNIT") or None,
        "gains": [gain for image in images[: detector.n_images] for gain in image.gains],
        "read_noise_e": _read_noise(file),
        "n_flagged": _flagged(images),
        "quality": words.text("QUALITY") or None,
        "wcs": json.dumps({str(image.chip): dict(image.wcs) for image in images[: detector.n_images]}, sort_keys=True),
        "made_at": file.text("DATE") or None,
    }
    flaw = _flaw(detector, words, images, exposure_s)
    return Exposure(f"{root}_{number}" if number else root, detector, facts, images, flaw)


def _flagged(images: tuple[Image, ...]) -> int | None:
    """Pixels with the bit of cosmic rays; None where an image has no quality."""
    bits = [image.quality for image in images]
    return (
        None if any(q is None for q in bits) else sum(int(((q & RAY_BITS) != 0).sum()) for q in bits if q is not None)
    )


def _first(places: tuple[Keywords, ...], name: str) -> float | None:
    return next((value for words in places if (value := words.number(name)) is not None), None)


def _read_noise(words: Keywords) -> float | None:
    """Mean read noise of the amplifiers in use [electron]."""
    each = [words.number(f"READNSE{letter}") for letter in ("", *"ABCD")]
    known = [noise for noise in each if noise]
    return float(np.mean(known)) if known else None


def _images(source: Source, detector: Detector, science: list[Part], exposure_s: float) -> Iterator[Image]:
    """Images of an exposure in electrons; reads of a ramp in the order of time, which EXTVER counts backwards."""
    if not detector.is_ramp:
        for part in science:
            yield _image(source, detector, part, exposure_s)
        return
    reads = sorted(((_sampled(source, part), part) for part in science), key=lambda pair: (pair[0], -pair[1].version))
    before = 0.0
    for number, (sample_s, part) in enumerate(reads):
        image = _image(source, detector, part, sample_s)
        yield replace(image, read=number, sample_s=sample_s, step_s=sample_s - before)
        before = sample_s


def _sampled(source: Source, part: Part) -> float:
    """Time of a read since the first one [s]."""
    sample_s = Keywords(source, part, alone=True).number("SAMPTIME")
    if sample_s is None:
        raise SourceError(
            f"{source.uri.rsplit('/', 1)[-1]}: SCI {part.version} states no SAMPTIME, the time it was read"
        )
    return sample_s


def _image(source: Source, detector: Detector, part: Part, exposure_s: float) -> Image:
    """One image in electrons, of a ramp in electrons a second, with what goes along with it."""
    words = Keywords(source, part)
    chip = _chip(detector, words, part)
    assert part.pixels is not None
    gains = amplifier_gains(detector, chip, words.text("CCDAMP"), words.all)
    factor = _factor(words, detector, gains, part.pixels.shape, exposure_s)
    errors = _along(source, "ERR", part)
    quality = _along(source, "DQ", part)
    return Image(
        chip,
        _scaled(part.pixels, factor),
        None if errors is None else _scaled(errors, factor),
        None if quality is None else quality.astype(np.int16, copy=False).view(np.uint16),
        () if words.text("BUNIT").upper().startswith("E") else gains,
        wcs={k: v for k, v in sorted(part.header.items()) if WCS_KEYS.fullmatch(k)},
    )


def _scaled(pixels: NDArray[Any], factor: Any) -> NDArray[np.float32]:
    """Pixels in electrons; those that are so already stay where they are."""
    is_one = np.ndim(factor) == 0 and factor == 1
    return pixels.astype(np.float32, copy=False) if is_one else (pixels * factor).astype(np.float32)


def _chip(detector: Detector, words: Keywords, part: Part) -> int:
    """The chip's number: stated, or 2 and 1 of those that are read from the bottom up."""
    stated = words.number("CCDCHIP") if detector.name != "WFPC2" else words.number("DETECTOR")
    if stated is not None:
        return int(stated)
    if detector.is_ramp or detector.n_images == 1:
        return 1
    place = (part.version - 1) % detector.n_images
    return place + 1 if detector.name == "WFPC2" else detector.n_images - place


def _along(source: Source, name: str, part: Part) -> NDArray[Any] | None:
    """The plane of a name that goes with an image; None where there is none, or an empty one."""
    return next((p.pixels for p in source.parts(name) if p.version == part.version and p.pixels is not None), None)


def amplifier_gains(detector: Detector, chip: int, amplifiers: str, words: Mapping[str, Any]) -> tuple[float, ...]:
    """Electrons a count of each amplifier that reads a chip.

    Parameters
    ----------
    detector : Detector
    chip : int
        Number of the chip.
    amplifiers : str
        Letters of those in use (CCDAMP).
    words : mapping
        Keywords in capitals: ATODGAIN, or ATODGNA to ATODGND.

    Returns
    -------
    tuple of float
        Gains [electron/count] from left to right, then those of the upper rows before those of the lower; one where
        one amplifier reads all of it, none where no gain is stated.
    """
    single = next((gain for name in ("ATODGAIN", "ADCGAIN") if (gain := finite(words.get(name)))), None)
    each = {letter: finite(words.get(f"ATODGN{letter}")) for letter in "ABCD"}
    known = {letter: gain for letter, gain in each.items() if gain}
    if not known:
        return () if single is None else (single,)
    used = [letter for letter in amplifiers.upper() if letter in known] or list(known)
    own = [letter for letter in AMPLIFIERS.get(detector.name, {}).get(chip, "ABCD") if letter in used]
    return tuple(known[letter] for letter in own or used)


def _factor(
    words: Keywords, detector: Detector, gains: tuple[float, ...], shape: tuple[int, ...], exposure_s: float
) -> Any:
    """By what stored values are multiplied to be electrons, of a ramp electrons a second.

    Raises
    ------
    SourceError
        The unit is none that is known, or counts come without a gain.
    """
    unit = words.text("BUNIT").upper().replace(" ", "")
    amount, _, time = unit.partition("/")
    if amount not in ("COUNTS", "COUNT", "DN", "ADU", "ELECTRONS", "ELECTRON", "E-", "E") or time not in (
        "", "S", "SEC", "SECOND",
    ):  # fmt: skip
        raise SourceError(f"{words.file}: found BUNIT {unit!r}, expected COUNTS or ELECTRONS, or either a second")
    factor: Any = 1.0
    if not amount.startswith("E"):
        if not gains:
            raise SourceError(f"{words.file}: in {unit}, but no gain is stated: no ATODGAIN nor ATODGNA to ATODGND")
        try:
            factor = gain_map(gains, shape)
        except ValueError as error:
            raise SourceError(f"{words.file}: CCDAMP {words.text('CCDAMP')}: {error}") from error
    if time and not detector.is_ramp:
        return factor * exposure_s
    if not time and detector.is_ramp:
        return factor / exposure_s if exposure_s > 0 else factor * 0.0
    return factor


def gain_map(gains: tuple[float, ...], shape: tuple[int, ...]) -> float | NDArray[np.float32]:
    """Gain of each pixel of an image, shape (y, x).

    Parameters
    ----------
    gains : tuple of float
        Of one amplifier, two (left and right half) or four (upper left and right, lower left and right)
        [electron/count]; NaN gives NaN.
    shape : (int, int)
        Rows and columns.

    Returns
    -------
    float, or float32 of that shape
        [electron/count]; never NaN.

    Raises
    ------
    ValueError
        There are another number of amplifiers.
    """
    if len(gains) == 1:
        return gains[0]
    if len(gains) not in (2, 4):
        raise ValueError(f"found gains of {len(gains)} amplifiers, expected 1, 2 or 4")
    rows, columns = shape
    found = np.empty(shape, np.float32)
    upper, lower = gains[:2], gains[-2:]
    half = columns // 2
    found[rows // 2 :, :half], found[rows // 2 :, half:] = upper
    found[: rows // 2, :half], found[: rows // 2, half:] = lower
    return found


def _flaw(detector: Detector, words: Keywords, images: tuple[Image, ...], exposure_s: float) -> str:
    """Why an exposure is not to be analysed; empty where nothing speaks against it."""
    if words.all.get("SUBARRAY") is True:
        return "a sub-array"
    shapes = {image.electrons.shape for image in images}
    if shapes != {detector.shape}:
        found = ", ".join(f"{y} x {x}" for y, x in sorted(shapes))
        return f"found {found} pixels, expected {detector.shape[0]} x {detector.shape[1]}"
    if exposure_s < SHORTEST_S:
        return f"found {exposure_s:g} s of exposure, expected at least {SHORTEST_S:g} s"
    comments = [str(value) for name, value in words.all.items() if re.fullmatch(r"QUALCOM\d", name)]
    if "OK" not in words.text("QUALITY").upper() and any(len(text.strip()) > LONGEST_COMMENT for text in comments):
        return f"the archive says: {max(comments, key=len).strip()}"
    lost = sum(int(((image.quality & DATA_LOST) != 0).sum()) for image in images if image.quality is not None)
    return f"{lost} pixels were lost on the way to the ground" if lost else ""
