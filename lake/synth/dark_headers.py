"""Headers of Hubble's dark exposures and of their telemetry, with the keywords that the archive's files have."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import floor, pi
from typing import Any

from lake.synth.exposures import Darks

MJD_1985 = 46066
OBSTYPES = {"ACS": "INTERNAL", "STIS": "SPECTROSCOPIC", "WFC3": "IMAGING", "NICMOS": "IMAGING"}


@dataclass(frozen=True)
class Orbit:
    """Elements of an orbit as the telemetry states them, of J2000.

    Attributes
    ----------
    epoch_s : from 1985-01-01 [s].
    mean_anomaly_rad, mean_motion_rev_s, mean_motion_rate_rev_s2 : at the epoch [rad], and its rates [rev/s], [rev/s2].
    perigee_rev, perigee_rev_s : argument of perigee, and its rate [rev], [rev/s].
    node_rev, node_rev_s : right ascension of the ascending node, and its rate [rev], [rev/s].
    eccentricity, cos_inclination, sin_inclination : [1].
    semilatus_m : semi-latus rectum [m].
    """

    epoch_s: float = 852046172.6852149
    mean_anomaly_rad: float = 4.936580013461865
    mean_motion_rev_s: float = 1.73848199176486e-4
    mean_motion_rate_rev_s2: float = 0.0
    perigee_rev: float = 0.2146191666666667
    perigee_rev_s: float = 3.4085796844707e-7
    node_rev: float = 0.443245
    node_rev_s: float = -2.0925513225504e-7
    eccentricity: float = 3.375e-4
    cos_inclination: float = 0.8790759837199418
    sin_inclination: float = 0.47668167034910913
    semilatus_m: float = 6942897.108750157

    def keywords(self, mjd: float) -> dict[str, Any]:
        """The same orbit by its elements at another epoch [d]."""
        epoch = (mjd - MJD_1985) * 86400.0
        after = epoch - self.epoch_s
        e, p = self.eccentricity, self.semilatus_m
        turns = self.mean_motion_rev_s * after + 0.5 * self.mean_motion_rate_rev_s2 * after**2
        motion = self.mean_motion_rev_s + self.mean_motion_rate_rev_s2 * after
        return {
            "EPCHTIME": epoch,
            "SDMEANAN": self.mean_motion_rate_rev_s2,
            "SDMA3SQ": 3 * (2 * pi * self.mean_motion_rate_rev_s2) ** 2,
            "HSTHORB": 0.5 / motion,
            "CIRVELOC": 2 * pi * motion * p / (1 - e**2),
            "COSINCLI": self.cos_inclination,
            "ECCENTRY": e,
            "ECCENTX2": 2 * e,
            "ECBDX4D3": 4 * e**3 / 3,
            "ESQDX5D2": 5 * e**2 / 2,
            "ECBDX3": 3 * e**3,
            "FDMEANAN": motion,
            "RCASCNRD": 2 * pi * self.node_rev_s,
            "RCASCNRV": self.node_rev_s,
            "ARGPERIG": (self.perigee_rev + self.perigee_rev_s * after) % 1,
            "MEANANOM": (self.mean_anomaly_rad + 2 * pi * turns) % (2 * pi),
            "RCARGPER": self.perigee_rev_s,
            "RASCASCN": (self.node_rev + self.node_rev_s * after) % 1,
            "SINEINCL": self.sin_inclination,
            "SEMILREC": p,
        }


def telemetry_words(scene: Darks, orbit: Orbit, days: int) -> dict[str, Any]:
    """The primary header of telemetry; the orbit's epoch is a midnight, so many days before the exposure [d]."""
    start = _instant(scene.start_mjd)
    stop = _instant(scene.start_mjd + scene.exposure_s / 86400)
    epoch = floor(scene.start_mjd) - days
    return {
        **_about(scene, scene.camera.telemetry),
        "FILETYPE": scene.camera.telemetry.upper(),
        "PSTRTIME": f"{start:%Y.%j:%H:%M:%S}",
        "PSTPTIME": f"{stop:%Y.%j:%H:%M:%S}",
        **orbit.keywords(epoch),
        "TIMEFFEC": float((epoch - MJD_1985) * 86400),
        "OBSSTRTT": (scene.start_mjd - MJD_1985) * 86400,
    }


def primary_words(scene: Darks) -> dict[str, Any]:
    """The primary header of an exposure, the scene's own keywords over it."""
    when = exposure_words(scene)
    if scene.camera.instrument == "STIS":
        when = {
            "TDATEOBS": when["DATE-OBS"],
            "TTIMEOBS": when["TIME-OBS"],
            "TEXPSTRT": when["EXPSTART"],
            "TEXPEND": when["EXPEND"],
            "TEXPTIME": when["EXPTIME"],
        }
    own = _camera_words(scene)
    return {**_about(scene, scene.camera.product), "FILETYPE": "SCI", **when, **_quality(), **own, **scene.keywords}


