"""Lakes that other people's readers read."""

import pytest

from lake.store import Lake
from tests.builders.every_type import bare_lake, grown_lake
from tests.builders.lakes import COUNTS, FRAMES, counts, images, instants, origin

LAKES = {"six rows, three partitions, evolved": (grown_lake, 6), "no row": (bare_lake, 0)}


@pytest.fixture(params=LAKES)
def made(request, tmp_path):
    """A lake of a table, and how many rows it has."""
    make, n = LAKES[request.param]
    return lambda table: make(tmp_path / "lake", table), n


@pytest.fixture
def lake(tmp_path):
    """A lake of three inputs of counts and three images."""
    lake = Lake.create(tmp_path / "lake")
    for name in "abc":
        with lake.transaction(name, catalog=False) as tx:
            tx.append(COUNTS, counts(name), source=origin(name))
    with lake.transaction("images") as tx:
        tx.append_frames(FRAMES, images(3), {"time": instants(0, 1, 2), "exposure_s": 1.0}, source=origin("i"))
    return lake
