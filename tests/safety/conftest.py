"""Children that end with their test, and files that kill them."""

import pytest

from lake.readers.child import children
from tests.safety.hostile import boom, hostile_format


@pytest.fixture
def hostile(tmp_path):
    """The hostile format, and what makes a file of it."""
    with hostile_format(tmp_path):
        yield lambda act: boom(tmp_path, act)


@pytest.fixture(autouse=True)
def _no_child_stays():
    yield
    children().close()
