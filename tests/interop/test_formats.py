"""Files, segments and the catalogue: whatever a table is exported to or left as, its rows come back equal."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xarray as xr
import zarr
from astropy.io.votable import parse
from astropy.table import QTable
from astropy.table import Table as AstropyTable
from astropy.time import Time

from lake.catalog import CATALOG
from lake.errors import QueryError
from lake.export import signed, write
from lake.provenance import code_version
from lake.schema import Column, Table
from lake.store import Lake
from tests.builders.every_type import NO_FITS, THINGS, base_rows, grown_lake, wanted_rows, without
from tests.builders.lakes import FRAMES, images, origin
from tests.builders.readback import Rows, astropy_rows, by_key, csv_rows, json_rows

FITS_THINGS = without(THINGS, *NO_FITS)


def exported(lake: Lake, form: str, path: Path) -> Path:
    """A file of the table in a format, as `lake export` writes it."""
    write(signed(lake.table(THINGS.name).arrow(), lake, THINGS.name), form, path)
    return path


FILES: dict[str, tuple[Table, Callable[[Path], Rows]]] = {
    "parquet": (THINGS, lambda path: pq.read_table(path).to_pylist()),
    "csv": (THINGS, lambda path: csv_rows(path, THINGS)),
    "json": (THINGS, lambda path: json_rows(path.read_text(), THINGS)),
    "ndjson": (THINGS, lambda path: json_rows(f"[{','.join(path.read_text().splitlines())}]", THINGS)),
    "ecsv": (THINGS, lambda path: astropy_rows(AstropyTable.read(path, format="ascii.ecsv"), THINGS)),
    "votable": (THINGS, lambda path: astropy_rows(AstropyTable.read(path, format="votable"), THINGS)),
    "fits": (
        FITS_THINGS,
        lambda path: astropy_rows(AstropyTable.read(path, format="fits", astropy_native=True), FITS_THINGS),
    ),
}


@pytest.mark.parametrize("form", FILES)
def test_every_format_gives_back_equal_rows(made, tmp_path, form):
    make, n = made
    table, read = FILES[form]
    wanted = wanted_rows(table, n)
    if "json" in form:
        # JSON has no infinity, so that is null as well.
        wanted = [{k: None if v == float("inf") else v for k, v in row.items()} for row in wanted]
    assert by_key(read(exported(make(table), form, tmp_path / "things"))) == wanted


QTABLES: dict[str, dict[str, Any]] = {
    "ecsv": {"format": "ascii.ecsv"},
    "votable": {"format": "votable"},
    "fits": {"format": "fits", "astropy_native": True},
}


@pytest.mark.parametrize("form", QTABLES)
def test_a_quantity_table_has_the_units_and_the_instants(tmp_path, form):
    lake = grown_lake(tmp_path / "lake", FITS_THINGS)
    read = QTable.read(exported(lake, form, tmp_path / "things"), **QTABLES[form])
    read.sort("row_id")
    assert str(read["energy_kev"].unit) == "keV"
    assert read["energy_kev"][2].to_value("eV") == 1000
    wanted = base_rows(0)["seen"]
    times = read["seen"][:3] if form != "votable" else Time(read["seen"][:3].tolist())
    assert times.scale == "utc"
    np.testing.assert_array_equal(np.asarray(times.datetime64, "datetime64[us]"), wanted)


def test_the_instants_of_a_votable_refer_to_a_time_system_of_utc(tmp_path):
    found = parse(exported(grown_lake(tmp_path / "lake"), "votable", tmp_path / "things"))
    field = found.get_first_table().get_field_by_id("seen")
    assert (field.xtype, found.get_timesys_by_id(field.ref).timescale) == ("timestamp", "UTC")
    assert found.get_first_table().get_field_by_id("energy_kev").ucd == "em.energy"


@pytest.mark.parametrize("form", ["parquet", *QTABLES])
def test_an_export_says_where_its_rows_are_from(tmp_path, form):
    lake = grown_lake(tmp_path / "lake", FITS_THINGS)
    path = exported(lake, form, tmp_path / "things")
    if form == "votable":
        found = {info.name: info.value for info in parse(path).infos}
    elif form == "parquet":
        words = pq.read_schema(path).metadata
        found = {k.decode().removeprefix("lightlake."): v.decode() for k, v in words.items()}
    else:
        meta = AstropyTable.read(path, **QTABLES[form]).meta
        cards = {"LAKE_ID": "lake", "COMMIT": "commit", "DATASET": "dataset", "CODE_VER": "code"}
        found = {cards.get(k, k): v for k, v in meta.items()}
    wanted = {"lake": lake.id, "commit": "1", "dataset": "toy.things", "code": code_version()}
    assert {k: found.get(k) for k in wanted} == wanted


@pytest.mark.parametrize("form", ["ecsv", "votable", "parquet"])
def test_an_export_says_what_a_column_means(tmp_path, form):
    path = exported(grown_lake(tmp_path / "lake"), form, tmp_path / "things")
    if form == "parquet":
        assert pq.read_schema(path).field("energy_kev").metadata[b"doc"] == b"Energy of the thing"
    else:
        assert AstropyTable.read(path, **QTABLES[form])["energy_kev"].description == "Energy of the thing"


@pytest.mark.parametrize(("kind", "value"), [(pa.string(), "naïve"), (pa.uint64(), 2**63)])
def test_a_value_that_fits_cannot_hold_is_refused_with_the_way_out(tmp_path, kind, value):
    table = Table("toy.odd", "Odd.", ("n",), (Column("n", pa.int8(), "N"), Column("odd", kind, "Odd")))
    lake = Lake.create(tmp_path / "lake")
    with lake.transaction("odd", catalog=False) as tx:
        tx.append(table, {"n": [1], "odd": pa.array([value], kind)}, source=origin("odd"))
    rows = signed(lake.table("toy.odd").arrow(), lake, "toy.odd")
    with pytest.raises(QueryError, match=f"toy.odd: fits cannot hold column odd, {kind}") as refused:
        write(rows, "fits", tmp_path / "odd.fits")
    assert refused.value.hint == "lake export toy.odd --to parquet"
    assert not (tmp_path / "odd.fits").exists()


def test_a_segment_opens_in_plain_zarr_and_in_xarray(lake, tmp_path):
    (segment,) = lake.snapshot.pieces_of("toy.images")
    path = tmp_path / "lake" / segment.path
    pixels = images(3)
    np.testing.assert_array_equal(zarr.open(path, mode="r")["pixels"][...], pixels)
    with xr.open_zarr(path, consolidated=False) as found:
        assert found["pixels"].dims == ("time", "y", "x")
        assert found["pixels"].attrs == {"units": "DN", "long_name": FRAMES.doc, "dataset": "toy.images"}
        np.testing.assert_array_equal(found["pixels"].values, pixels)


# Another DuckDB of the supported range, as the path of a Python that has it, and DuckDB's own command-line client.
OTHER = os.environ.get("LIGHTLAKE_OTHER_DUCKDB_PYTHON", "")
CLIENT = os.environ.get("LIGHTLAKE_DUCKDB") or shutil.which("duckdb") or ""
IN_PYTHON = """
import duckdb, sys
with duckdb.connect(sys.argv[1], read_only=True) as con:
    print(con.execute(sys.argv[2]).fetchall()[0][0])
