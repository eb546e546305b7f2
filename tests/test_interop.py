"""Other people's readers: whatever a table is exported to, registered as or left as, its rows come back equal."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import xarray as xr
import zarr
from astropy.io.votable import parse
from astropy.table import QTable
from astropy.table import Table as AstropyTable
from astropy.time import Time
from deltalake import DeltaTable
from hypothesis import given
from hypothesis import strategies as st

from lake.catalog import CATALOG
from lake.cli import main
from lake.delta import LOG, register, statistics, version_name
from lake.errors import LakeError, QueryError
from lake.export import signed, write
from lake.log import Piece
from lake.maintain import compact, gc
from lake.provenance import code_version
from lake.schema import INSTANT, Column, Table
from lake.store import Lake
from lake.verify import verify
from lake.views import sql_type
from tests.builders.every_type import NO_DELTA, NO_FITS, THINGS, bare_lake, base_rows, grown_lake, wanted_rows, without
from tests.builders.lakes import COUNTS, FRAMES, counts, images, instants, origin

DELTA_THINGS, FITS_THINGS = without(THINGS, *NO_DELTA), without(THINGS, *NO_FITS)
LAKES = {"six rows, three partitions, evolved": (grown_lake, 6), "no row": (bare_lake, 0)}
Rows = list[dict[str, Any]]


@pytest.fixture(params=LAKES)
def made(request, tmp_path):
    """A lake of a table, and how many rows it has."""
    make, n = LAKES[request.param]
    return lambda table: make(tmp_path / "lake", table), n


def exported(lake: Lake, form: str, path: Path) -> Path:
    """A file of the table in a format, as `lake export` writes it."""
    write(signed(lake.table(THINGS.name).arrow(), lake, THINGS.name), form, path)
    return path


def by_key(rows: Rows) -> Rows:
    """Rows in the order of their key, NaN as null."""
    plain = [{k: None if v != v else v for k, v in row.items()} for row in rows]
    return sorted(plain, key=lambda row: row["row_id"])


def from_text(value: Any, kind: pa.DataType) -> Any:
    """A value that a format keeps as text or as another number."""
    if isinstance(value, str) and pa.types.is_timestamp(kind):
        return datetime.fromisoformat(value.removesuffix("Z"))
    if isinstance(value, str) and (pa.types.is_binary(kind) or pa.types.is_large_binary(kind)):
        return bytes.fromhex(value)
    if isinstance(value, str) and kind in (pa.date32(), pa.time64("us")):
        return (date if kind == pa.date32() else time).fromisoformat(value)
    if isinstance(value, str) and pa.types.is_list(kind):
        return json.loads(value)
    if value is not None and pa.types.is_boolean(kind):
        return bool(value)
    return float(np.float32(value)) if value is not None and pa.types.is_float32(kind) else value


def json_rows(text: str, table: Table) -> Rows:
    return [{c.name: from_text(row[c.name], c.type) for c in table.columns} for row in json.loads(text)]


def csv_rows(path: Path, table: Table) -> Rows:
    kinds = {c.name: sql_type(c.type) for c in table.columns}
    with duckdb.connect() as con:
        read = con.read_csv(str(path), header=True, columns=kinds, allow_quoted_nulls=False)
        return read.to_arrow_table().to_pylist()


def astropy_rows(read: AstropyTable, table: Table) -> Rows:
    """Rows of an Astropy table; an empty text is a null."""

    def values(column: Any, kind: pa.DataType) -> list[Any]:
        if isinstance(column, Time):
            nothing = np.broadcast_to(column.mask, column.shape)
            micros = np.array(column[~nothing].datetime64, "datetime64[us]").tolist()
            known = iter(micros if isinstance(micros, list) else [micros])
            return [None if gone else next(known) for gone in nothing]
        found = column.tolist()
        texts = [v.decode() if isinstance(v, bytes) else v for v in found]
        return [from_text(None if v == "" else v, kind) for v in texts]

    columns = {c.name: values(read[c.name], c.type) for c in table.columns}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


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


DELTA_READERS: dict[str, Callable[[str], Rows]] = {
    "deltalake": lambda at: DeltaTable(at).to_pyarrow_table().to_pylist(),
    "polars": lambda at: pl.read_delta(at).to_dicts(),
    "polars-lazily": lambda at: pl.scan_delta(at).collect().to_dicts(),
    "duckdb-over-arrow": lambda at: duckdb.from_arrow(DeltaTable(at).to_pyarrow_dataset()).to_arrow_table().to_pylist(),
}


@pytest.mark.parametrize("reader", DELTA_READERS)
def test_a_delta_table_gives_back_equal_rows(made, tmp_path, reader):
    make, n = made
    register(make(DELTA_THINGS), THINGS.name, tmp_path / "delta")
    assert by_key(DELTA_READERS[reader](str(tmp_path / "delta"))) == wanted_rows(DELTA_THINGS, n)


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


def read_at(folder: Path, version: int | None = None) -> set[tuple[str, int]]:
    """Keys of the counts in a Delta table."""
    rows = DeltaTable(folder, version=version).to_pyarrow_table()
    return set(zip(rows["obs_id"].to_pylist(), rows["row_id"].to_pylist(), strict=True))


def of(*names: str) -> set[tuple[str, int]]:
    return {(name, row) for name in names for row in range(5)}


def logged(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in (folder / LOG).iterdir()}


def test_no_byte_is_copied_and_the_hidden_column_stays_hidden(lake, tmp_path):
    done = register(lake, "toy.counts", tmp_path / "delta")
    assert done == {"version": 0, "files": 3, "rows": 15, "added": 3, "removed": 0}
    own = {(tmp_path / "lake" / p.path).stat().st_ino for p in lake.snapshot.pieces_of("toy.counts")}
    assert {p.stat().st_ino for p in (tmp_path / "delta").glob("*.parquet")} == own
    assert DeltaTable(tmp_path / "delta").to_pyarrow_table().column_names == ["obs_id", "row_id", "energy_kev"]


def test_the_tables_of_an_array_are_registered_as_well(lake, tmp_path):
    for name in ("toy.images_frames", "toy.images_tiles"):
        register(lake, name, tmp_path / name)
        found = DeltaTable(tmp_path / name).to_pyarrow_table()
        assert found.to_pylist() == lake.table(name).arrow().to_pylist()


def test_an_export_of_the_same_commit_changes_nothing(lake, tmp_path):
    register(lake, "toy.counts", tmp_path / "delta")
    before = logged(tmp_path / "delta")
    again = register(lake, "toy.counts", tmp_path / "delta")
    assert (again["version"], again["added"], again["removed"]) == (0, 0, 0)
    assert logged(tmp_path / "delta") == before


def test_each_export_after_a_change_is_a_version_to_travel_to(lake, tmp_path):
    folder = tmp_path / "delta"
    register(lake, "toy.counts", folder)
    with lake.transaction("less and more", catalog=False) as tx:
        tx.delete("toy.counts", sources=[origin("a")["sha256"]])
        tx.append(COUNTS, counts("d"), source=origin("d"))
    done = register(lake, "toy.counts", folder)
    assert (done["version"], done["added"], done["removed"]) == (1, 1, 1)
    compact(lake, "toy.counts", catalog=False)
    assert register(lake, "toy.counts", folder)["version"] == 2
    assert [read_at(folder, v) for v in range(3)] == [of(*"abc"), of(*"bcd"), of(*"bcd")]
    register(lake.at(0), "toy.counts", folder)
    assert read_at(folder) == of("a")


def test_a_column_that_came_later_is_null_in_the_rows_before_it(tmp_path):
    lake = grown_lake(tmp_path / "lake", DELTA_THINGS)
    register(lake.at(0), THINGS.name, tmp_path / "delta")
    register(lake, THINGS.name, tmp_path / "delta")
    assert "v_int8" not in DeltaTable(tmp_path / "delta", version=0).to_pyarrow_table().column_names
    assert by_key(pl.read_delta(str(tmp_path / "delta")).to_dicts()) == wanted_rows(DELTA_THINGS)


def test_a_version_names_the_lake_the_commit_and_the_run(lake, tmp_path):
    with lake.transaction("ran", run={"id": "run7", "pipeline": "toy"}, catalog=False) as tx:
        tx.append(COUNTS, counts("d"), source=origin("d"))
    register(lake, "toy.counts", tmp_path / "delta")
    about = DeltaTable(tmp_path / "delta").history()[0]
    assert (about["lightlakeLake"], about["lightlakeCommit"], about["lightlakeRun"]) == (lake.id, 4, "run7")
    metadata = DeltaTable(tmp_path / "delta").metadata()
    assert (metadata.name, metadata.description) == ("toy.counts", COUNTS.doc)


def test_units_and_meanings_are_in_the_delta_schema(lake, tmp_path):
    register(lake, "toy.counts", tmp_path / "delta")
    field = next(f for f in DeltaTable(tmp_path / "delta").schema().fields if f.name == "energy_kev")
    assert field.metadata == {"comment": "Energy", "unit": "keV"}


def test_delta_readers_leave_out_files_by_the_bounds_of_the_lake_s_log(lake, tmp_path):
    with lake.transaction("far", catalog=False) as tx:
        tx.append(COUNTS, counts("z", 5, first=1000), source=origin("z"))
    register(lake, "toy.counts", tmp_path / "delta")
    files = DeltaTable(tmp_path / "delta").to_pyarrow_dataset()
    assert len(list(files.get_fragments())) == 4
    assert len(list(files.get_fragments(pc.field("row_id") >= 1000))) == 1
    assert len(list(files.get_fragments(pc.field("obs_id") == "b"))) == 1


@given(st.datetimes(datetime(1000, 1, 1), datetime(2200, 1, 1)), st.integers(0, 10_000_000))
def test_the_bounds_of_instants_hold_every_instant(first, span):
    least = np.datetime64(first, "us")
    most = least + np.timedelta64(span, "us")
    table = Table("toy.times", "Times.", ("seen",), (Column("seen", INSTANT, "When"),))
    piece = Piece("toy.times", "p", "", 0, 2, stats={"seen": [f"{least}Z", f"{most}Z", 0]})
    found = statistics(table, piece)
    low, high = (np.datetime64(found[k]["seen"], "us") for k in ("minValues", "maxValues"))
    assert low <= least
    assert most <= high
    assert max(least - low, high - most) < np.timedelta64(1, "ms")


def test_a_garbage_collection_of_the_lake_takes_nothing_from_the_delta_table(lake, tmp_path):
    register(lake, "toy.counts", tmp_path / "delta")
    with lake.transaction("less", catalog=False) as tx:
        tx.delete("toy.counts", sources=[origin("a")["sha256"]])
    assert gc(lake, grace_s=0, before=lake.number)["files"] == 1
    assert read_at(tmp_path / "delta") == of(*"abc")
    register(lake, "toy.counts", tmp_path / "delta")
    assert read_at(tmp_path / "delta", 0) == of(*"abc")


def test_a_vacuum_of_the_delta_table_takes_nothing_from_the_lake(lake, tmp_path):
    register(lake, "toy.counts", tmp_path / "delta")
    with lake.transaction("less", catalog=False) as tx:
        tx.delete("toy.counts", sources=[origin("a")["sha256"]])
    register(lake, "toy.counts", tmp_path / "delta")
    gone = DeltaTable(tmp_path / "delta").vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False)
    assert len(gone) == 1
    assert verify(lake) == []
    assert len(lake.at(0).table("toy.counts")) == 5
    register(lake.at(2), "toy.counts", tmp_path / "delta")
    assert read_at(tmp_path / "delta") == of(*"abc")


def test_an_export_that_died_before_its_log_entry_is_taken_up_by_the_next(lake, tmp_path, monkeypatch):
    monkeypatch.setattr("lake.delta.Folder.create", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        register(lake, "toy.counts", tmp_path / "delta")
    monkeypatch.undo()
    register(lake, "toy.counts", tmp_path / "delta")
    assert read_at(tmp_path / "delta") == of(*"abc")


def test_of_two_exports_at_once_the_later_one_builds_on_the_earlier(lake, tmp_path, monkeypatch):
    folder, first = tmp_path / "delta", lake.at(0)
    from lake.delta import Folder

    real = Folder.create

    def overtaken(self: Folder, name: str, content: bytes) -> bool:
        monkeypatch.setattr(Folder, "create", real)
        register(first, "toy.counts", folder)
        return real(self, name, content)

    monkeypatch.setattr(Folder, "create", overtaken)
    done = register(lake, "toy.counts", folder)
    assert (done["version"], done["added"]) == (1, 2)
    assert read_at(folder, 0) == of("a")
    assert read_at(folder, 1) == of(*"abc")


def test_a_lake_that_was_moved_registers_its_copies(lake, tmp_path):
    register(lake, "toy.counts", tmp_path / "delta")
    shutil.copytree(tmp_path / "lake", tmp_path / "moved")
    moved = Lake(tmp_path / "moved")
    register(moved.at(0), "toy.counts", tmp_path / "delta")
    register(moved, "toy.counts", tmp_path / "delta")
    assert read_at(tmp_path / "delta") == of(*"abc")


def test_what_somebody_else_wrote_is_never_taken_over(lake, tmp_path):
    from deltalake import write_deltalake

    write_deltalake(tmp_path / "theirs", pa.table({"a": [1]}))
    with pytest.raises(LakeError, match="version 0 there is by delta-rs"):
        register(lake, "toy.counts", tmp_path / "theirs")
    register(lake, "toy.counts", tmp_path / "ours")
    with pytest.raises(LakeError, match=r"version 0 there is by toy\.counts"):
        register(lake, "toy.images_tiles", tmp_path / "ours")
    write_deltalake(tmp_path / "ours", DeltaTable(tmp_path / "ours").to_pyarrow_table().slice(0, 1), mode="append")
    with pytest.raises(LakeError, match="version 1 there is by delta-rs"):
        register(lake, "toy.counts", tmp_path / "ours")
    (tmp_path / "ours" / version_name(0)).unlink()
    with pytest.raises(LakeError, match="is not whole"):
        register(lake, "toy.counts", tmp_path / "ours")


@pytest.mark.parametrize("kind", [*NO_DELTA, pa.timestamp("ns")])
def test_a_type_that_delta_lacks_is_refused_with_the_way_out(tmp_path, kind):
    table = Table("toy.odd", "Odd.", ("n",), (Column("n", pa.int8(), "N"), Column("odd", kind, "Odd", nullable=True)))
    lake = bare_lake(tmp_path / "lake", table)
    with pytest.raises(QueryError, match=r"column odd is .+, which Delta does not have") as refused:
        register(lake, "toy.odd", tmp_path / "delta")
    assert refused.value.hint == "lake export toy.odd --to parquet"
    assert not (tmp_path / "delta").exists()


def told(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """What a command answered, said, and its exit code."""
    code = main(list(words))
    out, err = capsys.readouterr()
    return code, out, err


def test_the_command_tells_the_version_and_changes_nothing_in_rehearsal(lake, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("LAKE_ROOT", lake.root)
    words = ("export", "toy.counts", "--to", "delta", "-o", str(tmp_path / "delta"))
    code, _, err = told(capsys, *words, "-n")
    assert (code, err) == (0, f"{tmp_path / 'delta'} would be written: 15 rows, Delta version 0, commit 3\n")
    assert not (tmp_path / "delta").exists()
    code, out, _ = told(capsys, *words, "--json")
    done = {"output": str(tmp_path / "delta"), "version": 0, "files": 3, "rows": 15, "added": 3, "removed": 0}
    assert (code, json.loads(out)) == (0, {**done, "commit": 3, "dry_run": False})


@pytest.mark.parametrize(
    ("words", "code", "error", "hint"),
    [
        (["toy.images"], 1, "toy.images: frames, which Delta cannot hold", "lake export toy.images_frames --to delta"),
        (["lake.commits"], 1, "lake.commits: no table of files", "lake export lake.commits --to parquet"),
        (["toy.counts", "--param", "a=1"], 2, "delta registers the files of a table, which takes no --param", ""),
    ],
)
def test_what_cannot_be_registered_is_told_with_the_way_out(lake, capsys, monkeypatch, words, code, error, hint):
    monkeypatch.setenv("LAKE_ROOT", lake.root)
    found, _, err = told(capsys, "export", *words, "--to", "delta")
    assert found == code
    assert err.startswith(f"error: {error}")
    assert not hint or err.endswith(f"hint: {hint}\n")


def test_another_file_system_is_named(lake, tmp_path, monkeypatch):
    def refused(*_: Any) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refused)
    with pytest.raises(LakeError, match="not in the file system of the lake") as error:
        register(lake, "toy.counts", tmp_path / "delta")
    assert error.value.hint == "lake export toy.counts --to delta"


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
