"""Filters of photons: SQL, Polars and NumPy agree on all of them, and they refuse what has no meaning."""

import math
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pytest

from lake.compose import plan, values
from lake.errors import QueryError
from lake.relations import relations
from tests.builders.event_tables import random_tables
from tests.builders.photon_lists import frame, put
from tests.twins import lightlane_numpy as by_numpy
from tests.twins import lightlane_polars as by_polars

BAND = {"min_nm": 0.1, "max_nm": 1.0}
BINS = {**BAND, "n_bins": 9}
TABLES = ("photons", "observations", "good_times")
# For each filter: whose rows it is given, the tables and the parameters that its twins want.
FILTERS: dict[str, tuple[tuple[str, ...], tuple[str, ...], dict[str, Any]]] = {
    "shifted_events": (("events",), TABLES, {}),
    "good_events": (("events", "shifted_events"), (), {}),
    "timed_events": (("events", "good_events"), TABLES[1:], {"from_s": 3.0, "until_s": 90.0}),
    "banded_events": (("events", "timed_events"), (), BAND),
    "wavelength_binned_events": (("events", "banded_events"), (), BINS),
    "flattened_events": (("wavelength_binned_events",), (), {"occupied_only": True, "n_bins": 9}),
    "poissonized_events": (("events", "flattened_events"), TABLES, {"share": 0.8}),
}
# As filters draw: hash of a hash, and 52 bits of it.
DRAWS = """
    select
        *,
        hash(hash(obs_id, event_id, 'flatten', 1)) as rank_hash,
        (cast(hash(hash(obs_id, event_id, 'time', 2)) >> 12 as double) + 0.5) / 4503599627370496 as draw,
        (cast(hash(hash(obs_id, event_id, 'share', 2)) >> 12 as double) + 0.5) / 4503599627370496 as share_draw
    from lightlane.given
"""
# What the hash of three photons is, by major version of DuckDB: where these change, so does every draw.
PINNED = {
    "1": [12567836351235027922, 7212340411999621657, 15856630975475467661],
    "2": [12567836351235027922, 7212340411999621657, 15856630975475467661],
}


def as_arrays(rows: pl.DataFrame) -> by_numpy.Rows:
    """A table as the NumPy twin has it."""
    unknown = rows.select(pl.col(pl.Int16, pl.Int32).fill_null(-1))
    return {name: column.to_numpy() for name, column in rows.with_columns(unknown).to_dict().items()}


def assert_same(found: pl.DataFrame, wanted: by_numpy.Rows | pl.DataFrame, what: str) -> None:
    """Same photons, bins and flags; times within a microsecond."""
    tables = as_arrays(found), as_arrays(wanted) if isinstance(wanted, pl.DataFrame) else wanted
    one, two = ({n: t[n][np.lexsort((t["event_id"], t["obs_id"]))] for n in by_numpy.COLUMNS} for t in tables)
    assert found.columns == list(by_numpy.COLUMNS)
    for name, column in one.items():
        if column.dtype.kind == "f":
            np.testing.assert_allclose(column, two[name], rtol=0, atol=1e-6, err_msg=f"{what}, {name}")
        else:
            np.testing.assert_array_equal(column, two[name], err_msg=f"{what}, {name}")


def test_sql_polars_and_numpy_filter_two_hundred_random_lists_alike(asked):
    n_out = dict.fromkeys(FILTERS, 0)
    for seed, n_lists in enumerate([0, 1, 7, *[12] * 16]):
        put(asked, **random_tables(seed, n_lists))
        tables = {name: frame(asked.con.sql(f"from lightlane.{name}").to_arrow_table()) for name in TABLES}
        found = {"events": asked.ask("events")}
        for twin in (by_polars.events(tables["photons"]), by_numpy.events(as_arrays(tables["photons"]))):
            assert_same(frame(found["events"]), twin, f"lists {seed}, events")
        for name, (inputs, needs, params) in FILTERS.items():
            asked.put("given", found[inputs[seed % len(inputs)]])
            found[name] = asked.ask(name, ("given",), **params)
            drawn = frame(asked.con.sql(DRAWS).to_arrow_table())
            by_name = getattr(by_polars, name)(drawn, *(tables[n] for n in needs), **params)
            by_array = getattr(by_numpy, name)(as_arrays(drawn), *(as_arrays(tables[n]) for n in needs), **params)
            assert_same(frame(found[name]), by_name, f"lists {seed}, {name}, Polars")
            assert_same(frame(found[name]), by_array, f"lists {seed}, {name}, NumPy")
            n_out[name] += len(found[name])
    assert min(n_out.values()) > 500, n_out


def test_the_hash_that_all_draws_rest_on_is_the_one_they_were_drawn_with():
    found = duckdb.sql("""
        select hash(hash(obs_id, event_id, word, cast(seed as bigint)))
        from (values
            ('chandra-10027-6c1c0d5e', cast(0 as bigint), 'flatten', 1),
            ('chandra-10027-6c1c0d5e', 4611, 'time', 2),
            ('a', 7, 'share', 2)
        ) as drawn (obs_id, event_id, word, seed)
    """).fetchall()
    assert [h for (h,) in found] == PINNED[duckdb.__version__.partition(".")[0]]


ORDERS = [
    (["good_events", "shifted_events"], "shifted_events after lightlane.good_events"),
    (
        ["poissonized_events", "flattened_events"],
        "flattened_events after lightlane.poissonized_events: that one passes rows through it already",
    ),
    (["good_events", "banded_events", "timed_events", "banded_events"], "banded_events comes twice"),
    (["shifted_events", "flattened_events"], "without lightlane.wavelength_binned_events"),
    (["shifted_events", "wavelength_binned_events", "banded_events"], "banded_events after"),
]


@pytest.mark.parametrize(("chain", "said"), ORDERS, ids=lambda v: "-".join(v) if isinstance(v, list) else "")
def test_filters_in_a_wrong_order_are_refused_by_name(chain, said):
    links = [f"lightlane.{name}" for name in chain]
    with pytest.raises(QueryError, match=said):
        plan(relations(), [f"lightlane.{name}" for name in TABLES], links[-1], links[:-1])


@pytest.mark.parametrize(("relation", "name", "value"), [
    ("poissonized_events", "share", 0), ("poissonized_events", "share", 1.5), ("light_curves", "bin_s", 0),
    ("light_curves", "bin_s", -5), ("light_curves", "bin_s", math.inf), ("wavelength_counts", "n_bins", 0),
    ("wavelength_counts", "n_bins", 10**12), ("wavelength_counts", "max_nm", 0.1), ("fig_spectrum", "min_nm", 1.0),
    ("banded_events", "max_nm", 0.05), ("timed_events", "until_s", 0), ("flattened_events", "n_bins", 0),
])  # fmt: skip
def test_parameters_outside_their_stated_bounds_are_refused(relation, name, value):
    made = plan(relations(), [f"lightlane.{name}" for name in TABLES], f"lightlane.{relation}")
    with pytest.raises(QueryError, match=r": found .*, expected a"):
        values(made.params, {name: value}, relation)
