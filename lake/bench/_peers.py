"""Other stores doing what the lake does: 1,000 rows appended and committed. Run by an interpreter that has them.

`_peers.py STORE FOLDER WRITER` makes an append each time a line comes in, and answers with its time in seconds, or with
what went wrong. `_peers.py STORE FOLDER count` tells how many rows there are. STORE is delta, iceberg or icechunk.
"""

import importlib
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

N_ROWS = 1000
ATTEMPTS = 200
WORDS = READY, DONE, FAILED = "ready", "done", "failed"

Append = Callable[[str, int], None]
Count = Callable[[], int]


def columns(name: str) -> dict[str, list[Any]]:
    """The same rows as `lake.bench._samples.counts` gives."""
    rows = range(N_ROWS)
    return {"obs_id": [name] * N_ROWS, "row_id": list(rows), "energy_kev": [float(i) for i in rows]}


def delta(folder: str) -> tuple[Append, Count]:
    """A Delta table."""
    import pyarrow as pa
    from deltalake import DeltaTable, write_deltalake

    path = f"{folder}/delta"

    def append(writer: str, turn: int) -> None:
        write_deltalake(path, pa.table(columns(f"{writer}-{turn}")), mode="append")

    return append, lambda: DeltaTable(path).to_pyarrow_table().num_rows


def iceberg(folder: str) -> tuple[Append, Count]:
    """An Iceberg table in an SQLite catalogue."""
    import pyarrow as pa
    from pyiceberg.catalog.sql import SqlCatalog

    Path(folder).mkdir(parents=True, exist_ok=True)
    catalog = SqlCatalog("peer", uri=f"sqlite:///{folder}/catalog.db", warehouse=f"file://{folder}/iceberg")
    name = "toy.counts"
    if not catalog.namespace_exists("toy"):
        catalog.create_namespace("toy")
        catalog.create_table(name, pa.table(columns("")).schema)
    state = {"table": catalog.load_table(name)}

    def append(writer: str, turn: int) -> None:
        try:
            state["table"].append(pa.table(columns(f"{writer}-{turn}")))
        except Exception:
            state["table"] = catalog.load_table(name)
            raise

    return append, lambda: catalog.load_table(name).scan().to_arrow().num_rows


def icechunk(folder: str) -> tuple[Append, Count]:
    """A Zarr group in an Icechunk repository."""
    import numpy as np
    import zarr

    ice = importlib.import_module("icechunk")
    repository = ice.Repository.open_or_create(ice.local_filesystem_storage(f"{folder}/icechunk"))
    types = {"obs_id": "U16", "row_id": "i8", "energy_kev": "f8"}
    session = repository.writable_session("main")
    group: Any = zarr.open_group(session.store, mode="a")
    if "row_id" not in group:
        for column, dtype in types.items():
            group.create_array(column, shape=(0,), chunks=(N_ROWS,), dtype=dtype)
        session.commit("new")

    def append(writer: str, turn: int) -> None:
        session = repository.writable_session("main")
        group: Any = zarr.open_group(session.store, mode="r+")
        for column, values in columns(f"{writer}-{turn}").items():
            group[column].append(np.array(values, types[column]))
        session.commit("append")

    def count() -> int:
        group: Any = zarr.open_group(repository.readonly_session("main").store, mode="r")
        return int(group["row_id"].shape[0])

    return append, count


def persistently(append: Append, writer: str, turn: int) -> None:
    """An append, tried again where another writer was in the way."""
    for attempt in range(ATTEMPTS):
        try:
            return append(writer, turn)
        except Exception:
            if attempt == ATTEMPTS - 1:
                raise
    return None


def tell(*words: object) -> None:
    """One line to whoever asked."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def main(store: str, folder: str, writer: str) -> None:
    """Serve appends until no more lines come."""
    append, count = {"delta": delta, "iceberg": iceberg, "icechunk": icechunk}[store](folder)
    if writer == "count":
        tell(count())
        return
    tell(READY)
    for turn, _ in enumerate(sys.stdin):
        start = time.perf_counter()
        try:
            persistently(append, writer, turn)
            tell(DONE, time.perf_counter() - start)
        except Exception as error:
            tell(FAILED, type(error).__name__, " ".join(str(error).split())[:200])


if __name__ == "__main__":
    import warnings

    warnings.simplefilter("ignore")
    main(*sys.argv[1:])
