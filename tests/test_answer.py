"""Answers as Arrow, Polars, Astropy and xarray have them."""

import datetime

import numpy as np
import pyarrow as pa
import pytest

from lake.answer import MOST_HTML, Answer, answered, units_of
from lake.errors import QueryError
from lake.log import Snapshot
from tests.builders.lakes import COUNTS

ROWS = pa.table({
    "time": pa.array([datetime.datetime(2020, 1, 1), None], pa.timestamp("us")),
    "obs_id": ["a", None],
    "n_rows": pa.array([3, None], pa.int64()),
    "energy_kev": pa.array([1.5, None]),
    "width_nm": pa.array([0.5, 0.25], pa.float32()),
    "is_good": pa.array([True, None]),
})  # fmt: skip


@pytest.fixture
def answer():
    return answered(ROWS, Snapshot(number=7), {COUNTS.name: COUNTS}, 0.123)


def test_units_are_declared_or_end_the_name(answer):
    assert dict(answer.units) == {"energy_kev": "keV", "width_nm": "nm"}
    assert answer.arrow().schema.field("energy_kev").metadata[b"unit"] == b"keV"
    assert answer.arrow().equals(ROWS)


def test_a_name_declared_in_two_units_has_the_one_it_ends_in():
    from dataclasses import replace

    other = replace(COUNTS, columns=(replace(COUNTS.column("energy_kev"), unit="J"),), key=())
    assert units_of(["energy_kev"], {"a": COUNTS, "b": other}) == {"energy_kev": "keV"}


def test_a_quantity_table_has_units_and_masks_nulls(answer):
    from astropy import units

    found = answer.qtable()
    assert found["energy_kev"].unit == units.keV
    assert found["energy_kev"].mask.tolist() == [False, True]
    assert (found["width_nm"] == [500, 250] * units.pm).all()
    assert found["obs_id"].mask.tolist() == [False, True]
    assert found["n_rows"].mask.tolist() == [False, True]
    assert found["time"].scale == "utc"
    assert found["time"][0].isot == "2020-01-01T00:00:00.000"
    assert found["time"].mask.tolist() == [False, True]


def test_polars_and_xarray_have_the_same_values(answer):
    assert answer.pl()["width_nm"].to_list() == [0.5, 0.25]
    found = answer.xarray()
    assert found["energy_kev"].attrs == {"units": "keV"}
    assert found["width_nm"].values.tolist() == [0.5, 0.25]
    assert np.isnat(found["time"].values[1])


def test_columns_become_axes_of_a_data_set():
    table = pa.table({"y": [0, 0, 1], "x": [0, 1, 0], "flux_dn": [1.0, 2.0, 3.0]})
    found = Answer(table, {"flux_dn": "DN"}, 0).xarray("y", "x")
    assert found["flux_dn"].dims == ("y", "x")
    assert found["flux_dn"].sel(y=0, x=1) == 2
    assert np.isnan(found["flux_dn"].sel(y=1, x=1))
    with pytest.raises(QueryError, match="rows repeat in y"):
        Answer(table, {}, 0).xarray("y")


def test_sums_of_integers_are_integers_again():
    wide = pa.table({"total": pa.array([3], pa.decimal128(38, 0)), "huge": pa.array([10**30], pa.decimal128(38, 0))})
    found = answered(wide, Snapshot(), {}, 0).arrow()
    assert found.schema.types == [pa.int64(), pa.float64()]


def test_the_repr_is_one_line_with_units(answer):
    assert repr(answer) == (
        "<Answer 2 rows: time, obs_id, n_rows, energy_kev [keV], width_nm [nm], is_good; commit 7, 0.12 s>"
    )


def test_html_has_a_row_of_units_and_escapes_what_it_shows():
    rows = pa.table({"name": ["<script>"], "width_nm": [1.0], "time": pa.array([0], pa.timestamp("us"))})
    page = answered(rows, Snapshot(number=1), {}, 0)._repr_html_()
    assert "<th>name</th><th>width_nm</th><th>time</th></tr><tr><th></th><th>nm</th><th>UTC</th>" in page
    assert "<script>" not in page


@pytest.mark.parametrize(("n_columns", "width"), [(3, 10), (100, 5000), (3000, 60)])
def test_html_is_short_and_says_what_it_leaves_out(n_columns, width):
    rows = pa.table({f"column_{n:04}_{'x' * 40}": ["<" * width] * 1000 for n in range(n_columns)})
    answer = Answer(rows, {}, 1)
    page = answer._repr_html_()
    assert len(page.encode()) <= MOST_HTML
    assert "of 1,000 rows" in page
    assert len(repr(answer).encode()) <= MOST_HTML


def test_an_answer_without_rows_keeps_its_columns():
    empty = answered(ROWS.slice(0, 0), Snapshot(), {}, 0)
    assert len(empty) == 0
    assert empty.qtable().colnames == ROWS.column_names
    assert empty.xarray().sizes == {"row": 0}
    assert "0 rows" in empty._repr_html_()
