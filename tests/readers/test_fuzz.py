"""Damaged files give what their bytes hold, or a `SourceError`: in time, in little memory, and no wrong number.

A trial that fails is tried again by `python -m tests.readers.trials FILE NUMBER`.
"""

import pytest

from tests.builders.damage import damaged
from tests.builders.samples import samples
from tests.readers.trials import tried

pytestmark = pytest.mark.timeout(600)

PER_FORMAT = 500
PER_REAL_FILE = 20
PER_REAL_FILE_SLOW = 30
# Of each format one that is real and small.
SMALL = (
    "hst/crrejtab/n9i1435li_crr_UVIS.fits",
    "xray/4u1636_rxte_pca.evt.gz",
    "solar-aia/browse/browse_20250205_0193_256.fits",
    "solar/images/SXI_20170201_000400155_BA_13.FTS",
    "solar/xrs/goes_13_leap_second.nc",
    "aurora/themis_cdf/thg_l1_ast_gako_20110505_v01.cdf",
    "benchmarks/staff/iswat193/sdo_aia193_2018_03_13T07_00_17.png",
    "solar-aia/browse/latest_1024_0193.jpg",
    "hst/noaa_observed_solar_cycle_indices_truncated.json",
    "hst/hst_tle_2009_2016.txt",
)


@pytest.fixture(scope="module")
def trials(tmp_path_factory):
    """The samples of all formats, each as it is and with 500 damages: trials by format."""
    files = samples(tmp_path_factory.mktemp("samples"))
    found = tried(list(files.values()), PER_FORMAT)
    return {name: [trial for trial in found if trial.file == path.name] for name, path in files.items()}


def wrong(trials):
    return [str(trial) for trial in trials if trial.outcome == "wrong"]


@pytest.mark.parametrize(
    "name",
    [
        "fits_image", "fits_table", "fits_plain", "fits_tiles", "pgm", "pgm_gzip", "pgm_bzip2", "png", "jpeg", "jp2",
        "netcdf_3", "netcdf_4", "hdf5_summed", "cdf", "records", "tle",
    ],
)  # fmt: skip
def test_no_damage_of_a_format_passes_a_wrong_number_as_good(trials, name):
    own = trials[name]
    assert len(own) == PER_FORMAT + 1
    assert wrong(own) == []
    assert own[0].outcome == "good"
    # Not all is refused and not all harmless: the damages reach what they are for.
    assert {"good", "refused"} <= {trial.outcome for trial in own}
    assert len({trial.damage for trial in own}) > 10


@pytest.mark.parametrize("name", ["pgm_gzip", "pgm_bzip2", "png"])
def test_bytes_with_a_checksum_cannot_change_unseen(trials, name):
    changed = [t for t in trials[name] if t.damage in ("flip_a_bit", "flip_bits", "noise", "blank")]
    assert sum(t.outcome == "refused" for t in changed) > 0.8 * len(changed)


def test_the_same_number_is_the_same_damage(tmp_path):
    data = samples(tmp_path)["fits_table"].read_bytes()
    assert [damaged(data, n) for n in range(60)] == [damaged(data, n) for n in range(60)]
    assert len({damaged(data, n)[1] for n in range(60)}) > 50


@pytest.mark.data
def test_damaged_real_files_pass_no_wrong_number(data):
    found = tried([data(name) for name in SMALL], PER_REAL_FILE)
    assert len(found) == len(SMALL) * (PER_REAL_FILE + 1)
    assert wrong(found) == []


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.timeout(7200)
def test_no_real_file_damaged_30_times_passes_a_wrong_number(data):
    files = [path for path in sorted(data(".").rglob("*")) if path.is_file()]
    found = tried(files, PER_REAL_FILE_SLOW)
    assert len(found) == len(files) * (PER_REAL_FILE_SLOW + 1)
    assert wrong(found) == []


FRONT = "import lake.readers as door\nreal = door.read\n{}\ndoor.read = fake\n"


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("def fake(path): raise KeyError('x')", "KeyError"),
        ("def fake(path): import os; os.kill(os.getpid(), 11)", "ended by SIGSEGV"),
        ("def fake(path): import numpy; numpy.ones(3 << 27)", "MemoryError"),
        ("def fake(path): import numpy; numpy.ones(135 << 20); return real(path)", "1080 MB"),
        ("def fake(path): s = real(path); s.content.parts[0].pixels[0, 0, 0] ^= 1; return s", "other numbers"),
        pytest.param("def fake(path):\n    while True: pass", "ended by SIGPROF", marks=pytest.mark.slow),
        pytest.param("def fake(path): import time; time.sleep(60)", "no answer", marks=pytest.mark.slow),
    ],
)
def test_a_reader_that_does_wrong_is_told_of(tmp_path, code, told):
    patience = 3 if "sleep" in code else 60
    (trial,) = tried([samples(tmp_path)["pgm"]], 0, 1, FRONT.format(code), patience)
    assert trial.outcome == "wrong"
    assert told in trial.why
