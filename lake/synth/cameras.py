"""Hubble's cameras as a simulator wants them: size, silicon, flux of rays, and words of their files."""

from collections.abc import Mapping
from dataclasses import dataclass

from lake.synth.silicon import Silicon


@dataclass(frozen=True)
class Camera:
    """A detector and its files.

    Attributes
    ----------
    instrument, detector : INSTRUME and DETECTOR.
    chips : number of each sub-image in the order of the file, and its amplifiers from left to right where they have
        gains of their own.
    amplifiers : CCDAMP, empty where headers don't tell.
    shape : rows and columns of a sub-image, reference pixels not counted [pix].
    silicon : what rays cross.
    flux_per_s_cm2 : mean flux of rays [1/s/cm2].
    readout_s : time in which rays are gathered beside the exposure; for WFPC2, after one of 180 s or less [s].
    product, telemetry : suffixes of its files.
    unit : BUNIT.
    gains : electrons a count of each amplifier; of all, under no name [e/DN].
    read_noise_e : of one read [e].
    rejection_table : CRREJTAB, empty where it has none.
    border : width of the frame of reference pixels [pix].
    has_flash : whether its headers tell of a flash.
    """

    instrument: str
    detector: str
    chips: tuple[tuple[int, str], ...]
    amplifiers: str
    shape: tuple[int, int]
    silicon: Silicon
    flux_per_s_cm2: float
    readout_s: float
    product: str
    telemetry: str
    unit: str
    gains: Mapping[str, float]
    read_noise_e: float
    rejection_table: str = ""
    border: int = 0
    has_flash: bool = False


# Infrared detectors are mercury cadmium telluride, where a ray frees about four times the electrons in a third of the
# thickness; both figures are rough.
NICMOS = Silicon(5.0, 40.0, 300.0, diffusion_px=0.2)
CAMERAS: Mapping[str, Camera] = {
    "ACS_WFC": Camera(
        "ACS", "WFC", ((2, "CD"), (1, "AB")), "ABCD", (2048, 4096), Silicon(14.85, 15.0), 1.165, 50.0, "flt", "spt",
        "ELECTRONS", {"A": 2.02, "B": 1.886, "C": 2.017, "D": 2.011}, 4.0, "jref$29p1548cj_crr.fits", has_flash=True,
    ),
    "ACS_HRC": Camera(
        "ACS", "HRC", ((1, "C"),), "C", (1024, 1024), Silicon(14.26, 21.0), 1.013, 15.0, "flt", "spt",
        "ELECTRONS", {"A": 0.0, "B": 0.0, "C": 2.216, "D": 0.0}, 4.7, "jref$n4e12510j_crr.fits", has_flash=True,
    ),
    "STIS_CCD": Camera(
        "STIS", "CCD", ((1, ""),), "D", (1024, 1024), Silicon(14.04, 21.0), 0.956, 15.0, "flt", "spt",
        "COUNTS", {"": 1.0}, 4.0, "oref$j3m1403io_crr.fits",
    ),
    "WFC3_UVIS": Camera(
        "WFC3", "UVIS", ((2, "CD"), (1, "AB")), "ABCD", (2051, 4096), Silicon(15.75, 15.0), 1.199, 50.0, "flt", "spt",
        "ELECTRONS", {"A": 1.56, "B": 1.56, "C": 1.58, "D": 1.57}, 3.1, "iref$n9i1435li_crr.fits", has_flash=True,
    ),
    "WFPC2": Camera(
        "WFPC2", "", ((1, ""), (2, ""), (3, ""), (4, "")), "", (800, 800), Silicon(10.0, 15.0), 1.189, 30.0,
        "c0m", "shm", "COUNTS", {"": 7.0}, 5.0,
    ),
    "WFC3_IR": Camera(
        "WFC3", "IR", ((1, ""),), "ABCD", (1014, 1014), Silicon(5.0, 18.0, 300.0, diffusion_px=0.3), 1.2, 1.0,
        "ima", "spt", "ELECTRONS/S", {"": 2.36}, 14.0, "iref$u6a1748ri_crr.fits", border=5,
    ),
    **{
        f"NICMOS_NIC{n}": Camera(
            "NICMOS", f"NIC{n}", ((n, ""),), "", (256, 256), NICMOS, 1.335, 0.0,
            "ima", "spt", "COUNTS/S", {"": 5.4}, 27.0,
        )
        for n in (1, 2, 3)
    },
}  # fmt: skip
