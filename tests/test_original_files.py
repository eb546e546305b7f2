"""Files as the programs wrote them that pipelines come from: equal to the lake's rows, in their layout."""

import h5py
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from lake.cli import main
from lake.store import Lake
from tests.builders.dark_lakes import ran

pytestmark = pytest.mark.usefixtures("prefect_server")


@pytest.fixture(scope="module")
def exported(data, tmp_path_factory):
    """A lake of the real STIS pair, and the folder of its files."""
    folder = tmp_path_factory.mktemp("original")
    ran(folder / "lake", data("hst/o4k19a010_flt.fits.gz"))
    words = ["export", "--root", str(folder / "lake"), "cosmic_rays", "--to", "original", "-o", str(folder / "out")]
    assert main(words) == 0
    return Lake(folder / "lake"), folder / "out"


def test_pixels_of_each_ray_are_cut_out_by_the_sizes(exported):
    lake, folder = exported
    hits = lake.table("cosmic_rays.hits", where={"obs_id": "o4k19a010_2"}).pl().sort("hit_id")
    with (
        h5py.File(folder / "stis_ccd_cr_sizes_1.hdf5") as sizes,
        h5py.File(folder / "stis_ccd_cr_affected_pixels_1.hdf5") as pixels,
    ):
        size = sizes["sizes/o4k19a010_2_flt.fits"][:]
        found = pixels["cr_affected_pixels/o4k19a010_2_flt.fits"]
        assert size.dtype == found.dtype == np.float32
        assert_array_equal(size[1], hits["n_pixels"].to_numpy())
        ends = np.cumsum(size[1]).astype(int)
        assert found.shape == (ends[-1], 2)
        last = hits.to_dicts()[-1]
        assert_array_equal(found[ends[-2] :], np.stack([last["pixels_y"], last["pixels_x"]], axis=1))
        assert found.attrs["integration_time"] == 165
        assert found.attrs["expstart"].startswith("1998-02-09T05:26:12.743")
        assert np.isnan(found.attrs["latitude"]).all()


def test_the_catalogue_has_the_rows_of_the_exposures_in_order_of_date(exported):
    _, folder = exported
    lines = (folder / "stis_ccd_catalog.csv").read_text().splitlines()
    assert lines[0].startswith("obs_id,date_start,mjd_start,date_end,mjd_end,integration_time,altitude_start")
    assert [line.partition(",")[0] for line in lines[1:]] == ["o4k19a010_1", "o4k19a010_2"]
