"""A table of the lake as a Delta table, by reference: the lake's own Parquet files, and a log that Delta readers know.

Delta's protocol allows absolute names in its log, yet delta-rs and Polars look for each below the folder of the table.
So a file gets a second name there, a hard link: no byte is copied, and a garbage collection of the lake and a vacuum of
the Delta table each take away only their own name. The partition column is in the files, so none is declared.

An export is one version of the Delta table: what came and what went since the version before it, published under its
number only where nobody has that number. Where nothing changed there is no new version.
"""

import errno
import json
import os
import re
import secrets
import time
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from lake.errors import LakeError, QueryError
from lake.log import Json, Piece
from lake.schema import Column, Table
from lake.storage import LocalStorage, staged_digest

if TYPE_CHECKING:
    from lake.store import Lake

LOG = "_delta_log"
ATTEMPTS = 100
# Delta has no whole numbers without a sign: they take the next wider type. It has no time of day and no nanoseconds.
TYPES = {
    pa.bool_(): "boolean", pa.int8(): "byte", pa.int16(): "short", pa.int32(): "integer", pa.int64(): "long",
    pa.uint8(): "short", pa.uint16(): "integer", pa.uint32(): "long", pa.float16(): "float", pa.float32(): "float",
    pa.float64(): "double", pa.string(): "string", pa.large_string(): "string", pa.binary(): "binary",
    pa.large_binary(): "binary", pa.date32(): "date", pa.timestamp("s"): "timestamp_ntz",
    pa.timestamp("ms"): "timestamp_ntz", pa.timestamp("us"): "timestamp_ntz",
}  # fmt: skip
INSTANT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3})(\d{3})Z")


class Folder(LocalStorage):
    """The folder of a Delta table; what is not published yet lies beside the log, where readers ignore it."""

    def staging(self) -> Path:
        folder = self.folder / LOG
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f".{secrets.token_hex(8)}.tmp"

    def refer(self, file: Path, name: str) -> None:
        """Give a file of the lake a second name here."""
        with self.step("link", name):
            try:
                os.link(file, self.folder / name)
            except FileExistsError:
                if staged_digest(self.folder / name) != staged_digest(file):
                    raise LakeError(f"{self.folder / name}: holds other bytes than the lake's {file.name}") from None

    def sync(self) -> None:
        """Make new names durable."""
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@dataclass
class Version:
    """The newest version of a Delta table.

    Attributes
    ----------
    number : -1 before the first.
    words : its `protocol` and `metaData`.
    files : what its log says of each file, by name.
    """

    number: int = -1
    words: dict[str, Json] = field(default_factory=dict)
    files: dict[str, Json] = field(default_factory=dict)


def register(lake: "Lake", dataset: str, folder: Path, *, dry_run: bool = False) -> Json:
    """Make a folder the Delta table of a dataset at the lake's commit.

    Returns
    -------
    The `version` of the Delta table, its `files` and `rows`, and how many files it `added` and `removed`.

    Raises
    ------
    QueryError
        The dataset is no table of files, or has a column that Delta cannot hold.
    LakeError
        The folder holds something else, or is not in the lake's file system.
    """
    table = _table(lake, dataset)
    pieces = {Path(p.path).name: p for p in lake.snapshot.pieces_of(dataset)}
    wanted = {"protocol": protocol_of(table), "metaData": metadata_of(lake, table)}
    table_id = wanted["metaData"]["id"]
    target = Folder(folder)
    for _ in range(ATTEMPTS):
        before = newest_version(target, table_id)
        added, removed = sorted(pieces.keys() - before.files), sorted(before.files.keys() - pieces)
        words = {"files": len(pieces), "rows": sum(p.n_rows for p in pieces.values())}
        words |= {"added": len(added), "removed": len(removed)}
        actions: list[Json] = [{k: v} for k, v in wanted.items() if v != before.words.get(k)]
        if not (actions or added or removed):
            return {"version": before.number, **words}
        if dry_run:
            return {"version": before.number + 1, **words}
        _link(lake, dataset, target, [pieces[name] for name in added])
        actions += [{"remove": _removed(before.files[name])} for name in removed]
        actions += [{"add": _added(table, pieces[name], target)} for name in added]
        content = "".join(json.dumps(a) + "\n" for a in [{"commitInfo": _about(lake, dataset, table_id)}, *actions])
        if target.create(version_name(before.number + 1), content.encode()):
            return {"version": before.number + 1, **words}
    raise LakeError(f"{folder}: {ATTEMPTS} other exports came first; run again")


def _table(lake: "Lake", dataset: str) -> Table:
    snapshot = lake.snapshot
    if dataset in snapshot.arrays:
        raise QueryError(f"{dataset}: frames, which Delta cannot hold", f"lake export {dataset}_frames --to delta")
    if dataset not in snapshot.tables:
        hint = f"lake export {dataset} --to parquet"
        raise QueryError(f"{dataset}: no table of files, and only those are registered by reference", hint)
    if not isinstance(lake.storage, LocalStorage):
        hint = f"lake export {dataset} --to parquet"
        raise QueryError(f"{lake.root}: registering by reference takes a lake in a folder; found an object store", hint)
    return snapshot.tables[dataset]


def version_name(number: int) -> str:
    """Where a version of a Delta table is written."""
    return f"{LOG}/{number:020d}.json"


