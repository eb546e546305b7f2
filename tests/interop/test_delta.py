"""Delta by reference: the same files as a Delta table, versioned, and neither takes anything from the other."""

import json
import os
import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable
from hypothesis import given
from hypothesis import strategies as st

from lake.cli import main
from lake.delta import LOG, register, statistics, version_name
from lake.errors import LakeError, QueryError
from lake.log import Piece
from lake.maintain import compact, gc
from lake.schema import INSTANT, Column, Table
from lake.store import Lake
from lake.verify import verify
from tests.builders.every_type import NO_DELTA, THINGS, bare_lake, grown_lake, wanted_rows, without
from tests.builders.lakes import COUNTS, counts, origin
from tests.builders.readback import Rows, by_key

DELTA_THINGS = without(THINGS, *NO_DELTA)


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
