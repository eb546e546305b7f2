"""A lake from a stranger: metadata, footers and the log that lie, each consistent in itself."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lake.errors import CommitError, Forbidden, Malformed, Refused, TooLarge
from lake.log import Piece, decode, encode, entry_name
from lake.pieces import read_rows
from lake.store import Lake
from tests.builders.fits import fits_file, image
from tests.builders.lakes import COUNTS, FRAMES, counts, images, instants, origin


@pytest.fixture
def root(tmp_path):
    """A lake of one table and one array."""
    lake = Lake.create(tmp_path / "lake")
    with lake.transaction("made", catalog=False) as tx:
        tx.append(COUNTS, counts("a"), source=origin("a"))
        tx.append_frames(FRAMES, images(3), {"time": instants(0, 1, 2), "exposure_s": 1.0}, source=origin("b"))
    return tmp_path / "lake"


def rewritten(root, change):
    """The log with its only entry changed, its checksum right."""
    path = root / entry_name(0)
    entry = decode(path.read_bytes(), path.name)
    change(entry)
    path.write_bytes(encode(entry))


def lied(root, change):
    """The metadata of the segment changed, and the log made to agree."""
    path = next(p for p in root.rglob("zarr.json") if json.loads(p.read_bytes())["node_type"] == "array")
    words = json.loads(path.read_bytes())
    change(words)
    path.write_text(json.dumps(words))
    content = path.read_bytes()

    def agree(entry):
        for piece in entry["add"]:
            for name in piece.get("files", {}):
                if path == root / piece["path"] / name:
                    piece["files"][name] = [hashlib.sha256(content).hexdigest(), len(content)]

    rewritten(root, agree)


def pixels(root):
    """All pixels of the array."""
    return Lake(root)["toy.images"].values


def inner(words):
    return words["codecs"][0]["configuration"]


LIES = {
    "pickle": (lambda w: inner(w)["codecs"].append({"name": "pickle"}), Forbidden, "zarr-codec"),
    "numcodecs": (
        lambda w: w["codecs"].append({"name": "numcodecs.zlib", "configuration": {}}),
        Forbidden,
        "zarr-codec",
    ),
    "index": (lambda w: inner(w)["index_codecs"].append({"name": "gzip"}), Forbidden, "zarr-codec"),
    "chunk": (lambda w: inner(w).update(chunk_shape=[1, 1 << 14, 1 << 14]), TooLarge, "zarr-chunk"),
    "version": (lambda w: w.update(zarr_format=2), Forbidden, "zarr-format"),
    "transformer": (lambda w: w.update(storage_transformers=[{"name": "x"}]), Forbidden, "zarr-format"),
    "keys": (lambda w: w["chunk_key_encoding"].update(name="v2"), Forbidden, "zarr-keys"),
    "rank": (lambda w: w["shape"].append(1), Malformed, "zarr-shape"),
    "negative": (lambda w: w.update(shape=[-1, 12, 12]), Malformed, "zarr-shape"),
    "type": (lambda w: w.update(data_type={"name": "x"}), Malformed, "zarr-metadata"),
    "nothing": (lambda w: w.pop("chunk_grid"), Malformed, "zarr-metadata"),
}


@pytest.mark.parametrize("lie", LIES)
def test_metadata_that_ask_for_what_we_never_write_are_refused(root, lie):
    change, kind, rule = LIES[lie]
    lied(root, change)
    with pytest.raises(Refused) as caught:
        pixels(root)
    assert (type(caught.value), caught.value.rule) == (kind, rule)


def test_the_metadata_as_we_write_them_pass(root):
    lied(root, lambda words: None)
    assert np.array_equal(pixels(root), images(3))


def test_a_missing_shard_is_an_error_whether_or_not_the_log_has_it(root):
    shard = next(p for p in root.rglob("c/0/0/0"))
    content = shard.read_bytes()
    shard.unlink()
    with pytest.raises(CommitError, match="no bytes, the log has"):
        pixels(root)
    shard.write_bytes(content[:-1])
    with pytest.raises(CommitError, match=f"{len(content) - 1} bytes, the log has {len(content)}"):
        pixels(root)

    def leave_out(entry):
        for piece in entry["add"]:
            piece["files"] = {n: f for n, f in piece.get("files", {}).items() if not n.endswith("c/0/0/0")}

    rewritten(root, leave_out)
    with pytest.raises(CommitError, match="not in the log"):
        pixels(root)


def test_more_pixels_than_the_log_has_shards_for_are_no_zeros(root):
    lied(root, lambda words: words.update(shape=[10**12, 12, 12]))
    with pytest.raises(CommitError, match="shards, the log lists"):
        pixels(root)


def other_footer(root, rows):
    """The table's file replaced by another of the same name, its size and hash in the log."""
    path = next((root / "tables" / "toy.counts").rglob("*.parquet"))
    pq.write_table(rows, path)
    content = path.read_bytes()

    def agree(entry):
        for piece in entry["add"]:
            if root / piece["path"] == path:
                piece |= {"sha256": hashlib.sha256(content).hexdigest(), "n_bytes": len(content)}

    rewritten(root, agree)


