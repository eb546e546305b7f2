"""Longitudes, latitudes and altitudes over the turning Earth."""

import erfa
import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import FK5, CartesianRepresentation, EarthLocation, SkyCoord
from astropy.time import Time
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from lake.kernels.earth import SPHERE_KM, geocentric, geocentric_of_j2000, geodetic, mean_of_date, sidereal_time

MJD_ZERO = 2400000.5
TT_DAYS = 68 / 86400
ACTS = (mean_of_date, geocentric, geodetic, geocentric_of_j2000)

dates = st.floats(48000, 62000)
longitudes, latitudes, altitudes = st.floats(0, 359.999), st.floats(-89.9, 89.9), st.floats(100, 40_000)


def shell(n=200, seed=3):
    """Places all around the Earth, 500 to 600 km high, and dates from 1990 to 2028."""
    chance = np.random.default_rng(seed)
    way = chance.normal(size=(n, 3))
    away = chance.uniform(6878, 6978, (n, 1))
    return way / np.linalg.norm(way, axis=1, keepdims=True) * away, chance.uniform(48000, 62000, n)


def turned(longitude_deg, latitude_deg, radius_km, mjd):
    """A place over the Earth in the axes of its date."""
    angle, up = np.radians(longitude_deg) + sidereal_time(mjd), np.radians(latitude_deg)
    return radius_km * np.array([np.cos(angle) * np.cos(up), np.sin(angle) * np.cos(up), np.sin(up)])


def days_of_sidereal_time(mjd):
    """Sidereal time of 0 h UT, and as much more as the Earth has turned since [d]."""
    since, midnight = mjd - 51544.5, np.floor(mjd) - 51544.5
    t, t_0 = since / 36525, midnight / 36525
    at_0h = (24110.54841 + 8640184.812866 * t_0 + 0.093104 * t_0**2 - 6.2e-6 * t_0**3) / 86400
    return (at_0h + (since - midnight) * (1.002737909350795 + 5.9006e-11 * t - 5.9e-15 * t**2)) % 1


def apart(one, two, turn):
    """How far two angles are from each other."""
    return np.abs((one - two + turn / 2) % turn - turn / 2)


def test_sidereal_time_is_that_of_midnight_and_as_much_as_the_earth_has_turned_since():
    mjd = np.linspace(48000, 62000, 5001)
    assert (apart(sidereal_time(mjd) / (2 * np.pi), days_of_sidereal_time(mjd), 1) * 86400).max() < 1e-6


def test_sidereal_time_is_within_three_milliseconds_of_todays_definition_from_1990_to_2020():
    mjd = np.linspace(47892, 58849, 2001)
    today = erfa.gmst06(MJD_ZERO, mjd, MJD_ZERO, mjd + TT_DAYS)
    assert (apart(sidereal_time(mjd), today, 2 * np.pi) / (2 * np.pi) * 86400).max() < 3e-3


def test_precession_turns_a_place_as_the_fk5_does():
    place, mjd = shell(40)
    found = mean_of_date(place, mjd)
    assert_allclose(np.linalg.norm(found, axis=1), np.linalg.norm(place, axis=1), rtol=1e-13)
    for one, start, date in zip(found, place, mjd, strict=True):
        sky = SkyCoord(CartesianRepresentation(start * u.km), frame=FK5(equinox="J2000"))
        theirs = sky.transform_to(FK5(equinox=Time(date, format="mjd", scale="tt"))).cartesian.xyz.to_value(u.km)
        assert np.linalg.norm(one - theirs) < 0.005
    assert_allclose(mean_of_date(place, np.full(40, 51544.5)), place, rtol=0, atol=1e-9)


def test_what_precession_leaves_out_is_twelve_arcseconds():
    place, mjd = shell()
    full = np.einsum("nij,nj->ni", erfa.c2t06a(MJD_ZERO, mjd + TT_DAYS, MJD_ZERO, mjd, 0, 0), place)
    longitude, latitude, altitude = geocentric(mean_of_date(place, mjd), mjd)
    off = np.linalg.norm(turned(longitude, latitude, altitude + SPHERE_KM, mjd).T - turned_by_hand(full, mjd), axis=1)
    assert (np.degrees(off / np.linalg.norm(place, axis=1)) * 3600).max() < 12


def turned_by_hand(earth_fixed, mjd):
    """Places fixed to the Earth in the axes of their date."""
    x, y, z = earth_fixed.T
    cosine, sine = np.cos(sidereal_time(mjd)), np.sin(sidereal_time(mjd))
    return np.stack([x * cosine - y * sine, x * sine + y * cosine, z], -1)


