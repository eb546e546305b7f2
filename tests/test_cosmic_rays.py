"""The flow of cosmic rays, from files to hits and places: the same rows whatever the way there."""

import numpy as np
import pytest
from astropy.io import fits

import flows.cosmic_rays as module
from lake.errors import QueryError
from lake.store import Lake
from lake.synth.darks import Darks
from lake.synth.exposures import truth_of
from tests.builders.dark_lakes import NICMOS, STIS, derived, digests, ran, rows, same, series, telemetry, written
from tests.builders.texts import elements

pytestmark = pytest.mark.usefixtures("prefect_server")

WFPC2 = Darks("WFPC2", "u3st05eaq", 51000.5, 100.0, n_rays=6, hot_share=0.0, seed=6)
FLAGGED = Darks("ACS_HRC", "j8st05eaq", 52800.5, 100.0, n_rays=10, hot_share=0.0, seed=7)
ALONE = "alone in its month: no other exposure to compare it with"


@pytest.fixture(scope="module")
def stis(tmp_path_factory):
    """Three exposures of a group, and their telemetry."""
    folder = tmp_path_factory.mktemp("stis")
    scenes = series(3)
    return written(folder, scenes), [telemetry(folder, scene) for scene in scenes]


@pytest.fixture(scope="module")
def at_once(stis, tmp_path_factory):
    """A lake that got all of them in one run, and its summary."""
    root = tmp_path_factory.mktemp("at_once") / "lake"
    images, orbits = stis
    return root, ran(root, *images, *orbits)


@pytest.fixture(scope="module")
def ramps(tmp_path_factory):
    """Two ramps, months apart."""
    folder = tmp_path_factory.mktemp("ramps")
    later = Darks(**{**vars(NICMOS), "root": "n3st06eaq", "start_mjd": NICMOS.start_mjd + 40, "number": 1})
    return written(folder, [NICMOS, later])


def test_planted_rays_are_found_with_their_charge(at_once):
    root, summary = at_once
    assert (summary["new"], summary["skipped"], summary["measured"]) == (6, [], 3)
    found = rows(root, "measurements")
    assert set(found["method"]) == {"rejection"}
    assert found["failure"].null_count() == 3
    for scene, row in zip(series(3), found.to_dicts(), strict=True):
        truth = truth_of(scene)
        assert row["obs_id"] == scene.root
        assert abs(row["n_hits"] - len(truth)) <= 2
        assert row["energy_e"] == pytest.approx(truth.inside_e.sum(), rel=0.05)
        assert row["rate_per_s_cm2"] == pytest.approx(row["n_hits"] / 165 / 4.624)
        assert row["rate_low_per_s_cm2"] < len(truth) / 165 / 4.624 < row["rate_high_per_s_cm2"]


def test_pixels_of_a_hit_are_those_of_the_stored_image(at_once):
    root, _ = at_once
    lake = Lake(str(root))
    images = lake["cosmic_rays.stis_ccd"]
    hit = rows(root, "hits").row(7, named=True)
    charge = rows(root, "hit_details").row(7, named=True)["pixels_e"]
    chosen = images.sel(time=np.datetime64(rows(root, "exposures")["start_time"][0]), chip=1).values
    assert hit["obs_id"] == STIS.root
    assert chosen[hit["pixels_y"], hit["pixels_x"]].tolist() == charge
    assert hit["energy_e"] == pytest.approx(np.maximum(charge, 0).sum(), rel=1e-6)


def test_a_second_run_changes_nothing_with_the_files_or_without(at_once, stis):
    root, _ = at_once
    number, before = Lake(str(root)).number, digests(root)
    again, alone = ran(root, *stis[0], *stis[1]), ran(root)
    assert (again["known"], again["new"], again["measured"], alone["measured"]) == (6, 0, 0, 0)
    assert (Lake(str(root)).number, digests(root)) == (number, before)


@pytest.mark.timeout(120)
def test_late_files_join_their_group_and_give_the_rows_that_all_at_once_give(at_once, stis, tmp_path):
    (first, second, third), orbits = stis
    root = tmp_path / "lake"
    ran(root, orbits[2], third)
    (alone,) = rows(root, "measurements").to_dicts()
    assert (alone["failure"], alone["n_hits"], alone["rate_per_s_cm2"]) == (ALONE, None, None)
    assert rows(root, "hits").is_empty()
    assert ran(root, first, *orbits[:2])["measured"] == 2
    assert rows(root, "measurements")["failure"].null_count() == 2
    assert ran(root, second)["measured"] == 3
    assert same(derived(root), derived(at_once[0]))


