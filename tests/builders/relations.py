"""Relations and small lakes to ask."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from lake.relations import Relation, parsed
from lake.store import Lake
from tests.builders.lakes import COUNTS, counts, origin

SQL = {
    "toy.events": """-- Rows as filters see them.
--
-- grain   one row per obs_id, row_id
-- reads   counts

select
    obs_id,
    row_id,
    energy_kev
from counts
""",
    "toy.bright_events": """-- Rows above an energy. More is said here.
--
-- grain   one row per obs_id, row_id
-- reads   events
-- param   $least_kev = 1.0  least energy, kept  [keV]
-- source  A paper,
--         continued.

with bright as (
    select
        obs_id,
        row_id,
        energy_kev
    from events
    where energy_kev >= $least_kev  -- not '$a_string'
)

select
    obs_id,
    row_id,
    energy_kev
from bright
""",
    "toy.late_events": """-- Rows from a number on.
--
-- grain   one row per obs_id, row_id
-- reads   events
-- param   $first  first row, kept  [1]

select
    obs_id,
    row_id,
    energy_kev
from events
where row_id >= $first
""",
    "toy.totals": """-- Rows of each observation.
--
-- grain   one row per obs_id
-- reads   bright_events
-- param   $scale = 2

select
    obs_id,
    count(*) as n_rows,
    sum(row_id * $scale) as row_sum
from bright_events
group by obs_id
order by obs_id desc
""",
    "toy.rates": """-- Rows in bins of rows.
--
-- grain   one row per obs_id, first_row
-- reads   bright_events
-- param   $width = 2  rows a bin  [1]  above 0

select
    obs_id,
    row_id // $width * $width as first_row,
    count(*) / $width as share
from bright_events
where row_id < $width * 3
group by obs_id, first_row
order by obs_id, first_row
""",
    "other.totals": """-- Observations of another pipeline, doubled.
--
-- grain   one row per obs_id
-- reads   toy.totals, toy.counts

select
    totals.obs_id,
    toy.totals.n_rows + count(*) as n_both
from toy.totals
inner join toy.counts on totals.obs_id = toy.counts.obs_id
group by totals.obs_id, toy.totals.n_rows
order by totals.obs_id
""",
}


def toy_relations(texts: Mapping[str, str] = SQL) -> dict[str, Relation]:
    """These files as relations."""
    return {name: parsed(name, text) for name, text in texts.items()}


def use_relations(monkeypatch: pytest.MonkeyPatch, texts: Mapping[str, str] = SQL) -> None:
    """Let the lake see these files in place of those of `sql/`."""
    found = toy_relations(texts)
    for module in ("views", "query", "catalog", "explain", "own_tables"):
        monkeypatch.setattr(f"lake.{module}.relations", lambda: found, raising=False)


def counted_lake(root: Path) -> Lake:
    """A lake with five rows of observation a and seven of b, each a file."""
    lake = Lake.create(root)
    with lake.transaction("first") as tx:
        tx.append(COUNTS, counts("a", 5), source=origin("a"))
        tx.append(COUNTS, counts("b", 7), source=origin("b"))
    return lake
