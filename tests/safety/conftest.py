"""Children that end with their test, and files that kill them.

The numbers in these tests name threats: 48 to 52 are files and lakes from strangers, 53 to 97 attacks in SQL, 98 to 100
open ports and secrets, 106 a clock that goes back, 109 and 110 what our dependencies run and where they come from.
"""

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
