"""Hubble's dark exposures with known truth, as the archive writes them: calibrated frames, ramps and telemetry.

Nothing in the files depends on the clock, so that a scene always gives the same bytes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from lake.synth.dark_headers import Orbit, primary_words, science_words, telemetry_words
from lake.synth.exposures import Darks, Pixels, Truth, frame_of, ramp_of, read_times, truth_of

__all__ = ["Darks", "Orbit", "Truth", "write_c0m", "write_exposure", "write_flt", "write_group", "write_ima",
           "write_telemetry"]  # fmt: skip

HOT_BIT, RAY_BIT = 16, 8192
GAP_S = 120.0
"""From the end of an exposure of a group to the start of the next [s]."""
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def write_flt(path: str | Path, scene: Darks, *, flagged: bool = False) -> Truth:
    """Simulate a dark of a CCD and write it as a calibrated frame: SCI, ERR and DQ of each chip.

    Parameters
    ----------
    path : str or Path
        The FITS file, written over if it is there.
    scene : Darks
        What to simulate.
    flagged : bool
        Whether DQ tells of pixels with a ray's charge above the scene's limit, beside hot ones.

    Returns
    -------
    Truth
        What was put in.

    Raises
    ------
    ValueError
        The detector's files are others.
    """
    truth = _truth(scene, "flt")
    hdus: list[Any] = []
    for chip in range(len(scene.camera.chips)):
        frame = frame_of(scene, truth, chip)
        quality = _quality(scene, truth, chip, flagged)
        hdus.extend(_triple(scene, chip, chip + 1, frame, _error(scene, frame), quality, scene.exposure_s))
    _write(path, primary_words(scene), hdus)
    return truth


def write_c0m(path: str | Path, scene: Darks) -> Truth:
    """Simulate a dark of WFPC2 and write it as the archive does: SCI of each chip, and no DQ.

    Parameters, what it returns and raises are those of `write_flt`.
    """
    truth = _truth(scene, "c0m")
    hdus = []
    for chip in range(len(scene.camera.chips)):
        counts = _in_unit(scene, frame_of(scene, truth, chip), chip, scene.exposure_s)
        hdus.append(_image(counts, science_words(scene, chip + 1, "SCI", chip)))
    _write(path, primary_words(scene), hdus)
    return truth


def write_ima(path: str | Path, scene: Darks, *, flagged: bool = True) -> Truth:
    """Simulate a dark of an infrared detector and write it as a ramp: SCI, ERR, DQ, SAMP and TIME of each read.

    The last read comes first. Pixels of SCI are rates over all of SAMPTIME, and 0 in the zeroth read. DQ tells of a ray
    from the first read that has it. Parameters, what it returns and raises are those of `write_flt`.
    """
    truth = _truth(scene, "ima")
    times, ramp = read_times(scene), ramp_of(scene, truth)
    hdus: list[Any] = []
    for k in reversed(range(scene.n_reads)):
        version = scene.n_reads - k
        samples = {
            "SAMPNUM": k,
            "SAMPTIME": float(times[k]),
            "DELTATIM": float(times[k] - times[k - 1]) if k else 0.0,
            "ROUTTIME": scene.start_mjd + float(times[k]) / 86400,
        }
        quality = _quality(scene, truth, 0, flagged, k)
        # one more read, the zeroth, is in each
        error = np.sqrt(_error(scene, ramp[k]) ** 2 + np.float32(scene.noise_e) ** 2) * np.float32(k > 0)
        hdus.extend(_triple(scene, 0, version, ramp[k], error, quality, float(times[k]), samples))
        for name, value in (("SAMP", k), ("TIME", float(times[k]))):
            hdus.append(_constant(ramp[k].shape, value, {"EXTNAME": name, "EXTVER": version, "ROOTNAME": scene.root}))
    _write(path, primary_words(scene), hdus)
    return truth


def write_telemetry(path: str | Path, scene: Darks, orbit: Orbit = Orbit(), days: int = 1) -> None:
    """Write the support file of an exposure, the elements of the orbit in its primary header.

    Parameters
    ----------
    path : str or Path
        The FITS file, written over if it is there.
    scene : Darks
        The exposure.
    orbit : Orbit
        Where the telescope goes.
    days : int
        Whole days from the epoch of the elements to that of the exposure, 0 to 7 in real ones [d].
    """
    log = _image(np.zeros(965, np.int16), {"EXTNAME": "UDL", "EXTVER": 1, "ROOTNAME": scene.root})
    _write(path, telemetry_words(scene, orbit, days), [log])


def write_exposure(folder: str | Path, scene: Darks, *, flagged: bool = False) -> Truth:
    """Write an exposure and its telemetry in a folder of its root, as downloads have them.

    Parameters
    ----------
    folder : str or Path
        Where folders of exposures are; made if it is not there.
    scene : Darks
        What to simulate.
    flagged : bool
        Whether DQ tells of rays; a ramp's always does, and WFPC2 has none.

    Returns
    -------
    Truth
        What was put in.
    """
    home = Path(folder) / scene.root
    home.mkdir(parents=True, exist_ok=True)
    what = scene.camera
    write_telemetry(home / f"{scene.root}_{what.telemetry}.fits", scene)
    path = home / f"{scene.root}_{what.product}.fits"
    match what.product:
        case "ima":
            return write_ima(path, scene)
        case "c0m":
            return write_c0m(path, scene)
    return write_flt(path, scene, flagged=flagged)


def write_group(folder: str | Path, scene: Darks, n: int, *, flagged: bool = False) -> list[Truth]:
    """Write exposures of one detector after each other: the same hot pixels, other rays and noise.

    Parameters
    ----------
    folder : str or Path
        Where folders of exposures are.
    scene : Darks
        The first; the others have the next roots.
    n : int
        How many.
    flagged : bool
        As for `write_exposure`.

    Returns
    -------
    list of Truth
        What was put in each.
    """
    return [write_exposure(folder, one, flagged=flagged) for one in group_of(scene, n)]


def group_of(scene: Darks, n: int) -> list[Darks]:
    """The scenes that `write_group` writes; the two characters of the observation in the root count in base 36.

    Raises
    ------
    ValueError
        Those characters are no number, or it is too great.
    """
    first = int(scene.root[6:8], 36)
    if first + n > 36**2:
        raise ValueError(f"roots from {scene.root}: found {n} exposures, expected {36**2 - first} at most")
    spacing = (scene.integration_s + GAP_S) / 86400
    return [
        replace(
            scene,
            root=f"{scene.root[:6]}{DIGITS[(first + k) // 36]}{DIGITS[(first + k) % 36]}{scene.root[8]}",
            start_mjd=scene.start_mjd + k * spacing,
            number=scene.number + k,
        )
        for k in range(n)
    ]


def _truth(scene: Darks, product: str) -> Truth:
    if scene.camera.product != product:
        raise ValueError(f"{scene.detector}: found product {product}, expected {scene.camera.product}")
    return truth_of(scene)


def _error(scene: Darks, frame: Pixels) -> Pixels:
    """Standard deviation of electrons: their own, and of one read [e]."""
    return np.sqrt(np.maximum(frame, 0) + np.float32(scene.noise_e) ** 2)


def _quality(scene: Darks, truth: Truth, chip: int, flagged: bool, read: int | None = None) -> NDArray[np.int16]:
    quality = np.where(truth.is_hot[chip], HOT_BIT, 0).astype(np.int16)
    if flagged:
        quality[truth.is_hit(chip + 1, scene.limit_e, read)] |= RAY_BIT
    return quality


def _in_unit(scene: Darks, frame: Pixels, chip: int, time_s: float) -> Pixels:
    """Electrons in the unit of the file."""
    kind = scene.bunit.removesuffix("/S")
    one = np.ones(frame.shape[1]) if kind == "ELECTRONS" else np.pad(scene.gain(chip), scene.camera.border, mode="edge")
    if kind != scene.bunit and time_s > 0:
        one = one * time_s
    electrons: Pixels = one.astype(np.float32)
    return frame / electrons


def _triple(
    scene: Darks,
    chip: int,
    version: int,
    frame: Pixels,
    error: Pixels,
    quality: NDArray[np.int16],
    time_s: float,
    samples: Mapping[str, Any] = {},
) -> Iterator[Any]:
    """Science, error and quality of one sub-image or read."""
    for name, values in (("SCI", frame), ("ERR", error)):
        words = {**science_words(scene, version, name, chip), **samples}
        yield _image(_in_unit(scene, values, chip, time_s), words)
    yield _image(quality, {**science_words(scene, version, "DQ", chip), **samples})


def _image(pixels: NDArray[Any], words: Mapping[str, Any]) -> Any:
    hdu = fits.ImageHDU(pixels)
    hdu.header.update(words)
    return hdu


def _constant(shape: tuple[int, ...], value: float, words: Mapping[str, Any]) -> Any:
    """An image whose pixels all have one value, which its header alone holds."""
    hdu = fits.ImageHDU()
    hdu.header.update({**words, "NPIX1": shape[1], "NPIX2": shape[0], "PIXVALUE": value})
    return hdu


def _write(path: str | Path, words: Mapping[str, Any], hdus: list[Any]) -> None:
    primary = fits.PrimaryHDU()
    primary.header.update({"NEXTEND": len(hdus), **words})
    fits.HDUList([primary, *hdus]).writeto(path, overwrite=True)
