"""Rows as text and as files."""

import io
import json
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake.cli.output import cells, fitted, table
from lake.errors import QueryError
from lake.export import csv, format_of, json_array, json_rows, ndjson, with_units, write
from tests.cli.conftest import Said

Run = Callable[..., Said]
numbers = st.floats(allow_nan=False, allow_infinity=False, width=32)
ROWS = pa.table(
    {
        "name": pa.array(["a|b", None, 'say "x", y']),
        "time": pa.array([datetime(2020, 1, 1), datetime(2020, 1, 1, 0, 0, 0, 500_000), None], pa.timestamp("us")),
        "flux": pa.array([0.1, float("nan"), None], pa.float32()),
        "is_good": pa.array([True, False, None]),
    }
)


@given(st.lists(st.one_of(st.none(), numbers), min_size=1))
def test_a_number_in_a_table_is_the_number_to_six_digits_of_its_column(values: list[float | None]) -> None:
    largest = max((abs(v) for v in values if v is not None), default=0.0)
    for value, text in zip(values, cells(values), strict=True):
        if value is None:
            assert text.strip() == ""
        else:
            assert float(text) == pytest.approx(value, rel=2e-5, abs=largest * 1e-5 + 1e-9)


@given(st.lists(numbers, min_size=1))
def test_numbers_of_a_column_end_in_one_place(values: list[float]) -> None:
    assert len({len(text) for text in cells(values)}) == 1


def test_instants_show_fractions_only_where_there_are_some() -> None:
    whole, half = datetime(2017, 9, 10, 16, 6), datetime(2017, 9, 10, 16, 6, 0, 500_000)
    assert cells([whole, None]) == ["2017-09-10 16:06:00", ""]
    assert cells([whole, half]) == ["2017-09-10 16:06:00.0", "2017-09-10 16:06:00.5"]


@given(st.integers(1, 200))
def test_no_line_is_wider_than_the_terminal_unless_one_column_is(width: int) -> None:
    rows = pa.table({name: ["x" * 9] * 2 for name in ("one", "two", "three", "four")})
    text, hidden = fitted(rows, width, colors=False)
    assert max(map(len, text.splitlines())) <= max(width, 10)
    assert text.splitlines()[0].split() + hidden == rows.schema.names


def test_control_characters_of_a_file_do_not_reach_the_terminal() -> None:
    assert "\x1b" not in table(pa.table({"name": ["\x1b[31mred"]}))


def test_json_has_no_nan_and_instants_end_in_z() -> None:
    assert list(json_rows(ROWS)) == [
        {"name": "a|b", "time": "2020-01-01T00:00:00Z", "flux": 0.1, "is_good": True},
        {"name": None, "time": "2020-01-01T00:00:00.5Z", "flux": None, "is_good": False},
        {"name": 'say "x", y', "time": None, "flux": None, "is_good": None},
    ]


def test_json_and_ndjson_hold_the_same_rows() -> None:
    lines = b"".join(ndjson(ROWS)).decode().splitlines()
    assert json.loads(b"".join(json_array(ROWS))) == [json.loads(line) for line in lines]
    assert json.loads(b"".join(json_array(ROWS.slice(0, 0)))) == []


def test_csv_reads_back_as_the_same_rows() -> None:
    read = pacsv.read_csv(
        io.BytesIO(b"".join(csv(ROWS))), convert_options=pacsv.ConvertOptions(strings_can_be_null=True)
    )
    assert read["name"].to_pylist() == ROWS["name"].to_pylist()
    assert read["is_good"].to_pylist() == ROWS["is_good"].to_pylist()


@pytest.mark.parametrize("ending", ["csv", "json", "ndjson", "md", "parquet", "ecsv", "vot", "fits"])
def test_the_ending_of_a_file_chooses_its_format(lakehouse: Path, lake: Run, ending: str) -> None:
    said = lake("sql", "from sun.flares order by flare_id", "-o", f"rows.{ending}")
    assert (said.code, said.out) == (0, "")
    assert f"rows.{ending}: 3 rows" in said.err
    assert Path(f"rows.{ending}").stat().st_size > 0


@pytest.mark.parametrize("form", ["ecsv", "votable", "fits"])
def test_astropy_reads_an_export_with_its_units(lakehouse: Path, lake: Run, form: str) -> None:
    from astropy.table import Table

    assert lake("export", "sun.flares", "--to", form, "-o", "flares").code == 0
    read = Table.read("flares", format="ascii.ecsv" if form == "ecsv" else form)
    assert str(read["peak_flux_w_m2"].unit) == "W / m2"
    assert sorted(str(name).strip() for name in read["goes_class"]) == ["C1.0", "X6.9", "X8.2"]
    assert read["peak_flux_w_m2"].sum() == pytest.approx(8.2e-4 + 6.9e-4)


def test_parquet_keeps_units_and_meanings(lakehouse: Path, lake: Run) -> None:
    assert lake("export", "sun.flares", "--to", "parquet").code == 0
    field = pq.read_schema("sun.flares.parquet").field("peak_flux_w_m2")
    assert field.metadata[b"unit"] == b"W / m2"


def test_a_delta_table_reads_the_lakes_own_files(lakehouse: Path, lake: Run) -> None:
    deltalake = pytest.importorskip("deltalake")
    assert lake("export", "toy.counts", "--to", "delta", "-o", "delta").code == 0
    rows = deltalake.DeltaTable("delta").to_pyarrow_table()
    assert rows.num_rows == 10
    assert "_source" not in rows.schema.names
    inodes = {p.stat().st_ino for p in lakehouse.glob("tables/toy.counts/**/*.parquet")}
    assert {p.stat().st_ino for p in Path("delta").glob("*.parquet")} == inodes


def test_a_failed_write_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: pa.Table) -> list[bytes]:
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(__import__("lake.export").export.WRITERS, "csv", broken)
    with pytest.raises(OSError, match="No space"):
        write(ROWS, "csv", tmp_path / "rows.csv")
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_ending_is_refused() -> None:
    with pytest.raises(QueryError, match="names no format"):
        format_of("rows.docx")


def test_units_ride_on_the_fields() -> None:
    rows = with_units(ROWS, {"flux": "W / m2"})
    assert rows.schema.field("flux").metadata == {b"unit": b"W / m2"}
    assert " W / m2" in table(rows).splitlines()[1]


def test_ls_lists_the_relations_of_the_pipelines_that_are_there(toy: Path, lake: Run) -> None:
    Path("four.txt").write_text("4")
    assert lake("run", "toy", "four.txt").code == 0
    found = {r["dataset"]: (r["kind"], r["n_rows"], r["grain"], r["doc"]) for r in json.loads(lake("ls", "--json").out)}
    assert found == {
        "toy.counts": ("table", 4, "obs_id, row_id", "Counts of a made-up detector."),
        "toy.fig_energies": ("relation", None, "obs_id, row_id", "Energy against row."),
        "toy.loud": ("relation", None, "obs_id, row_id", "Counts above a level of energy."),
    }
    shown = lake("ls", "--format", "table").out
    assert re.search(r"^ toy.loud +obs_id, row_id +Counts above a level of energy.$", shown, re.MULTILINE)
    assert json.loads(lake("sql", "--json", "from lake.relations where relation = 'toy.loud'").out) == [
        {
            "pipeline": "toy",
            "relation": "toy.loud",
            "grain": "obs_id, row_id",
            "reads": "toy.counts",
            "parameters": "$level_kev = 1.0  lowest energy, kept  [keV]",
            "summary": "Counts above a level of energy.",
        }
    ]
    assert lake("ls", "toy", "--json").out == lake("ls", "--json").out