def test_a_run_that_is_killed_before_it_measures_goes_on_where_it_was(at_once, stis, tmp_path, monkeypatch):
    root, (images, orbits) = tmp_path / "lake", stis

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "measured_month", killed)
        with pytest.raises(KeyboardInterrupt):
            ran(root, *orbits, *reversed(images))
    assert rows(root, "measurements").is_empty()
    assert len(rows(root, "exposures")) == 3
    assert ran(root)["measured"] == 3
    assert same(derived(root), derived(at_once[0]))


def test_one_worker_writes_the_same_bytes_as_many(at_once, stis, tmp_path, monkeypatch):
    monkeypatch.setenv("LAKE_SCHEDULER", "sync")
    root, (images, orbits) = tmp_path / "lake", stis
    ran(root, *images, *orbits)
    assert len(digests(root)) == 5 * 3
    assert digests(root) == digests(at_once[0])


def test_what_a_file_has_decides_how_hits_are_told(ramps, tmp_path):
    root = tmp_path / "lake"
    files = [*written(tmp_path, [WFPC2]), *written(tmp_path, [FLAGGED], flagged=True), ramps[0]]
    ran(root, *files)
    found = {row["instrument"]: row for row in rows(root, "measurements").to_dicts()}
    assert {name: row["method"] for name, row in found.items()} == {
        "WFPC2": "threshold", "ACS_HRC": "flags", "NICMOS_NIC1": "flags",
    }  # fmt: skip
    for scene in (WFPC2, FLAGGED, NICMOS):
        row = found[scene.detector]
        assert row["failure"] is None
        assert 0.6 * len(truth_of(scene)) <= row["n_hits"] <= len(truth_of(scene)) + 2
    images = rows(root, "images")
    assert images.filter(images["obs_id"] == WFPC2.root)["chip"].to_list() == [1, 2, 3, 4]
    assert images.filter(images["obs_id"] == WFPC2.root)["threshold_e"].null_count() == 0
    reads = images.filter(images["obs_id"] == NICMOS.root)
    assert (reads["read_id"].to_list(), reads["integration_s"].to_list()) == ([1, 2, 3], [80.0] * 3)
    assert found["NICMOS_NIC1"]["rate_per_s_cm2"] == pytest.approx(found["NICMOS_NIC1"]["n_hits"] / 240 / 1.049)


def test_another_method_takes_the_place_of_the_first_and_what_fails_leaves_no_hits(tmp_path):
    root = tmp_path / "lake"
    ran(root, *written(tmp_path, [FLAGGED], flagged=True))
    flags = derived(root)
    assert ran(root, method="threshold", threshold_e=1e6)["measured"] == 1
    (row,) = rows(root, "measurements").to_dicts()
    assert (row["method"], row["n_hits"], len(rows(root, "hits"))) == ("threshold", 0, 0)
    assert ran(root)["measured"] == 1
    assert same(derived(root), flags)
    ran(root, method="rejection")
    (row,) = rows(root, "measurements").to_dicts()
    assert (row["method"], row["failure"], row["n_hits"]) == ("rejection", ALONE, None)
    assert len(rows(root, "images")) == len(rows(root, "hits")) == len(rows(root, "hit_details")) == 0


def test_a_detector_that_is_never_compared_says_so(ramps, tmp_path):
    root = tmp_path / "lake"
    ran(root, *written(tmp_path, [WFPC2]), ramps[0], method="rejection")
    found = {row["instrument"]: row for row in rows(root, "measurements").to_dicts()}
    assert found["WFPC2"]["failure"].startswith("no rule to compare exposures of WFPC2")
    assert (found["NICMOS_NIC1"]["failure"], found["NICMOS_NIC1"]["method"]) == (None, "flags")


def test_a_span_of_dates_measures_what_is_within_and_a_detector_its_own(ramps, tmp_path):
    root = tmp_path / "lake"
    ran(root, *ramps, since="1998-07-10", until="1998-08-01", instrument="nicmos_nic1")
    assert rows(root, "exposures")["start_time"].dt.strftime("%Y-%m-%d").to_list() == ["1998-07-06", "1998-08-15"]
    assert rows(root, "measurements").is_empty()
    assert ran(root, instrument="WFPC2")["measured"] == 0
    assert ran(root, since="1998-08-15T12:00:00", until="1998-08-15T12:00:01")["measured"] == 1
    assert rows(root, "measurements")["obs_id"].to_list() == ["n3st06eaq"]
    assert ran(root)["measured"] == 1