def science_words(scene: Darks, version: int, name: str, chip: int) -> dict[str, Any]:
    """The header of an image that is science, error or quality, of a sub-image from 0."""
    what = scene.camera
    rows, columns = scene.sub_shape
    words: dict[str, Any] = {
        "INHERIT": True,
        "EXTNAME": name,
        "EXTVER": version,
        "ROOTNAME": scene.root,
        "EXPNAME": scene.root,
        "BUNIT": "UNITLESS" if name == "DQ" else scene.bunit,
        "WCSAXES": 2,
        "CRPIX1": 0.5 * columns + what.border,
        "CRPIX2": 0.5 * rows + what.border,
        "CRVAL1": 0.0,
        "CRVAL2": 0.0,
        "CTYPE1": "RA---TAN",
        "CTYPE2": "DEC--TAN",
        "CD1_1": -1.4e-5,
        "CD1_2": 0.0,
        "CD2_1": 0.0,
        "CD2_2": 1.4e-5,
    }
    if what.instrument in ("ACS", "WFC3"):
        words["CCDCHIP"] = what.chips[chip][0]
    if what.instrument == "WFPC2":
        words["DETECTOR"] = what.chips[chip][0]
    if what.instrument == "STIS" and name == "SCI":
        words |= exposure_words(scene) | _quality()
    return words


def exposure_words(scene: Darks) -> dict[str, Any]:
    """When an exposure was."""
    start = _instant(scene.start_mjd)
    return {
        "DATE-OBS": f"{start:%Y-%m-%d}",
        "TIME-OBS": f"{start:%H:%M:%S}",
        "EXPSTART": scene.start_mjd,
        "EXPEND": scene.start_mjd + scene.exposure_s / 86400,
        "EXPTIME": scene.exposure_s,
        "EXPFLAG": "NORMAL",
    }


def _about(scene: Darks, suffix: str) -> dict[str, Any]:
    """What every file of an exposure begins with."""
    return {
        "FILENAME": f"{scene.root}_{suffix}.fits",
        "TELESCOP": "HST",
        "INSTRUME": scene.camera.instrument,
        "EQUINOX": 2000.0,
        "ROOTNAME": scene.root,
        "TARGNAME": "DARK",
        "PROPOSID": 0,
    }


def _quality() -> dict[str, Any]:
    return {"QUALCOM1": "NO APPARENT PROBLEMS", "QUALCOM2": "", "QUALCOM3": "", "QUALITY": "OK"}


def _camera_words(scene: Darks) -> dict[str, Any]:
    """How the camera was set, in its own keywords."""
    what = scene.camera
    if what.instrument == "WFPC2":
        return {"IMAGETYP": "DARK", "MODE": "FULL", "SHUTTER": "A", "ATODGAIN": _gain(scene, ""), "READTIME": 464}
    words: dict[str, Any] = {"OBSTYPE": OBSTYPES[what.instrument], "SUBARRAY": False}
    if what.instrument == "NICMOS":
        camera = int(what.detector[-1])
        words |= {"IMAGETYP": "DARK", "OBSMODE": "MULTIACCUM", "NSAMP": scene.n_reads}
        return words | {"CAMERA": camera, "ADCGAIN": _gain(scene, "")}
    words |= {"DETECTOR": what.detector, "CCDAMP": what.amplifiers, "CRSPLIT": 1, "CRREJTAB": what.rejection_table}
    if what.product == "ima":
        words |= {"OBSMODE": "MULTIACCUM", "NSAMP": scene.n_reads}
    if what.instrument == "STIS":
        gain = _gain(scene, "")
        return words | {"OBSMODE": "ACCUM", "CCDGAIN": round(gain), "ATODGAIN": gain, "READNSE": scene.noise_e}
    words["IMAGETYP"] = "DARK"
    words["CCDGAIN"] = float(round(max(_gain(scene, name) for name in "ABCD") * 2) / 2)
    for name in "ABCD":
        words |= {f"ATODGN{name}": _gain(scene, name), f"READNSE{name}": scene.noise_e * (_gain(scene, name) > 0)}
    if what.has_flash:
        words |= {"FLASHDUR": scene.flash_s, "FLASHCUR": "LOW" if scene.flash_s else "OFF"}
    return words


def _gain(scene: Darks, amplifier: str) -> float:
    gains: Mapping[str, float] = {**scene.camera.gains, **scene.gains}
    return float(gains.get(amplifier, gains.get("", 0.0)))


def _instant(mjd: float) -> datetime:
    """A date as headers write it, to the microsecond."""
    return datetime(1858, 11, 17) + timedelta(days=mjd)
