"""Where Hubble was during an exposure: by telemetry before radar, at least every minute, inside its own contour."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from lake.kernels.anomaly import CONTOURS, is_within
from lake.kernels.anomaly_contours import MODELS
from lake.kernels.dark_tables import tle_columns
from lake.kernels.detectors import DETECTORS
from lake.kernels.orbits import elements_of
from lake.kernels.positions import near_sets, orbits_used, position_columns, positions_joined
from lake.readers import read
from lake.synth.dark_headers import Orbit
from schemas import cosmic_rays as tables
from tests.builders.texts import elements

START = 55927.0
TELEMETRY = elements_of(Orbit().keywords(START))
# Real telemetry: MJD, altitude [km], latitude and longitude of date [deg].
REAL = {
    "o4er06llq": (50875.19608305, 601.712, 28.3965, 46.9746),
    "oc7w11viq": (56862.92021364, 546.403, 22.6565, 4.8701),
    "ocoa03q2q": (57250.69048968, 536.155, 23.2041, 29.4296),
    "octka7jeq": (57517.96908743, 543.922, -18.1533, 256.7179),
    "octr11hrq": (57628.93975392, 537.322, 15.3871, 212.9102),
    "ocmv0lw6q": (57660.98877427, 538.112, -1.4742, 104.1689),
}


@pytest.fixture(scope="module")
def radar(tmp_path_factory):
    """Sets of elements from 2012-01-01 on, one a day, twelve of them."""
    path = tmp_path_factory.mktemp("tle") / "hubble.txt"
    path.write_bytes(elements(np.random.default_rng(3)))
    columns = tle_columns(read(path))
    return {name: columns[name] for name in ("epoch_mjd", "line_1", "line_2")}


@pytest.mark.parametrize("seconds", [0.1, 59.9, 60.1, 150.0, 1000.0])
def test_places_are_a_minute_apart_at_most_and_both_ends_are_among_them(seconds):
    stop = START + seconds / 86400
    found = position_columns("STIS_CCD", START, stop, TELEMETRY, None)
    assert (found["mjd"][0], found["mjd"][-1]) == (START, stop)
    steps = np.diff(found["mjd"]) * 86400
    assert (steps <= 60 + 1e-5).all()
    assert_allclose(steps, steps[0], atol=2e-5)
    assert len(found["mjd"]) == np.ceil(seconds / 60) + 1


def test_an_exposure_of_no_length_has_one_place():
    assert len(position_columns("STIS_CCD", START, START, TELEMETRY, None)["mjd"]) == 1


@pytest.mark.data
@pytest.mark.parametrize("root", REAL)
def test_real_telemetry_puts_hubble_where_precession_has_it(data, root):
    mjd, altitude, latitude, longitude = REAL[root]
    orbit = elements_of(read(data(f"hst/spt/{root}_spt.fits")).header)
    found = position_columns("STIS_CCD", mjd, mjd, orbit, None)
    assert_allclose(found["altitude_km"][0], altitude, atol=1e-3)
    assert_allclose([found["latitude_deg"][0], found["longitude_deg"][0]], [latitude, longitude], atol=1e-4)


def test_telemetry_goes_before_radar_and_both_tell_what_they_are(radar):
    stop = START + 0.01
    for orbit, sets, source, epoch in (
        (TELEMETRY, radar, "telemetry", START),
        (None, radar, "two_line_elements", 55927.0),
    ):
        found = position_columns("WFPC2", START, stop, orbit, sets)
        assert set(found["orbit_source"]) == {source}
        assert set(found["elements_mjd"]) == {epoch}
        assert orbits_used(START, stop, orbit, sets) == {(source, epoch)}
        assert ((found["altitude_km"] > 400) & (found["altitude_km"] < 700)).all()
        assert (np.abs(found["latitude_deg"]) < 28.7).all()
    assert position_columns("WFPC2", START, stop, None, None) == {}
    assert orbits_used(START, stop, None, None) == frozenset()


def test_each_place_is_told_by_the_set_nearest_in_time(radar):
    start, stop = 55929.49, 55929.51
    found = position_columns("WFPC2", start, stop, None, near_sets(radar, start))
    wanted = np.where(found["mjd"] <= 55929.5, 55929.0, 55930.0)
    assert_array_equal(found["elements_mjd"], wanted)
    assert orbits_used(start, stop, None, radar) == {("two_line_elements", e) for e in (55929.0, 55930.0)}


def test_radar_tells_nothing_more_than_three_days_away(radar):
    last = 55938.0
    for after, n in ((2.99, 14), (3.005, 0)):
        start = last + after
        near = near_sets(radar, start)
        assert near is not None
        assert len(position_columns("WFPC2", start, start + 0.009, None, near).get("mjd", ())) == n
        assert len(orbits_used(start, start + 0.009, None, near)) == (n > 0)
    crossing = position_columns("WFPC2", last + 2.995, last + 3.005, None, near_sets(radar, last + 2.995))
    assert 0 < len(crossing["mjd"]) < 16
    assert crossing["mjd"].max() <= last + 3
    assert near_sets(radar, last + 4.1) is None


def test_sets_near_a_time_are_all_that_can_tell_a_day_of_it(radar):
    near = near_sets(radar, 55933.0)
    assert_allclose(near["epoch_mjd"], np.arange(55929, 55938))
    assert [len(values) for values in near.values()] == [9, 9, 9]


def test_columns_fit_the_table_and_nothing_is_lost_where_exposures_are_joined(radar):
    one = position_columns("STIS_CCD", START, START + 0.01, TELEMETRY, None)
    other = position_columns("STIS_CCD", START + 1, START + 1.02, None, radar)
    columns = positions_joined([("a", one), ("b", other)])
    taken = tables.POSITIONS.fit(columns)
    assert taken.rejected == ()
    assert taken.rows.num_rows == len(one["mjd"]) + len(other["mjd"])
    assert taken.rows["obs_id"].to_pylist() == ["a"] * len(one["mjd"]) + ["b"] * len(other["mjd"])
    assert {r["orbit_source"] for r in taken.rows.to_pylist() if r["obs_id"] == "b"} == {"two_line_elements"}


def test_a_place_lists_the_contours_it_is_inside_of_and_flags_its_detector_s_own():
    flags = {}
    for name in DETECTORS:
        found = position_columns(name, START, START + 0.5, TELEMETRY, None)
        inside = [CONTOURS[name] in models for models in found["anomaly_models"]]
        assert_array_equal(found["is_in_anomaly"], inside)
        flags[name] = found["is_in_anomaly"]
    assert 0.02 < flags["STIS_CCD"].mean() < 0.3
    assert (flags["STIS_CCD"] != flags["WFPC2"]).any()
    place = found["latitude_deg"][40], found["longitude_deg"][40]
    wanted = [m for m, corners in MODELS.items() if is_within(*place, np.array(corners))]
    assert found["anomaly_models"][40] == wanted


def test_geodetic_latitude_and_altitude_differ_from_geocentric_ones_as_the_ellipsoid_does():
    found = position_columns("STIS_CCD", START, START + 0.1, TELEMETRY, None)
    tilt = found["geodetic_latitude_deg"] - found["latitude_deg"]
    assert 0.1 < np.abs(tilt).max() < 0.2
    assert (np.sign(tilt) == np.sign(found["latitude_deg"]))[np.abs(found["latitude_deg"]) > 0.1].all()
    rise = found["geodetic_altitude_km"] - found["altitude_km"]
    assert rise.min() > -0.1
    assert 4 < rise.max() < 5


def test_elements_of_nothing_are_never_used():
    broken = {"epoch_mjd": np.array([np.nan]), "line_1": np.array(["x"]), "line_2": np.array(["x"])}
    assert near_sets(broken, START) is None
    assert position_columns("STIS_CCD", START, START + 0.1, None, broken) == {}
