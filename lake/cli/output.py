"""Answers as text: the table of a terminal with its row of units, and which format goes where."""

import math
import shutil
import sys
import unicodedata
from argparse import Namespace
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lake.cli.parser import Usage
from lake.cli.session import BOLD, DIM, RESET, Session, printable
from lake.errors import QueryError

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_SHOWN = 50
WIDEST = 60
GAP = "   "
INSTANTS = ("time", "first", "last")
NARROWEST_NUMBER, WIDEST_NUMBER = 1e-3, 1e12


def show(session: Session, args: Namespace, rows: "pa.Table", about: str = "", why_empty: str = "") -> None:
    """Give rows as the answer: to a file, or to stdout as a table or in another format.

    Parameters
    ----------
    about : what follows the number of rows in the summary (`commit 43, 0.06 s`).
    why_empty : what to say where there is no row.
    """
    limit = getattr(args, "limit", None)
    rows = rows if limit is None else rows.slice(0, limit)
    n = rows.num_rows
    summary = ", ".join(filter(None, [f"{n:,} row{'' if n == 1 else 's'}", about]))
    if not n and why_empty:
        session.say(why_empty)
        about = ""
    output = getattr(args, "output", None)
    form = chosen(session, args)
    if output:
        _to_file(session, rows, form, output)
        session.say(f"{output}: {summary}")
    elif form == "table":
        if n:
            _to_terminal(session, rows, n, summary)
        elif about:
            session.say(summary)
    else:
        from lake.export import WRITERS

        if form == "parquet" and sys.stdout.isatty():
            raise Usage("parquet is no text for a terminal; name a file with -o", "lake sql --help")
        session.blocks(WRITERS[form](rows))
        session.detail(summary)


def chosen(session: Session, args: Namespace) -> str:
    """The format: as asked, else by the file's ending, else JSON, a table on a terminal, CSV in a pipe.

    Raises
    ------
    Usage
        The file's ending names no format.
    """
    form: str | None = getattr(args, "format", None)
    output = getattr(args, "output", None)
    if form:
        return form
    if output:
        from lake.export import format_of

        try:
            return format_of(output)
        except QueryError as error:
            raise Usage(error.message) from error
    if session.json:
        return "json"
    return "table" if sys.stdout.isatty() else "csv"


def _to_file(session: Session, rows: "pa.Table", form: str, output: str) -> None:
    from lake.export import write

    if form == "table":
        Path(output).write_text(table(rows) + "\n", encoding="utf-8")
    else:
        write(rows, form, Path(output))


def _to_terminal(session: Session, rows: "pa.Table", n: int, summary: str) -> None:
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    shown = rows.slice(0, ROWS_SHOWN) if sys.stdout.isatty() else rows
    text, hidden = fitted(shown, width, session.colors(sys.stdout))
    session.answer(text)
    session.say(summary)
    cuts = []
    if shown.num_rows < n:
        cuts.append(f"{n - shown.num_rows:,} more rows")
    if hidden:
        cuts.append(f"{len(hidden)} more columns: {', '.join(hidden)}")
    if cuts:
        session.say(f"not shown: {'; '.join(cuts)}. All of it: --format csv, or -o FILE.csv")


def table(rows: "pa.Table") -> str:
    """All rows and columns as a table, no colours."""
    return fitted(rows, None, False)[0]


def fitted(rows: "pa.Table", width: int | None, colors: bool) -> tuple[str, list[str]]:
    """A table no wider than the terminal, and the names of the columns that found no room."""
    from lake.export import plain, units_of

    units = units_of(rows)
    columns = [
        [name, units[name], *cells(column.to_pylist(), str(column.type))]
        for name, column in zip(rows.schema.names, plain(rows).columns, strict=True)
    ]
    widths = [max(map(cell_width, column)) for column in columns]
    kept, used = 0, 1 - len(GAP)
    for room in widths:
        used += room + len(GAP)
        if width is not None and kept and used > width:
            break
        kept += 1
    lines = [_line(cells_, widths[:kept]) for cells_ in zip(*columns[:kept], strict=True)]
    if not any(units[name] for name in rows.schema.names[:kept]):
        del lines[1]
    elif colors:
        lines[1] = f"{DIM}{lines[1]}{RESET}"
    if colors and lines:
        lines[0] = f"{BOLD}{lines[0]}{RESET}"
    return "\n".join(lines), rows.schema.names[kept:]


