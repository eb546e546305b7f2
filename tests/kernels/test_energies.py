"""Energies of channels, wavelengths of energies, wavelengths by gratings."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from lake.kernels.energies import channel_energy, grating_wavelength, wavelength


@given(energy=st.floats(0.1, 14935.0))
def test_an_acis_channel_holds_the_energy_it_was_made_from(energy):
    channel = np.clip(np.floor(energy / 14.6) + 1, 1, 1024)
    assert abs(channel_energy(channel, "CHANDRA", "ACIS") - energy) <= 7.3 * (1 + 1e-9)


def test_the_middle_of_channel_100_is_a_half_above_its_lower_edge():
    # 14.6 * 99 to 14.6 * 100 eV; half a channel more is a known fault
    assert_allclose(channel_energy(100, "CHANDRA", "ACIS"), 14.6 * 99.5)


@pytest.mark.parametrize(
    ("telescope", "instrument", "energy_ev"),
    [
        ("NICER", "XTI", 1000.0), ("NuSTAR", "FPMA", 5620.0), ("NUSTAR", "FPMB", 5620.0), ("XMM", "epn", 100.0),
        ("XMM", "EMOS1", 100.0), ("SWIFT", "XRT", 1000.0), ("IXPE", "GPD", 4000.0), ("XRISM", "RESOLVE", 50.0),
        ("eROSITA", "MERGED", 100.0), ("SRG", "eROSITA", 100.0),
    ],
)  # fmt: skip
def test_channel_100_of_each_mission_is_its_own_energy(telescope, instrument, energy_ev):
    assert_allclose(channel_energy(100, telescope, instrument), energy_ev)


@pytest.mark.parametrize(("telescope", "instrument"), [("CHANDRA", "HRC"), ("XTE", "PCA"), ("babasone", "INSTRUMO")])
def test_channels_that_mean_no_energy_give_none(telescope, instrument):
    assert np.isnan(channel_energy([0, 100, 255], telescope, instrument)).all()


def test_overflow_and_masked_channels_have_no_energy():
    channels = np.ma.masked_array([0, 1, 1023, 1024, 5], [False, False, False, False, True])
    assert np.isnan(channel_energy(channels, "CHANDRA", "ACIS")).tolist() == [True, False, False, True, True]


@given(energy=st.floats(1e-3, 1e9))
def test_wavelength_and_energy_are_each_others_inverse(energy):
    assert_allclose(wavelength(wavelength(energy)), energy, rtol=1e-12)
    assert_allclose(wavelength(1239.841984), 1.0)


def test_no_energy_is_no_wavelength():
    assert np.isnan(wavelength([0.0, -1.0, np.nan])).all()
    assert wavelength([]).shape == (0,)


@given(length=st.floats(0.1, 20), order=st.sampled_from([-3, -1, 1, 2]))
def test_a_dispersed_photon_has_one_wavelength_in_every_order(length, order):
    assert_allclose(grating_wavelength(order * 10 * length, order), length)


def test_orders_0_and_99_have_no_dispersed_wavelength():
    assert np.isnan(grating_wavelength([0.0, 12.0, 12.0], [0, 0, 99])).all()
