"""One self-contained HTML page a pipeline: its figures with their numbers inside, and how they were made."""

import base64
import gzip
import html
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from lake.errors import LakeError, QueryError
from lake.export import csv, json_rows, units_of, with_units

if TYPE_CHECKING:
    from lake.answer import Answer
    from lake.log import Json, Snapshot
    from lake.store import Lake

MOST_BYTES = 3_000_000
PLAIN_BYTES = 60_000
ROWS_SHOWN = 12
INPUTS_SHOWN = 40
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
STYLE = """
:root{color-scheme:light dark;--line:#8884;--soft:#888}
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
h1{margin:0 0 .2rem}h2{margin:2.2rem 0 .4rem;font-size:1.1rem}
figure{margin:0}figure img{max-width:100%;height:auto;background:#fff;border-radius:4px}
table{border-collapse:collapse;font-size:.85rem;font-variant-numeric:tabular-nums;display:block;overflow-x:auto}
th,td{text-align:left;padding:.15rem .9rem .15rem 0;border-bottom:1px solid var(--line);white-space:nowrap}
tr.units th{font-weight:normal;color:var(--soft)}
pre{max-height:20rem;overflow:auto;border:1px solid var(--line);padding:.5rem;font-size:.8rem}
summary{cursor:pointer;color:var(--soft)}footer{margin-top:3rem;border-top:1px solid var(--line);font-size:.85rem}
code{font-size:.85em}.soft{color:var(--soft)}
@media print{details{display:none}body{max-width:none}}
"""


def write_reports(lake: "Lake", names: Sequence[str], folder: Path, params: Mapping[str, Any] | None = None) -> Path:
    """Write a page for each pipeline and an index that leads to them; return the index."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / f"{name}.html").write_bytes(page_of(lake, name, params or {}))
    index = folder / "index.html"
    index.write_bytes(_index(lake, names))
    return index


def page_of(lake: "Lake", name: str, params: Mapping[str, Any]) -> bytes:
    """The page of one pipeline; its bytes depend on the commit and the parameters alone.

    Parameters
    ----------
    params : values for the parameters of its relations; each takes those it knows.
    """
    from lake.pipelines import pipeline

    doc = pipeline(name).doc
    snapshot = lake.snapshot
    budget = [MOST_BYTES - 400_000]
    body = [
        f"<h1>{_text(name)}</h1><p>{_text(doc)}</p>",
        _readout(snapshot, name),
        *_relations(lake, name, params, budget),
        _foot(snapshot, name),
    ]
    return _page(f"{name} at commit {snapshot.number}", body)


def _page(title: str, body: Sequence[str]) -> bytes:
    head = (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        f'<meta name="viewport" content="width=device-width">\n<title>{_text(title)}</title>\n'
        f"<style>{STYLE}</style></head>\n"
    )
    return (head + "<body>\n" + "\n".join(body) + "\n</body></html>\n").encode()


def _text(value: object) -> str:
    """Text for HTML: escaped, control characters spelled out."""
    clean = "".join(c if c.isprintable() or c == "\n" else f"\\x{ord(c):02x}" for c in str(value))
    return html.escape(clean)


def _index(lake: "Lake", names: Sequence[str]) -> bytes:
    from lake.pipelines import pipeline

    items = "".join(f'<li><a href="{name}.html">{_text(name)}</a>: {_text(pipeline(name).doc)}</li>' for name in names)
    return _page("Lake", [f"<h1>Lake at commit {lake.snapshot.number}</h1><ul>{items}</ul>"])


def _readout(snapshot: "Snapshot", name: str) -> str:
    """What the lake has of a pipeline: rows of each dataset."""
    counts = []
    for dataset, words in sorted(snapshot.declarations.items()):
        if dataset.partition(".")[0] == name:
            n = sum(p.n_rows for p in snapshot.pieces_of(dataset))
            counts.append({"dataset": dataset, "rows": n, "meaning": words.doc})
    if not counts:
        return '<p class="soft">This lake has nothing of it yet.</p>'
    return f"<p>Commit {snapshot.number} of {_text(snapshot.time[:19])} UTC</p>{_table(pa.Table.from_pylist(counts))}"


def _relations(lake: "Lake", name: str, params: Mapping[str, Any], budget: list[int]) -> Iterator[str]:
    """A section for each relation: figures first, then tables; a last one for what could not be shown."""
    from lake.relations import inner_first, relations

    every = relations()
    mine = {n: r for n, r in sorted(every.items()) if n.partition(".")[0] == name}
    left_out = []
    for full in sorted(mine, key=lambda n: (not n.partition(".")[2].startswith("fig_"), n)):
        is_figure = full.partition(".")[2].startswith("fig_")
        known = {p.name for inner in inner_first(every, [full]) for p in every[inner].params}
        try:
            answer = lake.query(full, **{k: v for k, v in params.items() if k in known})
            yield _section(full, mine[full].doc, answer, is_figure, budget)
        except LakeError as error:
            left_out.append(f"<li><code>{_text(full)}</code>: {_text(error)}</li>")
    if left_out:
        yield f"<h2>Not shown</h2><ul>{''.join(left_out)}</ul>"


def _section(name: str, doc: str, answer: "Answer", is_figure: bool, budget: list[int]) -> str:
    """One relation: its figure where it is one, its first rows, and all of them as CSV in a figure's case."""
    rows = with_units(answer.arrow(), answer.units)
    title = f'<h2 id="{_text(name.partition(".")[2])}">{_text(doc)}</h2>'
    if not rows.num_rows:
        return f'{title}<p class="soft">No rows. <code>lake query {_text(name)}</code> says why.</p>'
    parts = [title]
    if is_figure:
        parts.append(_picture(name, rows, answer.units, budget))
        parts.append(_numbers(name, rows, budget))
    else:
        more = f" of {rows.num_rows:,}; <code>lake query {_text(name)}</code>" if rows.num_rows > ROWS_SHOWN else ""
        shown = min(rows.num_rows, ROWS_SHOWN)
        parts.append(f"{_table(rows.slice(0, ROWS_SHOWN))}<p class='soft'>{shown} rows{more}</p>")
    text = "\n".join(parts)
    budget[0] -= len(text)
    return text


