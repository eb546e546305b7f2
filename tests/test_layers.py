"""Mappings that share what stays equal plain dictionaries, and spans find what a scan finds."""

from hypothesis import given
from hypothesis import strategies as st

from lake.keys import Spans, _near
from lake.layers import layered, overlaid
from lake.log import Piece

names = st.sampled_from([f"k{i}" for i in range(12)])
changes = st.lists(st.tuples(st.dictionaries(names, st.integers(0, 9)), st.frozensets(names)), max_size=12)


@given(changes, st.sampled_from([layered, overlaid]))
def test_layers_hold_what_a_dictionary_would_and_leave_those_before_alone(steps, lay):
    found, plain, history = {}, {}, []
    for added, gone in steps:
        history.append((found, dict(plain)))
        found = lay(found, added, gone)
        plain = {k: v for k, v in plain.items() if k not in gone} | added
    assert dict(found) == plain
    assert len(found) == len(plain)
    assert all((name in found) == (name in plain) for name in [f"k{i}" for i in range(12)])
    assert all(dict(before) == as_it_was for before, as_it_was in history)


def piece(place: int, span: tuple[int, int], names: tuple[str, str]) -> Piece:
    """A file whose keys span these values."""
    stats = {"obs_id": [*sorted(names), 0], "row_id": [*sorted(span), 0]}
    return Piece("toy.counts", f"p{place}", "", 0, 1, stats=stats)


spans = st.tuples(st.tuples(st.integers(0, 20), st.integers(0, 20)), st.tuples(names, names))


@given(st.lists(spans, max_size=25), spans)
def test_files_that_may_share_a_key_are_all_found_whatever_their_order(every, one):
    pieces = [piece(i, *words) for i, words in enumerate(every)]
    fresh = piece(99, *one)
    overlap = {
        p.path for p in pieces
        if all(p.stats[k][0] <= fresh.stats[k][1] and fresh.stats[k][0] <= p.stats[k][1] for k in ("obs_id", "row_id"))
    }  # fmt: skip
    key = ("obs_id", "row_id")
    live = layered({}, {p.path: p for p in pieces})
    assert {p.path for p in _near(key, fresh, live)} == overlap
    if pieces:
        assert overlap <= {p.path for p in Spans(pieces, key).overlapping(fresh)}
