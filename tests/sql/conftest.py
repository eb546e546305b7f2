"""One database for the tests of a file."""

import pytest

from tests.builders.asked import Asked


@pytest.fixture(scope="module")
def asked():
    return Asked("lightlane")
