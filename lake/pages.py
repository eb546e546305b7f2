"""HTML of lakes and tables for a notebook: what is there, in units; not a row or pixel is read."""

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from lake.schema import Table

if TYPE_CHECKING:
    from lake.store import Lake

SHOWN = 60


def table_view(lake: "Lake", table: Table) -> str:
    """A table: what and when in a line, then its columns, its spans, and what made it, folded."""
    pieces = lake.snapshot.pieces_of(table.name)
    n_rows = sum(p.n_rows for p in pieces)
    head = f"<b>{escape(table.name)}</b>: {n_rows:,} rows in {len(pieces):,} files, commit {lake.number}, not loaded"
    columns = _folded("columns", ("name", "unit", "meaning"), [(c.name, c.unit, c.doc) for c in table.columns])
    spans = []
    for column in table.columns:
        ends = [p.stats[column.name] for p in pieces if column.name in p.stats and p.stats[column.name][0] is not None]
        if ends:
            spans.append((column.name, min(e[0] for e in ends), max(e[1] for e in ends)))
    runs = [lake.snapshot.runs[r] for r in sorted({p.run for p in pieces}) if r in lake.snapshot.runs]
    made = [(r["pipeline"], r.get("code", ""), r.get("started", ""), r.get("parameters", "")) for r in runs]
    return (
        f"<div><p>{head}<br>{escape(table.doc)}</p>{columns}"
        + _folded("span", ("column", "least", "greatest"), spans)
        + _folded("made by", ("pipeline", "code", "started", "parameters"), made)
        + "</div>"
    )


def lake_view(lake: "Lake") -> str:
    """A lake: its commit, then its datasets."""
    rows = [
        (name, f"{sum(p.n_rows for p in lake.snapshot.pieces_of(name)):,}", words.doc)
        for name, words in lake.snapshot.declarations.items()
    ]
    return f"<div><p>{escape(repr(lake)[1:-1])}</p>{_folded('datasets', ('name', 'rows', 'what'), sorted(rows))}</div>"


def _folded(title: str, names: tuple[str, ...], rows: Sequence[tuple[object, ...]]) -> str:
    """A table that opens at a click; what is too long is cut, and says so."""
    head = "".join(f"<th>{escape(n)}</th>" for n in names)
    body = "".join(f"<tr>{''.join(f'<td>{escape(_short(v))}</td>' for v in row)}</tr>" for row in rows[:SHOWN])
    more = f"<p>and {len(rows) - SHOWN} more</p>" if len(rows) > SHOWN else ""
    table = f"<table><tr>{head}</tr>{body}</table>"
    return f"<details><summary>{escape(title)} ({len(rows)})</summary>{table}{more}</details>"


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 200 else f"{text[:199]}…"
