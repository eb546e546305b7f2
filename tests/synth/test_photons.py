"""Simulated lists hold what the simulation says, through reader and flags."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.stats import kstest

from lake.readers import read
from lake.synth.photons import INSTRUMENTS, Emitter, Scene, arrivals, write_event_list
from tests.builders.photons import photon_arrays, rows

GAPS = {-1: ((0.0, 400.0), (500.0, 1000.0))}
CHIPS = {3: ((0.0, 300.0), (310.0, 1000.0)), 7: ((50.0, 900.0),)}


def scene(instrument, **words):
    chips = instrument in ("chandra-acis", "xmm")
    emitters = (Emitter(0.5, detector_id=3), Emitter(1.0, (0.5, 1.0), amplitude=0.5, detector_id=7))
    return Scene(instrument, 1000.0, emitters, **{"good_times": CHIPS if chips else GAPS, "bad_share": 0.1} | words)


@pytest.mark.parametrize("instrument", INSTRUMENTS)
@settings(deadline=None, max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_what_was_put_in_comes_out(instrument, seed, tmp_path):
    truth = write_event_list(tmp_path / "list.fits", scene(instrument), seed)
    photons = photon_arrays(read(tmp_path / "list.fits"))
    assert len(photons["event_id"]) == truth.n_photons
    assert_allclose(photons["arrival_s"], truth.stored_s, rtol=0, atol=1e-7)
    assert (photons["is_good_grade"] == truth.is_good_grade).all()
    assert (photons["is_good_status"] == truth.is_good_status).all()
    if instrument != "chandra-hrc":
        assert (photons["is_good_time"] == truth.is_good_time).all()


@pytest.mark.parametrize(("instrument", "rtol"), [("chandra-acis", 1e-6), ("nicer", 0.01), ("xmm", 1e-3)])
def test_wavelengths_come_back_to_within_a_channel(instrument, rtol, tmp_path):
    truth = write_event_list(tmp_path / "list.fits", scene(instrument), 1)
    assert_allclose(photon_arrays(read(tmp_path / "list.fits"))["wavelength_nm"], truth.wavelength_nm, rtol=rtol)


def test_lines_fill_the_bins_they_are_in(tmp_path):
    lines = Emitter(2.0, (0.25, 0.75), is_lines=True)
    truth = write_event_list(tmp_path / "list.fits", Scene("chandra-acis", 1000.0, (lines,), GAPS), 4)
    photons = photon_arrays(read(tmp_path / "list.fits"))
    edges = np.array([0.0, 0.5, 1.0, 1.5])
    found, _ = np.histogram(photons["wavelength_nm"][photons["is_good_time"]], edges)
    assert found.tolist() == truth.counts(edges).tolist()
    assert found[2] == 0
    assert found.sum() == truth.n_in_good_time < truth.n_photons


def test_the_hrc_stores_each_photon_with_the_time_of_the_one_before(tmp_path):
    truth = write_event_list(tmp_path / "list.fits", scene("chandra-hrc"), 2)
    photons = photon_arrays(read(tmp_path / "list.fits"))
    assert_allclose(photons["arrival_s"][1:], truth.arrival_s[:-1], rtol=0, atol=1e-7)
    assert photons["arrival_s"][0] < truth.arrival_s[0]
    assert np.isnan(photons["wavelength_nm"]).all()


def test_a_grating_gives_the_hrc_its_wavelengths(tmp_path):
    truth = write_event_list(tmp_path / "list.fits", scene("chandra-hrc", has_grating=True), 2)
    photons = photon_arrays(read(tmp_path / "list.fits"))
    assert_allclose(photons["wavelength_nm"], truth.wavelength_nm, rtol=1e-6)
    assert set(photons["wavelength_source"]) == {"grating"}


@pytest.mark.parametrize(("instrument", "step"), [("chandra-acis", 3.24104), ("chandra-hrc", 1.5625e-5)])
def test_times_lie_on_the_detectors_grid(instrument, step, tmp_path):
    truth = write_event_list(tmp_path / "list.fits", scene(instrument), 3)
    ticks = (truth.arrival_s - truth.arrival_s[0]) / step
    assert_allclose(ticks, np.rint(ticks), rtol=0, atol=0.01)


def test_chips_have_tables_of_their_own(tmp_path):
    write_event_list(tmp_path / "list.fits", scene("chandra-acis"), 3)
    _, times, _ = rows(read(tmp_path / "list.fits"))
    assert [(t["detector_id"], t["start_s"] - 3e8, t["stop_s"] - 3e8) for t in times] == [
        (3, 0.0, 300.0), (3, 310.0, 1000.0), (7, 50.0, 900.0),
    ]  # fmt: skip


def test_the_same_seed_writes_the_same_bytes_and_another_does_not(tmp_path):
    paths = [tmp_path / name for name in ("a.fits", "b.fits", "c.fits")]
    for path, seed in zip(paths, (1, 1, 2), strict=True):
        write_event_list(path, scene("nicer"), seed)
    one, same, other = (path.read_bytes() for path in paths)
    assert one == same != other


@given(seed=st.integers(0, 2**32))
@settings(deadline=None, max_examples=20)
def test_a_constant_source_arrives_evenly_and_as_often_as_it_should(seed):
    time = arrivals(Emitter(2.0), 1000.0, np.random.default_rng(seed))
    assert abs(len(time) - 2000) < 6 * np.sqrt(2000)
    assert kstest(time / 1000, "uniform").pvalue > 1e-7


def test_a_modulated_source_follows_its_sine():
    source = Emitter(200.0, amplitude=0.5, period_s=10.0, phase=0.3)
    time = arrivals(source, 1000.0, np.random.default_rng(5))
    # the mean of exp(-i phase) is that of the sine: amplitude/2, a quarter turn behind
    vector = np.exp(-1j * 2 * np.pi * time / 10.0).mean()
    assert_allclose(vector, 0.25 * np.exp(1j * (0.3 - np.pi / 2)), rtol=0, atol=5 / np.sqrt(len(time)))
    assert abs(len(time) - 200_000) < 5 * np.sqrt(200_000)


def test_nothing_seen_is_a_list_without_photons(tmp_path):
    truth = write_event_list(tmp_path / "list.fits", Scene("xmm", 10.0, ()), 1)
    assert truth.n_photons == 0
    assert rows(read(tmp_path / "list.fits"))[0]["n_photons"] == 0


def test_unknown_instruments_and_no_duration_are_refused(tmp_path):
    with pytest.raises(ValueError, match="not known"):
        write_event_list(tmp_path / "list.fits", Scene("sextant", 1.0, ()), 1)
    with pytest.raises(ValueError, match="above 0"):
        write_event_list(tmp_path / "list.fits", Scene("nicer", 0.0, ()), 1)