def newest_version(target: Folder, table_id: str) -> Version:
    """What the log of a Delta table adds up to.

    Raises
    ------
    LakeError
        It is another table, or somebody else changed it.
    """
    numbers = [int(n[:20]) for n in target.list(LOG) if re.fullmatch(r"\d{20}\.json", n)]
    if numbers != list(range(len(numbers))):
        raise LakeError(f"{target.root}: its Delta log is not whole, another program shortened it; name a new folder")
    found = Version()
    for number in numbers:
        actions = [json.loads(line) for line in target.read(version_name(number)).splitlines()]
        words = {kind: words for action in actions for kind, words in action.items()}
        about = words.get("commitInfo", {})
        if about.get("lightlakeTable") != table_id and words.keys() & {"add", "remove", "metaData"}:
            who = about.get("lightlakeDataset") or about.get("engineInfo") or "another program"
            raise LakeError(f"{target.root}: version {number} there is by {who}; name a new folder")
        found.number = number
        found.words |= {k: v for k, v in words.items() if k in ("protocol", "metaData")}
        found.files |= {a["add"]["path"]: a["add"] for a in actions if "add" in a}
        for action in actions:
            if "remove" in action:
                found.files.pop(action["remove"]["path"], None)
    return found


def _link(lake: "Lake", dataset: str, target: Folder, pieces: list[Piece]) -> None:
    """Give files of the lake their second names, durably."""
    target.folder.mkdir(parents=True, exist_ok=True)
    try:
        for piece in pieces:
            target.refer(Path(lake.storage.url(piece.path)), Path(piece.path).name)
    except OSError as error:
        if isinstance(error, LakeError) or error.errno != errno.EXDEV:
            raise
        raise LakeError(
            f"{target.root}: not in the file system of the lake, so its files cannot be linked there",
            f"lake export {dataset} --to delta",
        ) from error
    target.sync()


def protocol_of(table: Table) -> Json:
    """What a reader must know: instants without a zone are a feature of their own."""
    if not any(pa.types.is_timestamp(c.type) for c in table.columns):
        return {"minReaderVersion": 1, "minWriterVersion": 2}
    features = {"readerFeatures": ["timestampNtz"], "writerFeatures": ["timestampNtz"]}
    return {"minReaderVersion": 3, "minWriterVersion": 7, **features}


def metadata_of(lake: "Lake", table: Table) -> Json:
    """The table as Delta declares it: the declared columns, unit and meaning with each; never `_source`."""
    return {
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"lightlake:{lake.id}/{table.name}")),
        "name": table.name,
        "description": table.doc,
        "format": {"provider": "parquet", "options": {}},
        "schemaString": json.dumps({"type": "struct", "fields": [_field(table, c) for c in table.columns]}),
        "partitionColumns": [],
        "configuration": {},
    }


def _field(table: Table, column: Column) -> Json:
    words = {"comment": column.doc, "unit": column.unit, "ucd": column.ucd}
    try:
        kind = delta_type(column.type)
    except KeyError:
        raise QueryError(
            f"{table.name}: column {column.name} is {column.type}, which Delta does not have",
            f"lake export {table.name} --to parquet",
        ) from None
    metadata = {k: v for k, v in words.items() if v}
    return {"name": column.name, "type": kind, "nullable": column.nullable, "metadata": metadata}


def delta_type(kind: pa.DataType) -> Any:
    """The Delta type that holds an Arrow type; KeyError where none does."""
    if pa.types.is_list(kind):
        return {"type": "array", "elementType": delta_type(kind.value_type), "containsNull": True}
    return TYPES[kind]


def _about(lake: "Lake", dataset: str, table_id: str) -> Json:
    """Who wrote a version, and of which commit."""
    from lake.provenance import code_version

    snapshot = lake.snapshot
    return {
        "timestamp": _now_ms(),
        "operation": "WRITE",
        "operationParameters": {"mode": "Overwrite"},
        "engineInfo": f"lightlake/{code_version()}",
        "lightlakeTable": table_id,
        "lightlakeLake": lake.id,
        "lightlakeDataset": dataset,
        "lightlakeCommit": snapshot.number,
        "lightlakeTime": snapshot.time,
        "lightlakeRun": snapshot.commits[-1]["run"] if snapshot.commits else None,
    }


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _added(table: Table, piece: Piece, target: Folder) -> Json:
    name = Path(piece.path).name
    return {
        "path": name,
        "partitionValues": {},
        "size": piece.n_bytes,
        "modificationTime": int((target.folder / name).stat().st_mtime * 1000),
        "dataChange": True,
        "stats": json.dumps(statistics(table, piece)),
    }


def _removed(words: Json) -> Json:
    kept = {k: words[k] for k in ("path", "partitionValues", "size")}
    return {**kept, "deletionTimestamp": _now_ms(), "dataChange": True, "extendedFileMetadata": True}


def statistics(table: Table, piece: Piece) -> Json:
    """What Delta readers prune by: rows, and the bounds and nulls that the lake's log has of each column."""
    found: dict[str, Json] = {"minValues": {}, "maxValues": {}, "nullCount": {}}
    for column in table.columns:
        least, most, n_nulls = piece.stats.get(column.name, (None, None, None))
        if n_nulls is None:
            continue
        found["nullCount"][column.name] = n_nulls
        if pa.types.is_timestamp(column.type):
            least, most = _floor_ms(least), _ceiling_ms(most)
        if least is not None and most is not None and not pa.types.is_boolean(column.type):
            found["minValues"][column.name], found["maxValues"][column.name] = least, most
    return {"numRecords": piece.n_rows, **found}


def _floor_ms(text: str | None) -> str | None:
    """An instant of the log as Delta's bounds have it, in whole milliseconds not after it."""
    known = INSTANT.fullmatch(text or "")
    return known[1] if known else None


def _ceiling_ms(text: str | None) -> str | None:
    """The same, not before it."""
    known = INSTANT.fullmatch(text or "")
    if not known or known[2] == "000":
        return known[1] if known else None
    later = datetime.fromisoformat(known[1]) + timedelta(milliseconds=1)
    return later.isoformat(timespec="milliseconds")
