"""Fixtures of the tests of readers."""

import pytest
from numpy.testing import assert_array_equal

from lake.errors import Refused
from lake.readers import read
from tests.builders.fits import GOOD, fits_file


@pytest.fixture
def decode(tmp_path):
    """A whole file of these HDUs, read through the front door."""

    def go(*hdus):
        path = tmp_path / "a.fits"
        path.write_bytes(fits_file(*hdus))
        return read(path)

    return go


@pytest.fixture
def refuse(decode):
    """The rule that refuses a file of these HDUs alone, and that leaves a good table before them in peace."""

    def go(*hdus):
        with pytest.raises(Refused) as caught:
            decode(*hdus)
        if not hdus[0].startswith(b"SIMPLE"):
            source = decode(GOOD, *hdus)
            assert_array_equal(source.part("EVENTS").column("TIME"), [1.5, 2.5])
            assert len(source.content.parts) == 1
            assert source.problems[0].place.startswith("HDU 2")
        return caught.value

    return go