@pytest.mark.parametrize("lie", ["type", "missing", "more", "extension"])
def test_a_footer_that_differs_from_the_log_is_an_error(root, lie):
    path = next((root / "tables" / "toy.counts").rglob("*.parquet"))
    rows = pq.read_table(path, partitioning=None)
    if lie == "type":
        rows = rows.set_column(1, "row_id", rows["row_id"].cast(pa.float64()))
    elif lie == "missing":
        rows = rows.drop_columns(["energy_kev"])
    elif lie == "more":
        rows = rows.append_column("extra", rows["row_id"])
    else:
        uuids = pa.array([bytes(16)] * rows.num_rows, pa.binary(16)).cast(pa.uuid())
        rows = rows.set_column(1, "row_id", uuids)
    other_footer(root, rows)
    with pytest.raises(CommitError, match=r"\.parquet: has columns"):
        read_rows(Lake(root).storage, Lake(root).snapshot.pieces_of("toy.counts")[0])


@pytest.mark.parametrize(
    "path", ["../../etc/passwd", "/etc/passwd", "tables/../../x", "tables/toy/.x", "log/0.json", ""]
)
def test_a_log_that_names_files_outside_is_refused(root, path):
    rewritten(root, lambda entry: entry["add"][0].update(path=path))
    with pytest.raises(Forbidden, match="piece-path"):
        Lake(root)
    with pytest.raises(Forbidden):
        Piece.from_json({"path": "arrays/a/b.zarr", "files": {f"../{path}x": ["", 1]}})


def test_a_header_that_is_a_path_names_no_file(tmp_path):
    """Number 51."""
    from lake.intake import commit, take_in
    from lake.provenance import new_run

    own = Lake.create(tmp_path / "lake")
    name = "../../../x"
    path = tmp_path / "a.fits"
    path.write_bytes(fits_file(image(np.zeros((2, 2), "i2"), OBS_ID=name, EXTNAME=name, FILENAME=name)))
    partitioned = COUNTS.__class__("toy.names", "Names.", ("obs_id",), COUNTS.columns[:1], partition="obs_id")
    rows_of = lambda source: [(partitioned, partitioned.fit({"obs_id": [source.header["OBS_ID"]]}))]  # noqa: E731
    before = {p for p in tmp_path.rglob("*") if not p.is_relative_to(tmp_path / "lake")}
    commit(own, take_in(own, [str(path)], [partitioned], rows_of, scheduler="sync"), new_run("toy", {}))
    assert own.table("toy.names").pl()["obs_id"].to_list() == [name]
    assert {p for p in tmp_path.rglob("*") if not p.is_relative_to(tmp_path / "lake")} == before
    assert all(Path(p.path).parts[0] == "tables" and ".." not in p.path for p in own.snapshot.pieces.values())
