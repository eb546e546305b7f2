"""Photon energies and wavelengths: PI channels of X-ray telescopes, and gratings."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from lake.kernels.values import Floats, floats, of_instrument

HC_EV_NM = 1239.841984
BACKGROUND_ORDER = 99


class Channels(NamedTuple):
    """PI channels that mean an energy: the middle of channel `pi` is `offset_ev + width_ev * pi` [eV]."""

    width_ev: float
    offset_ev: float = 0.0
    first: int = 0
    last: int = np.iinfo(np.int32).max


# By telescope and beginning of the instrument's name. Chandra HRC is absent on purpose: its PI is a pulse height.
# Sources, in order: CIAO dictionary, "PI: Pulse Invariant"; HEASoft help of nicerpi; of nucalcpi (1.60 keV is the lower
# edge of channel 0); XMM-Newton Calibration Access and Data Handbook, PHA to PI (both cameras); HEASoft help of
# xrtcalcpi; IXPE Quick Start Guide; HEASoft help of rslpha2pi; eSASS4DR1, "standard FITS file extensions" (both names).
CHANNELS: dict[tuple[str, str], Channels] = {
    # channel 1024 holds everything above 14.9 keV
    ("CHANDRA", "ACIS"): Channels(14.6, -7.3, 1, 1023),
    ("NICER", "XTI"): Channels(10.0),
    ("NUSTAR", "FPM"): Channels(40.0, 1620.0),
    ("XMM", "EPN"): Channels(1.0),
    ("XMM", "EMOS"): Channels(1.0),
    ("SWIFT", "XRT"): Channels(10.0),
    ("IXPE", ""): Channels(40.0),
    ("XRISM", "RESOLVE"): Channels(0.5),
    ("EROSITA", ""): Channels(1.0),
    ("SRG", "EROSITA"): Channels(1.0),
}


def channel_energy(pi: ArrayLike, telescope: str, instrument: str) -> Floats:
    """Energy in the middle of PI channels.

    Parameters
    ----------
    pi : int or float, shape (...)
        Pulse-invariant channels [1]; those that are masked or NaN have no energy.
    telescope, instrument : str
        As TELESCOP and INSTRUME say, in any case.

    Returns
    -------
    float64, shape (...)
        Energy [eV]; NaN below the first channel, in overflow, and for instruments whose channels mean none.

    Raises
    ------
    ValueError
        Channels are no numbers.

    References
    ----------
    Those of CHANNELS.
    """
    channels = of_instrument(CHANNELS, telescope, instrument)
    number = floats(pi)
    if channels is None:
        return np.full(number.shape, np.nan)
    number[~((number >= channels.first) & (number <= channels.last))] = np.nan
    number *= channels.width_ev
    number += channels.offset_ev
    return number


def wavelength(energy_ev: ArrayLike) -> Floats:
    """Wavelength of photons, h c / E.

    Parameters
    ----------
    energy_ev : float, shape (...)
        Energy [eV].

    Returns
    -------
    float64, shape (...)
        Wavelength [nm]; NaN where the energy is masked, NaN, or not above 0.

    Raises
    ------
    ValueError
        Energies are no numbers.

    References
    ----------
    CODATA 2018: h c = 1239.841984 eV nm.
    """
    energy = floats(energy_ev)
    energy[~(energy > 0)] = np.nan
    length: Floats = HC_EV_NM / energy
    return length


def grating_wavelength(m_lambda_angstrom: ArrayLike, order: ArrayLike) -> Floats:
    """Wavelength of dispersed photons.

    Parameters
    ----------
    m_lambda_angstrom : float, shape (...)
        Order times wavelength, either sign (TG_MLAM) [Å].
    order : int or float, shape (...)
        Diffraction order (TG_M) [1]: 0 is undispersed, 99 background.

    Returns
    -------
    float64, shape (...)
        Wavelength [nm]; NaN where either is masked or NaN, and for orders 0 and 99.

    Raises
    ------
    ValueError
        Shapes do not broadcast, or values are no numbers.

    References
    ----------
    Chandra Proposers' Observatory Guide, ch. 8: the grating equation m lambda = p sin(theta), as TG_MLAM states it.
    """
    product, number = np.broadcast_arrays(floats(m_lambda_angstrom), floats(order))
    number = np.where((number == 0) | (number == BACKGROUND_ORDER), np.nan, number)
    length: Floats = 0.1 * np.abs(product / number)
    return length