def cells(values: Sequence[Any], kind: str = "") -> list[str]:
    """A column's values as text of one look: numbers with as many digits as they need, and aligned."""
    known = [v for v in values if v is not None]
    if known and all(isinstance(v, datetime) for v in known):
        return _instants(values)
    is_number = bool(known) and all(isinstance(v, int | float) and not isinstance(v, bool) for v in known)
    if not is_number:
        return [_text(v) for v in values]
    texts = _numbers(values, 7 if kind == "float" else 15)
    widest = max(map(len, texts))
    return [text.rjust(widest) for text in texts]


def _instants(values: Iterable[datetime | None]) -> list[str]:
    texts = [v.strftime("%Y-%m-%d %H:%M:%S.%f") if v is not None else "" for v in values]
    ends = [t for t in texts if t]
    surplus = min(len(t) - len(t.rstrip("0")) for t in ends)
    cut = 7 if surplus >= 6 else surplus
    return [t[: len(t) - cut] if t else "" for t in texts]


def _numbers(values: Sequence[float | None], precision: int) -> list[str]:
    """Numbers with six digits, and more where different ones would look alike."""
    if not any(isinstance(v, float) for v in values):
        return ["" if v is None else str(v) for v in values]
    for digits in range(min(6, precision), precision):
        texts = _rounded(values, digits)
        if len(set(texts)) == len(set(values)):
            return texts
    return _rounded(values, precision)


def _rounded(values: Sequence[float | None], digits: int) -> list[str]:
    """Numbers in fixed notation, or all in scientific where one would be very long."""
    finite = [abs(v) for v in values if isinstance(v, float) and math.isfinite(v) and v]
    if finite and (min(finite) < NARROWEST_NUMBER or max(finite) >= WIDEST_NUMBER):
        places = max(_places(f"{v:.{digits - 1}e}".partition("e")[0]) for v in finite)
        return ["" if v is None else f"{v:.{max(1, places)}e}" for v in values]
    decimals = max((_decimals(v, digits) for v in finite), default=0)
    return ["" if v is None else f"{v:.{max(1, decimals)}f}" for v in values]


def _places(mantissa: str) -> int:
    return len(mantissa.partition(".")[2].rstrip("0"))


def _decimals(value: float, digits: int) -> int:
    """Decimals that a number needs to show so many significant digits, trailing zeros left out."""
    decimals = max(0, digits - 1 - math.floor(math.log10(value)))
    return _places(f"{value:.{min(decimals, 9)}f}")


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    text = printable(value)
    return text if len(text) <= WIDEST else text[: WIDEST - 1] + "…"


def _line(texts: Sequence[str], widths: Sequence[int]) -> str:
    padded = (text + " " * (room - cell_width(text)) for text, room in zip(texts, widths, strict=True))
    return (" " + GAP.join(padded)).rstrip()


def cell_width(text: str) -> int:
    """Columns of a terminal that a text takes: wide letters two, combining marks none."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def rows_of(
    records: Sequence[Mapping[str, Any]], columns: Sequence[str], units: Mapping[str, str] | None = None
) -> "pa.Table":
    """Records of the log as rows, instants as instants."""
    import pyarrow as pa

    from lake.export import with_units

    arrays = {}
    for name in columns:
        values = [record.get(name) for record in records]
        if name in INSTANTS:
            times = [datetime.fromisoformat(v).replace(tzinfo=None) if v else None for v in values]
            arrays[name] = pa.array(times, pa.timestamp("us"))
        else:
            arrays[name] = pa.array(values) if any(v is not None for v in values) else pa.array(values, pa.string())
    return with_units(pa.table(arrays), units or {})
