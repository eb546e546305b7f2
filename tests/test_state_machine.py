"""Any order of commits, crashes and housekeeping leaves what a dictionary would hold."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from lake.columns import Column
from lake.keys import merged
from lake.log import Snapshot
from lake.maintain import compact, gc
from lake.pieces import read_rows
from lake.schema import Table
from lake.storage import LocalStorage
from lake.store import Lake
from tests.builders.lakes import COUNTS, counts, origin

SOURCES = st.sampled_from("abcdef")
Model = dict[tuple[str, int], str]


class PowerCut(Exception):
    """The machine is gone at some step of a change."""


class Fuse:
    """Lets so many steps pass, then cuts the power, before or after the step is done."""

    def __init__(self) -> None:
        self.left = -1

    def __call__(self, act: str, name: str, done: bool) -> None:
        if self.left == 0:
            raise PowerCut(act)
        self.left -= 1


class LakeAgainstDictionary(RuleBasedStateMachine):
    """The lake beside a model: the rows of each commit, as key and source."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.fuse = Fuse()
        self.storage = LocalStorage(self.folder / "lake", self.fuse)
        self.lake = Lake.create(self.folder / "lake", storage=self.storage)
        self.model: Model = {}
        self.history: dict[int, Model] = {}
        self.tags: dict[str, int] = {}
        self.table = COUNTS

    def teardown(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def commit(self, model: Model, act: Any) -> None:
        """Do something to the lake and take the model along, wherever the power is cut."""
        before = self.lake.number
        try:
            act()
        except PowerCut:
            self.fuse.left = -1
            self.lake = Lake(self.folder / "lake", storage=self.storage)
            # A commit that was cut has happened whole or not at all.
            if self.lake.number == before:
                return
        self.fuse.left = -1
        self.model = model
        for number in range(before + 1, self.lake.number + 1):
            self.history[number] = dict(model)

    def append(self, source: str, n: int, obs_id: str, supersede: bool) -> None:
        with self.lake.transaction("append", catalog=False) as tx:
            tx.append(self.table, counts(obs_id, n), source=origin(source), supersede=supersede)

    @rule(source=SOURCES, n=st.integers(1, 4), obs_id=SOURCES, supersede=st.booleans(), cut=st.integers(-1, 25))
    def a_source_comes(self, source: str, n: int, obs_id: str, supersede: bool, cut: int) -> None:
        rows: Model = {(obs_id, i): source for i in range(n)}
        here = set(self.model.values())
        model = dict(self.model)
        if supersede:
            gone = {source} | {model[k] for k in rows if k in model}
            model = {k: s for k, s in model.items() if s not in gone} | rows
        elif source not in here and not any(k in model for k in rows):
            model |= rows
        self.fuse.left = cut
        self.commit(model, lambda: self.append(source, n, obs_id, supersede))

    @precondition(lambda self: "toy.counts" in self.lake.snapshot.declarations)
    @rule(source=SOURCES, cut=st.integers(-1, 12))
    def a_source_is_deleted(self, source: str, cut: int) -> None:
        def act() -> None:
            with self.lake.transaction("delete", catalog=False) as tx:
                tx.delete("toy.counts", sources=[origin(source)["sha256"]])

        self.fuse.left = cut
        self.commit({k: s for k, s in self.model.items() if s != source}, act)

    @rule(obs_id=SOURCES, row_id=st.integers(0, 3), cut=st.integers(-1, 12))
    def a_row_is_deleted(self, obs_id: str, row_id: int, cut: int) -> None:
        # The source of a row that is gone stays known, so only rows of sources with others left are taken.
        source = self.model.get((obs_id, row_id))
        if list(self.model.values()).count(source or "") < 2:
            return

        def act() -> None:
            with self.lake.transaction("delete", catalog=False) as tx:
                tx.delete("toy.counts", where={"obs_id": obs_id, "row_id": row_id})

        self.fuse.left = cut
        self.commit({k: s for k, s in self.model.items() if k != (obs_id, row_id)}, act)

    @precondition(lambda self: len(self.table.columns) < 6)
    @rule(cut=st.integers(-1, 6))
    def a_column_is_added(self, cut: int) -> None:
        extra = Column(f"extra_{len(self.table.columns)}", pa.int16(), "An afterthought", nullable=True)
        table = Table("toy.counts", COUNTS.doc, COUNTS.key, (*self.table.columns, extra))

        def act() -> None:
            with self.lake.transaction("evolve", catalog=False) as tx:
                tx.declare(table)

        self.fuse.left = cut
        self.commit(self.model, act)
        if "toy.counts" in self.lake.snapshot.tables:
            self.table = self.lake.snapshot.tables["toy.counts"]

    @rule(cut=st.integers(-1, 20))
    def small_files_are_merged(self, cut: int) -> None:
        self.fuse.left = cut
        self.commit(self.model, lambda: compact(self.lake, catalog=False))

    @rule(cut=st.integers(-1, 20))
    def orphans_are_collected(self, cut: int) -> None:
        self.fuse.left = cut
        self.commit(self.model, lambda: gc(self.lake, grace_s=0, catalog=False))

    @precondition(lambda self: self.lake.number >= 0)
    @rule(share=st.floats(0, 1))
    def a_commit_is_tagged(self, share: float) -> None:
        oldest = self.lake.snapshot.oldest
        number = oldest + round(share * (self.lake.number - oldest))
        name = f"t{len(self.tags)}"
        self.tags[name] = number
        self.commit(self.model, lambda: self.lake.tag(name, number, catalog=False))

    @precondition(lambda self: self.lake.number >= 0)
    @rule(share=st.floats(0, 1))
    def an_old_commit_is_read(self, share: float) -> None:
        oldest = self.lake.snapshot.oldest
        number = oldest + round(share * (self.lake.number - oldest))
        assert found(self.lake.at(number)) == self.history[number]
        for name, tagged in self.tags.items():
            assert self.lake.at(name).number == tagged

    @rule()
    def the_lake_is_opened_again(self) -> None:
        self.lake = Lake(self.folder / "lake", storage=self.storage)

    @invariant()
    def the_lake_holds_what_the_model_holds(self) -> None:
        assert found(self.lake) == self.model
        snapshot: Snapshot = self.lake.snapshot
        assert {s for _, s in snapshot.ingested} == {origin(s)["sha256"] for s in set(self.model.values())}


def found(lake: Lake) -> Model:
    """Key and source of every row."""
    if "toy.counts" not in lake.snapshot.tables:
        return {}
    names = {origin(s)["sha256"]: s for s in "abcdef"}
    pieces = lake.snapshot.pieces_of("toy.counts")
    rows = merged(lake.snapshot.tables["toy.counts"], [read_rows(lake.storage, p) for p in pieces])
    keys = list(zip(rows["obs_id"].to_pylist(), rows["row_id"].to_pylist(), strict=True))
    assert len(keys) == len(set(keys))
    return dict(zip(keys, (names[s] for s in rows["_source"].to_pylist()), strict=True))


LakeAgainstDictionary.TestCase.settings = settings(
    max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
test_any_history_of_the_lake = LakeAgainstDictionary.TestCase
