"""Every declaration of every pipeline: units that Astropy knows, names that say their unit; and how rows are fitted."""

import importlib
from pathlib import Path
from pkgutil import iter_modules

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy import units
from hypothesis import given
from hypothesis import strategies as st

import schemas
from lake.columns import arrow_type
from lake.errors import SchemaError
from lake.ordering import key_order
from lake.schema import Array, Column, Table, declaration
from lake.store import Lake
from lake.units import conversion, unit_of_name
from tests.builders.lakes import COUNTS, FRAMES, counts, origin

MODULES = [importlib.import_module(f"schemas.{m.name}") for m in iter_modules(schemas.__path__)]
DECLARED = [d for m in MODULES for d in vars(m).values() if isinstance(d, Table | Array)]
COLUMNS = [pytest.param(d, c, id=f"{d.name}.{c.name}") for d in DECLARED for c in d.columns]


@pytest.mark.parametrize(("dataset", "column"), COLUMNS)
def test_a_unit_is_one_that_astropy_knows_and_the_name_ends_in_it(dataset, column):
    assert units.Unit(column.unit) is not None
    if ending := unit_of_name(column.name):
        assert units.Unit(ending) == units.Unit(column.unit), "the name says another unit"


@pytest.mark.parametrize("dataset", DECLARED, ids=lambda d: d.name)
def test_a_dataset_carries_its_pipelines_name_and_reads_back_from_the_log(dataset):
    assert dataset.name.partition(".")[0] in {Path(m.__file__).stem for m in MODULES}
    assert declaration(dataset.to_json()).to_json() == dataset.to_json()


@pytest.mark.parametrize("dataset", [COUNTS, FRAMES, FRAMES.frames, FRAMES.tiles], ids=lambda d: d.name)
def test_what_the_log_keeps_is_the_whole_declaration(dataset):
    again = declaration(dataset.to_json())
    assert again.to_json() == dataset.to_json()
    if isinstance(dataset, Table):
        assert again.arrow.equals(dataset.arrow, check_metadata=True)


@pytest.mark.parametrize(
    "kind", ["int8", "uint16", "float", "double", "string", "bool", "timestamp[us]", "list<item: int32>"]
)
def test_types_read_back_from_their_printed_names(kind):
    assert str(arrow_type(kind)) == kind


def test_a_type_that_is_none_is_refused():
    with pytest.raises(SchemaError, match="'complex' is not one"):
        arrow_type("complex")


def test_units_and_meanings_ride_in_the_files(tmp_path):
    lake = Lake.create(tmp_path / "lake")
    with lake.transaction("test", catalog=False) as tx:
        bare = COUNTS.fit(counts("a")).rows.replace_schema_metadata(None)
        tx.append(COUNTS, pa.table({n: bare[n] for n in bare.column_names}), source=origin("a"))
    (piece,) = lake.snapshot.pieces.values()
    field = pq.read_schema(tmp_path / "lake" / piece.path).field("energy_kev")
    assert field.metadata == {b"unit": b"keV", b"doc": b"Energy"}


def test_values_arrive_in_the_declared_unit():
    assert conversion("Angstrom", "nm")(10.0) == pytest.approx(1.0)
    assert conversion("", "nm")(10.0) == 10.0
    with pytest.raises(SchemaError, match=r"\[s\] cannot become \[nm\]"):
        conversion("s", "nm")


def test_rows_that_do_not_fit_come_back_with_reasons_and_counts():
    narrow = Table("toy.t", "Rows.", ("row_id",), (
        Column("row_id", pa.int16(), "Row", at_least=0),
        Column("share", pa.float32(), "Share", nullable=True, at_most=1),
    ))  # fmt: skip
    taken = narrow.fit({"row_id": np.array([0, 1, 70_000, -1, 1]), "share": np.array([0.5, np.nan, 0.1, 0.1, 0.2])})
    assert taken.rows.to_pylist() == [{"row_id": 0, "share": 0.5}, {"row_id": 1, "share": None}]
    assert [(r.reason, r.n_rows, r.first_row) for r in taken.rejected] == [
        ("row_id: does not fit int16", 1, 2),
        ("row_id: below 0", 1, 3),
        ("row_id: duplicate key, the first is kept", 1, 4),
    ]


def test_missing_and_undeclared_columns_are_named():
    with pytest.raises(SchemaError, match="missing row_id; has obs_id"):
        COUNTS.fit({"obs_id": ["a"]})
    with pytest.raises(SchemaError, match="colour is not declared; has obs_id, row_id, energy_kev"):
        COUNTS.fit({**counts("a"), "colour": 1})
    with pytest.raises(SchemaError, match="differ in length"):
        COUNTS.fit({"obs_id": ["a", "b"], "row_id": [1, 2, 3]})


keys = st.lists(st.tuples(st.sampled_from(["a", "b", "ä"]), st.integers(-3, 3)), min_size=1, max_size=30)


@given(keys)
def test_rows_come_out_in_the_order_of_their_key_each_once(pairs):
    names, numbers = (list(c) for c in zip(*pairs, strict=True))
    rows = pa.table({"name": names, "number": numbers, "place": range(len(pairs))})
    found, repeats = key_order(rows, ("name", "number"))
    first = {pair: place for place, pair in reversed(list(enumerate(pairs)))}
    assert [(r["name"], r["number"]) for r in found.to_pylist()] == sorted(set(pairs))
    assert [r["place"] for r in found.to_pylist()] == [first[p] for p in sorted(set(pairs))]
    assert sorted(repeats + found["place"].to_pylist()) == list(range(len(pairs)))
