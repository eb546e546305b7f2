"""Files and rows that are left out: what is recorded of them, and that it leads back to their bytes."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from lake.errors import Malformed, SourceError
from lake.intake import commit, reason_of, take_in
from lake.provenance import new_run
from lake.store import Lake
from tests.builders.lakes import COUNTS, FRAMES
from tests.builders.toy_ingest import toy_rows, write_toy


@pytest.fixture
def lake(tmp_path) -> Lake:
    return Lake.create(tmp_path / "lake")


def taken(lake: Lake, *paths: Path, strict: bool = False) -> dict:
    """The summary of a run on these files."""
    run = new_run("toy", {})
    words = {"run": run["id"], "scheduler": "sync", "strict": strict}
    return commit(lake, take_in(lake, list(map(str, paths)), [COUNTS, FRAMES], toy_rows, **words), run)


def rejected(lake: Lake) -> list[dict]:
    return lake.sql("from lake.rejected").arrow().to_pylist()


def cut(folder: Path, n_bytes: int) -> Path:
    """A file of the toy pipeline that ends early."""
    path = write_toy(folder, 1)
    path.write_bytes(path.read_bytes()[:n_bytes])
    return path


def test_a_file_left_out_is_known_by_its_hash_its_datasets_and_a_reason(lake, tmp_path):
    path = tmp_path / "letter.txt"
    path.write_text("Dear Sir")
    done = taken(lake, path, write_toy(tmp_path, 2), tmp_path / "nowhere.fits")
    assert (done["read"], done["new"], len(done["skipped"])) == (3, 1, 2)
    letter, nowhere = rejected(lake)
    assert letter["uri"] == str(path)
    assert letter["sha256"] == hashlib.sha256(b"Dear Sir").hexdigest()
    assert letter["dataset"] == "toy.counts, toy.images"
    assert letter["n_rows"] is None
    assert letter["reason"].startswith("begins with b'Dear Sir' at byte 0, expected one of")
    assert (nowhere["sha256"], nowhere["reason"]) == ("", f"no such file in {tmp_path}")


def test_a_file_that_ends_early_asks_to_be_fetched_again(lake, tmp_path):
    path = cut(tmp_path, 2880 + 1000)
    (skipped,) = taken(lake, path)["skipped"]
    assert path.name not in skipped["reason"]
    assert skipped["reason"].endswith("; the file is shorter than its header states: fetch it again")
    with pytest.raises(Malformed) as caught:
        taken(lake, path, strict=True)
    assert caught.value.message.startswith(f"{path.name}: ")
    assert caught.value.hint == "the file is shorter than its header states: fetch it again"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (SourceError("a.fits: nothing there"), "nothing there"),
        (SourceError("b.fits: nothing there"), "b.fits: nothing there"),
        (ValueError("a\nb"), "ValueError: a b"),
    ],
)
def test_a_reason_is_one_line_without_the_name_of_its_file(error, reason):
    assert reason_of(error, "a.fits") == reason


def test_a_file_whose_key_is_there_already_counts_no_rows(lake, tmp_path):
    first = write_toy(tmp_path, 1)
    again = tmp_path / "again.fits"
    with fits.open(first) as hdus:
        hdus[0].header["COMMENT"] = "processed once more"
        hdus.writeto(again)
    taken(lake, first)
    taken(lake, again)
    (row,) = rejected(lake)
    assert (row["uri"], row["n_rows"], row["sha256"]) == (
        str(again),
        None,
        hashlib.sha256(again.read_bytes()).hexdigest(),
    )
    assert row["reason"] == "toy.counts: obs_id obs001, row_id 0 is there already, from another file"


def test_rows_left_out_are_counted_and_recorded_with_their_place(lake, tmp_path):
    path = write_toy(tmp_path, 1)
    with fits.open(path, mode="update") as hdus:
        energy = np.array(hdus["COUNTS"].data["ENERGY"])
        energy[[3, 7]] = -1.0
        hdus["COUNTS"].data["ENERGY"] = energy
    assert taken(lake, path)["rejected_rows"] == 2
    (row,) = rejected(lake)
    assert (row["dataset"], row["n_rows"], row["place"]) == ("toy.counts", 2, "row 3")
    assert row["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