def _picture(name: str, rows: pa.Table, units: Mapping[str, str], budget: Sequence[int]) -> str:
    from lake.figures import drawn

    try:
        picture = base64.b64encode(drawn(rows, units)).decode()
    except QueryError as error:
        return f'<p class="soft">{_text(error)}</p>'
    if len(picture) > budget[0]:
        return f'<p class="soft">The page is full: <code>lake plot {_text(name)}</code> draws it.</p>'
    return f'<figure><img alt="{_text(name)}" src="data:image/png;base64,{picture}"></figure>'


def _numbers(name: str, rows: pa.Table, budget: Sequence[int]) -> str:
    """The CSV behind a figure, to read where it is short, else to save."""
    content = b"".join(csv(rows))
    summary = (
        f"<summary>{rows.num_rows:,} rows, as <code>lake query {_text(name)} --format csv</code> gives them</summary>"
    )
    if len(content) <= PLAIN_BYTES:
        text = html.escape(content.decode(), quote=False)
        return f'<details>{summary}<pre class="csv" id="{_text(name)}.csv">{text}</pre></details>'
    packed = base64.b64encode(gzip.compress(content, mtime=0)).decode()
    if len(packed) > budget[0] // 2:
        how = f"<code>lake query {_text(name)} -o rows.csv</code>"
        return f'<p class="soft">{rows.num_rows:,} rows are too many for this page: {how}</p>'
    link = f'<a download="{_text(name)}.csv.gz" href="data:application/gzip;base64,{packed}">save them</a>'
    return f"<details>{summary}{link}</details>"


def _table(rows: pa.Table) -> str:
    """A table with a row of units under the names."""
    units = units_of(rows)
    names = "".join(f"<th>{_text(n)}</th>" for n in rows.schema.names)
    under = "".join(f"<th>{_text(units[n])}</th>" for n in rows.schema.names)
    lines = [f"<tr>{''.join(f'<td>{_cell(v)}</td>' for v in row.values())}</tr>" for row in json_rows(rows)]
    unit_row = f'<tr class="units">{under}</tr>' if any(units.values()) else ""
    return f"<table><tr>{names}</tr>{unit_row}{''.join(lines)}</table>"


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.15g}"
    text = str(value)
    return _text(text if len(text) <= 80 else f"{text[:79]}…")


def _foot(snapshot: "Snapshot", name: str) -> str:
    """How it was made: commit, runs, code, parameters, inputs, and what was left out and why."""
    runs = [r for r in snapshot.runs.values() if r["pipeline"] == name]
    mine = {run["id"] for run in runs}
    taken = {s for (_, s), run in snapshot.ingested.items() if run in mine}
    sources = sorted((snapshot.sources[s] for s in taken if s in snapshot.sources), key=lambda s: str(s["uri"]))
    parts = [
        f"<p>Commit {snapshot.number}, {_text(snapshot.digest[:12])}, {_text(snapshot.time)}</p>",
        *(_run(run) for run in runs[-5:]),
        _inputs(sources),
        _left_out(
            [r for r in snapshot.rejected if r.get("run") in mine or str(r.get("dataset", "")).startswith(f"{name}.")]
        ),
    ]
    return f"<footer><h2>How it was made</h2>{''.join(parts)}</footer>"


def _run(run: "Json") -> str:
    words = {k: v for k, v in json.loads(run.get("parameters") or "{}").items() if k not in ("root", "paths")}
    parameters = ", ".join(f"{k} = {v}" for k, v in words.items()) or "defaults"
    return f"<p>Run <code>{_text(run['id'])}</code>, code <code>{_text(run['code'])}</code>: {_text(parameters)}</p>"


def _inputs(sources: "Sequence[Json]") -> str:
    if not sources:
        return "<p>No input file.</p>"
    records = [{"input": Path(str(s["uri"])).name, "bytes": s.get("size"), "sha256": s["sha256"][:16]} for s in sources]
    body = _table(pa.Table.from_pylist(records[:INPUTS_SHOWN]))
    if len(sources) > INPUTS_SHOWN:
        body += (
            f'<p class="soft">and {len(sources) - INPUTS_SHOWN:,} more: <code>lake sql "from lake.sources"</code></p>'
        )
    return f"<details open><summary>{len(sources):,} inputs</summary>{body}</details>"


def _left_out(rejected: "Sequence[Json]") -> str:
    """The cut-flow: how many rows or files each reason left out."""
    counts: dict[str, int] = {}
    for record in rejected:
        reason = str(record.get("reason", ""))
        n_rows = record.get("n_rows")
        counts[reason] = counts.get(reason, 0) + (1 if n_rows is None else int(n_rows))
    if not counts:
        return "<p>Nothing was left out.</p>"
    records = [{"left out": n, "reason": reason} for reason, n in sorted(counts.items(), key=lambda c: (-c[1], c[0]))]
    return f"<h2>Left out</h2>{_table(pa.Table.from_pylist(records))}"
