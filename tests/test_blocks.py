"""The seam to Dask: the same results from every scheduler, in the order of the items; one bad item harms no other."""

import numpy as np
import pytest
import xarray as xr
from scipy.ndimage import uniform_filter

from lake.blocks import computed, map_frames, map_items
from lake.errors import SourceError


@pytest.fixture(scope="module")
def cluster():
    """The address of a Dask cluster of two worker processes."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None) as cluster:
        yield cluster.scheduler_address


def squared(n, shift=0):
    """A small piece of work that some items fail."""
    if n == 7:
        raise SourceError("seven.fits: broken")
    if n == 13:
        raise ZeroDivisionError
    return n * n + shift


@pytest.mark.parametrize("scheduler", ["threads", "sync"])
def test_results_come_in_the_order_of_the_items(scheduler):
    found = map_items(squared, range(6), scheduler=scheduler, shift=1)
    assert [o.value for o in found] == [1, 2, 5, 10, 17, 26]


@pytest.mark.parametrize("scheduler", ["threads", "sync"])
def test_a_bad_item_is_told_and_the_others_go_on(scheduler):
    found = map_items(squared, [6, 7, 8], scheduler=scheduler)
    assert [o.value for o in found] == [36, None, 64]
    assert str(found[1].error) == "seven.fits: broken"


def test_strict_stops_at_the_first_bad_item():
    with pytest.raises(SourceError, match="broken"):
        map_items(squared, [6, 7, 8], strict=True)


def test_a_fault_of_the_code_is_never_taken_for_a_bad_item():
    with pytest.raises(ZeroDivisionError):
        map_items(squared, [6, 13])


def test_progress_counts_to_the_end():
    told = []
    map_items(squared, range(5), progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (5, 5)
    assert sorted(told) == told


@pytest.mark.filterwarnings("ignore")
def test_a_cluster_gives_what_threads_give(cluster):
    here = map_items(squared, range(9))
    there = map_items(squared, range(9), scheduler=cluster)
    assert [o.value for o in here] == [o.value for o in there]
    assert [str(o.error) for o in here] == [str(o.error) for o in there]


@pytest.mark.parametrize("chunks", [(1, 5, 7), (2, 9, 20), (3, 20, 30)])
def test_a_halo_makes_any_chunking_give_the_same_frames(chunks):
    pixels = np.random.default_rng(1).random((3, 20, 30))
    frames = xr.DataArray(pixels, dims=("time", "y", "x")).chunk(dict(zip(("time", "y", "x"), chunks, strict=True)))
    found = computed(map_frames(uniform_filter, frames, halo=2, size=(1, 5, 5)))
    np.testing.assert_allclose(found, uniform_filter(pixels, size=(1, 5, 5)), rtol=1e-12)
    assert found.dims == frames.dims
