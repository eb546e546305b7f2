"""Tables of exposures, orbits, rules and indices: every row says what its file says, in the table's units."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from lake.errors import SourceError
from lake.kernels.dark_tables import (
    archive_rules,
    exposure_columns,
    frame_columns,
    header_columns,
    index_columns,
    orbit_columns,
    planes,
    rule_columns,
    tle_columns,
)
from lake.kernels.darks import exposures
from lake.kernels.rejections import rule_of
from lake.readers import read
from lake.source import Content, Part, Source
from lake.synth.darks import Darks, Orbit, write_flt, write_ima, write_telemetry
from schemas import cosmic_rays as tables
from tests.builders.texts import elements, months, records

HRC = Darks("ACS_HRC", "j8ba01aaq", 52800.5, 1000.0, n_rays=3, seed=1)
RAMP = Darks("NICMOS_NIC1", "n3ba01aaq", 51000.5, 240.0, n_rays=3, n_reads=4, seed=1)


def text_source(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    return read(tmp_path / name)


@pytest.fixture
def hrc(tmp_path):
    write_flt(tmp_path / "j8ba01aaq_flt.fits", HRC)
    source = read(tmp_path / "j8ba01aaq_flt.fits")
    return source, exposures(source)


def test_an_exposure_is_one_row_that_fits_its_table(hrc):
    source, found = hrc
    taken = tables.EXPOSURES.fit(exposure_columns(found, source.sha256))
    (row,) = taken.rows.to_pylist()
    assert taken.rejected == ()
    assert (row["obs_id"], row["instrument"], row["target"], row["flaw"]) == ("j8ba01aaq", "ACS_HRC", "DARK", None)
    assert (row["n_flagged"], row["unit"], row["gains"]) == (0, "ELECTRONS", [])
    assert_allclose([row["area_cm2"], row["thickness_um"], row["pixel_um"]], [4.624, 14.26, 21], rtol=1e-4)
    assert row["source_sha256"] == source.sha256


def test_an_exposure_with_half_of_its_chips_has_half_of_the_area(hrc):
    source, (found,) = hrc
    image = found.images[0]
    two = replace(found, detector=replace(found.detector, n_images=2), images=(image,))
    whole = replace(found, detector=replace(found.detector, n_images=2), images=(image, image))
    areas = [exposure_columns((e,), source.sha256)["area_cm2"][0] for e in (two, whole)]
    assert_allclose(areas, [4.624, 9.248], rtol=1e-4)


def test_every_keyword_of_a_file_is_a_row_of_its_own(hrc):
    source, found = hrc
    taken = tables.HEADERS.fit(header_columns(source, found))
    assert taken.rejected == ()
    rows = {(r["part"], r["keyword"]): r["value"] for r in taken.rows.to_pylist()}
    assert len(rows) == len(source.header) + sum(len(part.header) for part in source.content.parts)
    assert (rows["", "CCDAMP"], rows["SCI 1", "BUNIT"]) == ("C", "ELECTRONS")
    assert rows["", "QUALCOM2"] is None


def test_planes_and_rows_of_frames_have_one_image_each(tmp_path, hrc):
    _, found = hrc
    pixels, quality, errors = planes(found)
    assert [p.dtype.str[1:] for p in (pixels, quality, errors)] == ["f4", "u2", "f4"]
    assert pixels.shape == quality.shape == errors.shape == (1, 1024, 1024)
    assert frame_columns(found)["chip"].tolist() == [1]
    write_ima(tmp_path / "n3ba01aaq_ima.fits", RAMP)
    ramp = exposures(read(tmp_path / "n3ba01aaq_ima.fits"))
    columns = frame_columns(ramp)
    assert columns["read_id"].tolist() == [0, 1, 2, 3]
    assert_allclose(columns["sample_s"], np.cumsum(columns["step_s"]))
    assert len(set(columns["time"].tolist())) == 1


def test_a_plane_that_an_image_lacks_is_none(hrc):
    _, (found,) = hrc
    bare = replace(found, images=(found.images[0], replace(found.images[0], quality=None)))
    pixels, quality, errors = planes((bare,))
    assert len(pixels) == len(errors) == 2
    assert quality is None


def test_telemetry_gives_the_orbit_that_it_was_made_from(tmp_path):
    path = tmp_path / "j8ba01aaq_spt.fits"
    write_telemetry(path, HRC, Orbit(semilatus_m=6.9e6), days=2)
    taken = tables.ORBITS.fit(orbit_columns(read(path)))
    (row,) = taken.rows.to_pylist()
    assert taken.rejected == ()
    assert (row["archive_id"], row["semi_latus_rectum_m"]) == ("j8ba01aaq", 6.9e6)
    assert row["epoch_s"] == (52800 - 2 - 46066) * 86400
    assert_allclose(row["mean_motion_rad_s"], 2 * np.pi * 1.73848199176486e-4)
    assert_allclose(np.degrees(row["inclination_rad"]), 28.4700, atol=0.01)


def test_telemetry_without_a_word_of_the_orbit_says_which(tmp_path, hrc):
    source, _ = hrc
    with pytest.raises(SourceError, match=r"j8ba01aaq_flt\.fits: .*EPCHTIME = None"):
        orbit_columns(source)


def test_sets_of_two_line_elements_are_rows_by_epoch_and_repeats_are_left_out(tmp_path):
    rng = np.random.default_rng(1)
    source = text_source(tmp_path, "a.txt", elements(rng, 5, first_day=3) + elements(rng, 4))
    columns = tle_columns(source)
    assert_allclose(columns["epoch_mjd"], 55927 + np.arange(7))
    assert tables.TWO_LINE_ELEMENTS.fit(columns).rejected == ()
    assert columns["source_sha256"] == source.sha256


def test_sets_of_another_satellite_are_not_hubble_s(tmp_path):
    rng = np.random.default_rng(1)
    station = elements(rng, 3, satellite=25544)
    mixed = text_source(tmp_path, "mixed.txt", station + elements(rng, 2, first_day=10))
    assert_allclose(tle_columns(mixed)["epoch_mjd"], [55936, 55937])
    with pytest.raises(SourceError, match=r"found 3 sets of elements, none of Hubble"):
        tle_columns(text_source(tmp_path, "station.txt", station))


def test_indices_of_solar_activity_are_rows_by_month_and_minus_one_is_null(tmp_path):
    rows = months(np.random.default_rng(2))
    taken = tables.SOLAR_INDICES.fit(index_columns(text_source(tmp_path, "noaa.json", records(rows))))
    assert taken.rejected == ()
    found = taken.rows.to_pylist()
    assert [f"{row['month']:%Y-%m}" for row in found] == [row["time-tag"] for row in rows]
    assert [row["sunspot_number"] for row in found] == [row["ssn"] for row in rows]
    assert [row["smoothed_sunspot_number"] for row in found][-7:] == [rows[-7]["smoothed_ssn"]] + [None] * 6
    assert found[0]["smoothed_radio_flux"] is None


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"month": "2012-01", "ssn": 1.0}, "expected time-tag and ssn"),
        ({"time-tag": "2012-01", "flux": 1.0}, "expected time-tag and ssn"),
        ({"time-tag": "January", "ssn": 1.0}, "time-tag: found 'January'"),
        ({"time-tag": 2012.01, "ssn": 1.0}, r"time-tag: found 2012\.01"),
        ({"time-tag": "2012-13", "ssn": 1.0}, "time-tag: found '2012-13'"),
        ({"time-tag": "2012-01", "ssn": "many"}, "ssn: found text"),
    ],
)
def test_other_records_are_no_indices_and_say_why(tmp_path, row, told):
    with pytest.raises(SourceError, match=told):
        index_columns(text_source(tmp_path, "a.json", records([row])))


def rule_table(**header):
    words = {
        "CRSPLIT": [2, 2], "MEANEXP": [100.0, 1e4], "SCALENSE": ["30", "0"], "INITGUES": ["minimum ", "median"],
        "SKYSUB": ["mode", "none"], "CRSIGMAS": ["6,5,4", "4.5"], "CRRADIUS": [2.1, 1.5], "CRTHRESH": [0.5, 0.75],
        "BADINPDQ": [39, 0],
    }  # fmt: skip
    part = Part("CRR", columns={name: np.array(values) for name, values in words.items()})
    return Source("x/a_crr.fits", "0" * 64, 1, "fits", Content(header, (part,))), part


def test_a_table_of_rules_is_found_again_as_the_archive_has_it():
    source, part = rule_table(INSTRUME="STIS", DETECTOR="CCD")
    taken = tables.REJECTION_RULES.fit(rule_columns(source, part))
    assert taken.rejected == ()
    stored = {name: taken.rows[name].to_numpy(zero_copy_only=False) for name in taken.rows.column_names}
    for seconds, sigmas in ((50.0, (6.0, 5.0, 4.0)), (500.0, (4.5,))):
        rule = rule_of(archive_rules(stored), 2, seconds, chip=1)
        assert rule == rule_of(dict(part.columns), 2, seconds)
        assert rule.sigmas == sigmas


def test_rules_of_an_unknown_detector_or_without_a_column_are_refused():
    with pytest.raises(SourceError, match=r"a_crr\.fits: parameters for STIS FUV-MAMA"):
        rule_columns(*rule_table(INSTRUME="STIS", DETECTOR="FUV-MAMA"))
    source, part = rule_table(INSTRUME="ACS", DETECTOR="WFC")
    less = replace(part, columns={name: values for name, values in part.columns.items() if name != "CRSIGMAS"})
    with pytest.raises(SourceError, match="no column CRSIGMAS"):
        rule_columns(source, less)


REAL = {
    "29p1548cj_crr_WFC": ("ACS_WFC", 14), "n4e12510j_crr_HRC": ("ACS_HRC", 7), "n9i1435li_crr_UVIS": ("WFC3_UVIS", 14),
    "j3m1403io_crr": ("STIS_CCD", 42),
}  # fmt: skip


@pytest.mark.data
@pytest.mark.parametrize("name", REAL)
def test_real_tables_of_rules_give_the_same_rule_before_and_after_they_were_stored(data, name):
    source = read(data(f"hst/crrejtab/{name}.fits"))
    part = next(p for p in source.content.parts if p.column("CRSPLIT") is not None)
    taken = tables.REJECTION_RULES.fit(rule_columns(source, part))
    stored = {column: taken.rows[column].to_numpy(zero_copy_only=False) for column in taken.rows.column_names}
    instrument, n_rows = REAL[name]
    assert (set(stored["instrument"]), taken.rows.num_rows, taken.rejected) == ({instrument}, n_rows, ())
    for n_images in (2, 5, 40):
        for seconds in (3.0, 150.0, 1000.0):
            rules = [rule_of(table, n_images, seconds, 1) for table in (archive_rules(stored), dict(part.columns))]
            assert rules[0] == rules[1]


@pytest.mark.data
def test_the_real_pair_of_stis_falls_under_four_sigma_from_the_minimum(data):
    source = read(data("hst/crrejtab/j3m1403io_crr.fits"))
    rule = rule_of(archive_rules(rule_columns(source, source.content.parts[-1])), 2, 150.0, 1)
    assert (rule.sigmas, rule.initial, rule.radius_px, rule.spill) == ((4.0,), "minimum", 1.5, 0.75)