def test_a_span_within_a_month_compares_the_whole_month(at_once, stis, tmp_path):
    root = tmp_path / "lake"
    start = rows(at_once[0], "exposures")["start_time"]
    assert ran(root, *stis[0], since=f"{start[1]}", until=f"{start[2]}")["measured"] == 3
    assert ran(root)["measured"] == 0
    assert rows(root, "hits").equals(rows(at_once[0], "hits"))


def test_places_are_radar_s_until_there_is_telemetry(stis, tmp_path):
    root, (images, orbits) = tmp_path / "lake", stis
    text = tmp_path / "far.txt"
    text.write_bytes(elements(np.random.default_rng(3), 1, first_day=4.0))
    ran(root, images[0], text)
    first = rows(root, "positions")
    assert (set(first["orbit_source"]), set(first["elements_mjd"])) == ({"two_line_elements"}, {55932.0 - 2})
    nearer = tmp_path / "near.txt"
    nearer.write_bytes(elements(np.random.default_rng(4), 6, first_day=2.0))
    ran(root, nearer)
    assert set(rows(root, "positions")["elements_mjd"]) == {55932.0}
    ran(root, orbits[0])
    last = rows(root, "positions")
    assert set(last["orbit_source"]) == {"telemetry"}
    assert last["time"].to_list() == first["time"].to_list()
    assert ran(root)["commit"] == Lake(str(root)).number
    assert rows(root, "positions").equals(last)


@pytest.mark.data
def test_rules_of_the_archive_that_come_late_measure_pairs_again(data, stis, tmp_path):
    table = data("hst/crrejtab/j3m1403io_crr.fits")
    before, after, pair = tmp_path / "before", tmp_path / "after", stis[0][:2]
    ran(before, table, *pair)
    ran(after, *pair)
    assert not rows(after, "images").equals(rows(before, "images"))
    assert ran(after, table)["measured"] == 2
    assert same(derived(after), derived(before))


def test_a_hit_leads_to_its_file_and_goes_with_it(stis, tmp_path):
    root, (images, orbits) = tmp_path / "lake", stis
    ran(root, *images[:2], orbits[0])
    lake = Lake(str(root))
    why = lake.why("cosmic_rays.hits", obs_id=STIS.root, chip=1, read_id=0, hit_id=3)
    (source,) = why["sources"]
    assert source["uri"].endswith(f"{STIS.root}_flt.fits")
    with lake.transaction("forget") as tx:
        for dataset, sha256 in lake.snapshot.ingested:
            if sha256 == source["sha256"]:
                tx.delete(dataset, sources=[sha256])
    for table in ("exposures", "measurements", "images", "hits", "hit_details", "positions"):
        assert STIS.root not in set(rows(root, table)["obs_id"])
    assert ran(root)["measured"] == 1
    assert rows(root, "measurements")["failure"].to_list() == [ALONE]


def test_an_exposure_with_a_flaw_is_a_row_with_its_reason_and_nothing_more(tmp_path):
    (path,) = written(tmp_path, [FLAGGED], flagged=True)
    with fits.open(path, mode="update") as hdus:
        hdus[0].header["SUBARRAY"] = True
    root = tmp_path / "lake"
    assert ran(root, path)["measured"] == 0
    assert rows(root, "exposures")["flaw"].to_list() == ["a sub-array"]
    assert rows(root, "measurements").is_empty()


def test_of_two_files_with_one_exposure_the_second_is_left_out_with_a_reason(ramps, tmp_path):
    again = tmp_path / "again.fits"
    again.write_bytes(ramps[0].read_bytes())
    with fits.open(again, mode="update") as hdus:
        hdus[0].header["CAL_VER"] = "4.4.1"
    root = tmp_path / "lake"
    ran(root, ramps[0])
    (left_out,) = ran(root, again)["skipped"]
    assert left_out["reason"] == f"cosmic_rays.exposures: obs_id {NICMOS.root} is there already, from another file"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"instrument": "STIS"}, "no detector STIS"),
        ({"method": "dq"}, "expected one of auto, flags"),
        ({"since": "May"}, "from May to 2100"),
        ({"since": "2010-01-01", "until": "2009-01-01"}, "in order"),
        ({"more_than": 3, "fewer_than": 4}, "expected a size between"),
    ],
)
def test_words_that_mean_nothing_are_refused_before_a_file_is_read(words, told, tmp_path):
    with pytest.raises((QueryError, ValueError), match=told):
        ran(tmp_path / "lake", tmp_path / "nowhere.fits", **words)
    assert not (tmp_path / "lake").exists()
