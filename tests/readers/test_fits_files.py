"""Real FITS files read as Astropy reads them."""

import contextlib
import importlib.util
import warnings
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from numpy.testing import assert_array_equal

from lake.readers import read
from tests.conftest import DATA
from tests.twins.decoders import inflated, wrong_sums

ENDINGS = (".fits", ".fit", ".fts", ".evt")


def real_files():
    names = [p.relative_to(DATA).as_posix() for p in sorted(DATA.rglob("*")) if p.is_file()]
    return [name for name in names if name.lower().removesuffix(".gz").endswith(ENDINGS)]


def differences(found, wanted):
    """Where two arrays differ; nulls and the blanks behind words don't count."""
    if wanted.dtype.kind in "SU":
        wanted = np.char.rstrip(np.char.rstrip(np.asarray(wanted)), "\0")
    mask = np.ma.getmaskarray(found)
    equal = np.asarray(found)[~mask] == np.asarray(wanted)[~mask]
    if found.dtype.kind == "f":
        equal |= np.isnan(np.asarray(found)[~mask]) & np.isnan(np.asarray(wanted)[~mask])
    return found.shape != wanted.shape or np.flatnonzero(~equal).size


def stated(header):
    """Keywords and values of an Astropy header that any reader has to agree on."""
    cards = {}
    for own in header.cards:
        with contextlib.suppress(fits.VerifyError):
            if isinstance(own.value, str | int | float) and own.keyword not in (
                "",
                "COMMENT",
                "HISTORY",
                "PCOUNT",
                "GCOUNT",
            ):
                cards.setdefault(own.keyword, own.value)
    return cards


@pytest.mark.data
@pytest.mark.parametrize("name", real_files())
def test_a_real_file_reads_as_astropy_reads_it(data, name):
    path = data(name)
    source = read(path)
    # Some archives leave a DATASUM as it was when they change a file.
    assert len(source.problems) == wrong_sums(inflated(path.read_bytes()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with fits.open(path, memmap=False, lazy_load_hdus=False) as hdus:
            wanted = [h for i, h in enumerate(hdus) if i or h.header["NAXIS"]]
            assert len(wanted) == len(source.content.parts)
            for part, hdu in zip(source.content.parts, wanted, strict=True):
                assert part.name in (hdu.header.get("EXTNAME", ""), hdu.name)
                for key, value in stated(hdu.header).items():
                    assert part.header[key] == value, key
                if isinstance(hdu, fits.BinTableHDU | fits.TableHDU):
                    assert [n.upper() for n in part.columns] == [n.upper() for n in hdu.columns.names]
                    for column in hdu.columns.names:
                        assert not differences(part.column(column), hdu.data[column]), column
                        assert part.unit(column) == (hdu.columns[column].unit or "").strip()
                elif hdu.data is not None:
                    assert not differences(part.pixels, hdu.data)
                    assert part.pixels.dtype == hdu.data.dtype.newbyteorder("=")


@pytest.mark.data
def test_the_cards_of_a_real_file_that_say_nan_are_nan(data):
    header = read(data("solar-aia/level15/AIA20180820_1248_0193.fits")).part("").header
    assert all(np.isnan(header[key]) for key in ("OSCNMEAN", "OSCNRMS", "RSUN_LF"))
    assert header["WAVELNTH"] == 193


def test_a_long_photon_list_reads_as_its_rows_are_stored():
    found = importlib.util.find_spec("stingray")
    path = Path(found.origin).parent / "tests" / "data" / "xmm_test.fits" if found else Path("absent")
    if not path.exists():
        pytest.skip("no installed Stingray ships xmm_test.fits")
    events = read(path).content.parts[0]
    with fits.open(path, memmap=True) as hdus:
        width, n_rows = hdus[1].header["NAXIS1"], hdus[1].header["NAXIS2"]
        start = hdus[1].fileinfo()["datLoc"]
        dtype = hdus[1].columns.dtype.newbyteorder(">")
    assert dtype.itemsize == width
    stored = np.memmap(path, dtype, "r", start, (n_rows,))
    assert events.n_rows == n_rows > 1_000_000
    for name in ("TIME", "PI"):
        assert_array_equal(events.column(name), stored[name])
        assert events.column(name).dtype.isnative