@given(longitude=longitudes, latitude=latitudes, altitude=altitudes, mjd=dates)
def test_a_place_over_a_sphere_reads_back(longitude, latitude, altitude, mjd):
    place = turned(longitude, latitude, SPHERE_KM + altitude, mjd)
    east, north, height = geocentric(place, mjd)
    assert apart(east, longitude, 360) < 1e-7
    assert_allclose([north, height], [latitude, altitude], rtol=0, atol=1e-7)


@given(longitude=longitudes, latitude=latitudes, altitude=altitudes, mjd=dates)
def test_a_place_over_the_ellipsoid_is_that_of_astropy(longitude, latitude, altitude, mjd):
    there = EarthLocation.from_geodetic(longitude * u.deg, latitude * u.deg, altitude * u.km, ellipsoid="WGS84")
    fixed = np.array([there.x.to_value(u.km), there.y.to_value(u.km), there.z.to_value(u.km)])
    east, north, height = geodetic(turned_by_hand(fixed[None], np.array([mjd])), [mjd])
    assert apart(east[0], longitude, 360) < 1e-7
    assert_allclose([north[0], height[0]], [latitude, altitude], rtol=0, atol=1e-7)


def test_the_ellipsoid_is_up_to_five_kilometres_below_the_sphere_where_hubble_flies():
    place, mjd = shell(2000)
    east, north, height = geocentric(place, mjd)
    theirs, upright, above = geodetic(place, mjd)
    below = np.abs(north) < 28.6
    assert_allclose(theirs, east, rtol=0, atol=1e-12)
    assert -0.04 < (above - height)[below].min() < 0.1
    assert 4.7 < (above - height)[below].max() < 5
    assert 0.14 < np.abs(upright - north)[below].max() < 0.16


def test_a_place_that_does_not_turn_with_the_earth_goes_west_by_a_turn_and_a_day_of_the_year():
    place = np.tile([7000.0, 0.0, 1000.0], (2, 1))
    longitude, latitude, _ = geocentric(place, [55927.0, 55928.0])
    assert_allclose((longitude[0] - longitude[1]) % 360, 360 / 365.2422, rtol=1e-5)
    assert latitude[0] == latitude[1]


def test_a_longitude_is_never_a_full_turn():
    mjd = np.linspace(48000, 62000, 5000)
    place = np.stack([np.cos(sidereal_time(mjd)), np.sin(sidereal_time(mjd)), np.zeros(5000)], -1)
    for act in (geocentric, geodetic):
        longitude = act(7000 * place, mjd)[0]
        assert ((longitude >= 0) & (longitude < 360)).all()
        assert apart(longitude, 0, 360).max() < 1e-9


def test_without_the_precession_longitudes_of_2016_are_a_fifth_of_a_degree_too_small():
    place, _ = shell()
    mjd = np.full(200, 57600.0)
    low = np.abs(place[:, 2]) < 3000
    (east, north, height), (longitude, latitude, altitude) = (
        geocentric(mean_of_date(place, mjd), mjd), geocentric_of_j2000(place, mjd),
    )  # fmt: skip
    short = (east - longitude + 180) % 360 - 180
    assert ((short > 0.1) & (short < 0.3))[low].all()
    assert 0.08 < np.abs(north - latitude).max() < 0.095
    assert_allclose(height, altitude, rtol=0, atol=1e-9)


@pytest.mark.parametrize("act", ACTS)
def test_a_place_or_time_that_is_unknown_is_nowhere(act):
    place = np.array([[7e3, 1, 2], [7e3, np.nan, 2], [7e3, 1, 2], [np.inf, 1, 2], [7e3, 1, 2]])
    before = place.copy()
    found = act(place, [5e4, 5e4, np.nan, 5e4, np.inf])
    for values in found.T if act is mean_of_date else found:
        assert np.isnan(values).tolist() == [False, True, True, True, True]
    assert np.array_equal(place, before, equal_nan=True)


@pytest.mark.parametrize("act", ACTS)
def test_places_of_any_shape_come_back_in_it(act):
    for shape in [(), (0,), (4,), (2, 3)]:
        found = act(np.full((*shape, 3), 7e3), np.full(shape, 5e4))
        assert np.shape(found) == ((*shape, 3) if act is mean_of_date else (3, *shape))


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize(("place", "mjd", "said"), [
    (np.ones((2, 3)), [5e4], r"shapes \(2, 3\) and \(1,\)"), (np.ones(2), 5e4, r"shapes \(2,\) and \(\)"),
    (np.ones(3), "2010", "expected bool, int or float"),
])  # fmt: skip
def test_places_and_times_that_do_not_fit_are_refused(act, place, mjd, said):
    with pytest.raises(ValueError, match=said):
        act(place, mjd)