"""


@pytest.mark.parametrize(
    "client",
    [
        pytest.param([sys.executable, "-c", IN_PYTHON], id="this-duckdb"),
        pytest.param(
            [OTHER, "-c", IN_PYTHON],
            id="other-duckdb",
            marks=pytest.mark.skipif(not OTHER, reason="no other DuckDB (set LIGHTLAKE_OTHER_DUCKDB_PYTHON)"),
        ),
        pytest.param(
            [CLIENT, "-readonly", "-noheader", "-list"],
            id="command-line",
            marks=pytest.mark.skipif(not CLIENT, reason="no duckdb on the PATH (or set LIGHTLAKE_DUCKDB)"),
        ),
    ],
)
def test_the_catalogue_gives_every_duckdb_the_same_rows(made, tmp_path, client):
    make, n = made
    lake = make(THINGS)
    values = ", ".join(f'"{c.name}"::varchar' for c in THINGS.columns)
    text = f"select coalesce(string_agg(concat_ws('|', {values}), ';' order by row_id), '') as rows from toy.things"
    path = str(Path(lake.root, CATALOG).absolute())
    done = subprocess.run([*client, path, text], cwd="/", capture_output=True, text=True, check=True)
    wanted = lake.sql(text).rows["rows"][0].as_py()
    assert done.stdout.strip() == wanted
    assert wanted.count("2020-01-0") >= n
