"""Hubble's detectors as cosmic rays see them: silicon of known area and thickness, read out in a known time."""

from collections.abc import Mapping
from dataclasses import dataclass

CM_PER_UM = 1e-4
AREA_DIGITS = 3
# WFPC2 reads out slowly: in 30 s after short exposures and 60 s after long ones.
SHORT_S, SHORT_READOUT_S, LONG_READOUT_S = 180.0, 30.0, 60.0


@dataclass(frozen=True)
class Detector:
    """A detector, which is read out as one image or as several.

    Attributes
    ----------
    name : its key in every table (`ACS_WFC`).
    instrument, channel : INSTRUME and DETECTOR (CAMERA of NICMOS) as headers have them.
    rows, columns : active pixels of an image.
    n_images : images of an exposure, one a chip.
    pixel_um : side of a pixel [um].
    readout_s : time that counts as exposed while it is read out [s].
    thickness_um : depth of silicon in which charge is collected; 0 where it is no silicon [um].
    is_ramp : whether an exposure is many reads that leave the charge where it is.
    border : rows and columns of reference pixels around the active ones.
    """

    name: str
    instrument: str
    channel: str
    rows: int
    columns: int
    n_images: int
    pixel_um: float
    readout_s: float
    thickness_um: float
    is_ramp: bool = False
    border: int = 0

    @property
    def area_cm2(self) -> float:
        """Active area of all its images [cm2], to the digit that published rates are divided by."""
        return round(self.rows * self.columns * self.n_images * (self.pixel_um * CM_PER_UM) ** 2, AREA_DIGITS)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of an image as it is stored, reference pixels included."""
        return self.rows + 2 * self.border, self.columns + 2 * self.border

    def readout_of(self, exposure_s: float) -> float:
        """Time that counts as exposed while an exposure is read out [s]."""
        if self.name != "WFPC2":
            return self.readout_s
        return SHORT_READOUT_S if exposure_s <= SHORT_S else LONG_READOUT_S


DETECTORS: Mapping[str, Detector] = {
    detector.name: detector
    for detector in (
        Detector("ACS_WFC", "ACS", "WFC", 2048, 4096, 2, 15.0, 50.0, 14.85),
        Detector("ACS_HRC", "ACS", "HRC", 1024, 1024, 1, 21.0, 15.0, 14.26),
        Detector("STIS_CCD", "STIS", "CCD", 1024, 1024, 1, 21.0, 15.0, 14.04),
        Detector("WFC3_UVIS", "WFC3", "UVIS", 2051, 4096, 2, 15.0, 50.0, 15.75),
        Detector("WFPC2", "WFPC2", "", 800, 800, 4, 15.0, LONG_READOUT_S, 10.0),
        Detector("WFC3_IR", "WFC3", "IR", 1014, 1014, 1, 18.0, 1.0, 0.0, is_ramp=True, border=5),
        Detector("NICMOS_NIC1", "NICMOS", "1", 256, 256, 1, 40.0, 0.0, 0.0, is_ramp=True),
        Detector("NICMOS_NIC2", "NICMOS", "2", 256, 256, 1, 40.0, 0.0, 0.0, is_ramp=True),
        Detector("NICMOS_NIC3", "NICMOS", "3", 256, 256, 1, 40.0, 0.0, 0.0, is_ramp=True),
    )
}


def detector_of(instrument: str, channel: str) -> Detector | None:
    """The detector of a header.

    Parameters
    ----------
    instrument, channel : str
        INSTRUME, and DETECTOR or the number of the CAMERA, in any case.

    Returns
    -------
    Detector
        None for one whose cosmic rays are not counted here, such as a photon-counting tube.
    """
    words = instrument.strip().upper(), channel.strip().upper()
    for detector in DETECTORS.values():
        if words[0] == detector.instrument and detector.channel in ("", words[1]):
            return detector
    return None
