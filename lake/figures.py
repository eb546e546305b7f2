"""Figures of relations: what is drawn, and how, follows from the columns, their names and their units."""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lake.errors import QueryError
from lake.export import plain
from lake.units import ENDINGS, unit_of_name

FORMS = (".png", ".svg", ".pdf")
# Okabe & Ito's palette, safe for colour-blind eyes; the dash is the second sign.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES = ("-", "--", ":", "-.")
MOST_SERIES = 7
MOST_PANELS = 6
MOST_POINTS = 200_000
GAP_STEPS = 3.0
DPI = 110
# Without these a file carries the clock or a version, and two drawings differ.
UNDATED: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Producer": None, "Creator": None},
}
STYLE: dict[Any, Any] = {
    "svg.hashsalt": "lightlake",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "figure.constrained_layout.use": True,
    "savefig.facecolor": "white",
}


@dataclass(frozen=True)
class Drawing:
    """What a figure shows: one column along, others up, one that tells series apart.

    Attributes
    ----------
    kind : `line`, `step`, `scatter`, `bar` or `image`.
    x, ys : columns; of an image `ys` are its vertical axis and the value.
    series : column whose values are drawn apart, or empty.
    """

    kind: str
    x: str
    ys: tuple[str, ...]
    series: str = ""


def planned(rows: pa.Table) -> Drawing:
    """The figure that suits these columns.

    Raises
    ------
    QueryError
        No column is a number.
    """
    kinds = {f.name: f.type for f in rows.schema}
    numbers = [n for n, k in kinds.items() if _is_number(k) and not _is_error(n, kinds)]
    instants = [n for n, k in kinds.items() if pa.types.is_timestamp(k)]
    texts = [
        n for n, k in kinds.items() if pa.types.is_string(k) or pa.types.is_large_string(k) or pa.types.is_boolean(k)
    ]
    if not numbers:
        raise QueryError(f"no column is a number to draw; has {', '.join(kinds)}")
    n = rows.num_rows
    series = next((t for t in texts if 1 < pc.count_distinct(rows[t]).as_py() <= MOST_SERIES < n), "")
    axes = [name for name in kinds if name in numbers or name in instants]
    if texts and not instants and not series and len(set(rows[texts[0]].to_pylist())) == n:
        return Drawing("bar", texts[0], tuple(numbers[:MOST_PANELS]))
    if len(axes) == 1:
        return Drawing("step", "", (axes[0],), series)
    if len(axes) >= 3 and not series and _is_grid(rows, axes[0], axes[1]):
        return Drawing("image", axes[0], (axes[1], axes[2]))
    x = instants[0] if instants else numbers[0]
    ys = tuple(name for name in numbers if name != x)[:MOST_PANELS]
    if not _is_ordered(rows, x, series):
        return Drawing("scatter", x, ys[:1] if len(ys) > 2 else ys, series)
    return Drawing("step" if all(y.startswith("n_") for y in ys) else "line", x, ys, series)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _is_error(name: str, names: Mapping[str, Any]) -> bool:
    return "_err" in name and name.replace("_err", "", 1) in names


def error_of(name: str, names: Sequence[str]) -> str:
    """The column that holds another's uncertainty, or the empty string."""
    return next((n for n in names if "_err" in n and n.replace("_err", "", 1) == name), "")


def _is_grid(rows: pa.Table, x: str, y: str) -> bool:
    """Whether two columns are the axes of a grid of which half or more is filled, each cell once."""
    n_x, n_y = (pc.count_distinct(rows[name]).as_py() for name in (x, y))
    if min(n_x, n_y) < 3 or not 0.5 <= rows.num_rows / (n_x * n_y) <= 1:
        return False
    return bool(rows.select([x, y]).group_by([x, y]).aggregate([]).num_rows == rows.num_rows)


def _is_ordered(rows: pa.Table, x: str, series: str) -> bool:
    return all(
        np.all(np.diff(values) >= 0) for values in (_values(part, x).astype(float) for _, part in _parts(rows, series))
    )


def _parts(rows: pa.Table, series: str) -> Iterator[tuple[str, pa.Table]]:
    """The rows of each series, by name."""
    if not series:
        yield "", rows
        return
    for value in sorted({v for v in rows[series].to_pylist() if v is not None}, key=str):
        yield str(value), rows.filter(pc.equal(rows[series], pa.scalar(value, rows[series].type)))


def _values(rows: pa.Table, name: str) -> NDArray[Any]:
    """A column as numbers or instants, NaN where it is null."""
    column = rows[name]
    if pa.types.is_timestamp(column.type):
        instants: NDArray[Any] = column.cast(pa.timestamp("us")).to_numpy()
        return instants
    values: NDArray[Any] = column.cast(pa.float64(), safe=False).to_numpy()
    return values


def drawn(rows: pa.Table, units: Mapping[str, str], *, title: str = "", form: str = "png") -> bytes:
    """A figure as PNG, SVG or PDF; the same rows give the same bytes.

    Parameters
    ----------
    units : unit of each column that has one.

    Raises
    ------
    QueryError
        There is nothing to draw.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = plain(rows)
    units = {**units, **{f.name: "UTC" for f in rows.schema if pa.types.is_timestamp(f.type)}}
    drawing = planned(rows)
    n_panels = 1 if drawing.kind in ("image", "bar", "scatter") else len(_panels(drawing, units))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.2, 1.4 + 2.4 * n_panels) if n_panels > 1 else (7.2, 4.2), dpi=DPI)
        FigureCanvasAgg(figure)
        DRAWERS[drawing.kind](figure, rows, drawing, units)
        if title:
            figure.suptitle(title, fontsize=10, x=0.01, ha="left")
        buffer = io.BytesIO()
        figure.savefig(buffer, format=form, metadata=UNDATED[form])
    return buffer.getvalue()


def label(name: str, units: Mapping[str, str]) -> str:
    """A column as an axis names it: its words, and its unit in brackets."""
    unit = units.get(name) or unit_of_name(name)
    ending = next((e for e, u in ENDINGS.items() if u == unit and name.endswith(f"_{e}")), "")
    words = name.removesuffix(f"_{ending}").replace("_", " ")
    return f"{words} [{unit}]" if unit else words


def _panels(drawing: Drawing, units: Mapping[str, str]) -> list[tuple[str, ...]]:
    """The columns that go up, those of one unit in one panel."""
    panels: dict[str, list[str]] = {}
    for y in drawing.ys:
        unit = units.get(y) or unit_of_name(y)
        panels.setdefault(unit or ("count" if y.startswith("n_") else y), []).append(y)
    return [tuple(names) for names in panels.values()]


def _draw_lines(figure: Any, rows: pa.Table, drawing: Drawing, units: Mapping[str, str]) -> None:
    panels = _panels(drawing, units)
    axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for ax, ys in zip(axes, panels, strict=True):
        several = len(ys) > 1
        lines = [
            (f"{name} {y}".strip() if several else name, part, y)
            for name, part in _parts(rows, drawing.series)
            for y in ys
        ]
        for i, (name, part, y) in enumerate(lines):
            look = {"color": COLOURS[i % len(COLOURS)], "ls": DASHES[i // 2 % len(DASHES)], "lw": 1.1, "label": name}
            _draw_line(ax, part, drawing, y, look)
        ax.set_ylabel(
            label(ys[0], units) if len(ys) == 1 else f"[{units.get(ys[0]) or unit_of_name(ys[0]) or 'count'}]"
        )
        _scaled(ax, [v for _, part, y in lines for v in [_values(part, y)]])
        if len(lines) > 1:
            ax.legend(frameon=False, fontsize=8, title=drawing.series or None)
    axes[-1].set_xlabel(_along(drawing, units))
    if drawing.x and pa.types.is_timestamp(rows.schema.field(drawing.x).type):
        _dated(axes[-1])


def _along(drawing: Drawing, units: Mapping[str, str]) -> str:
    return label(drawing.x, units) if drawing.x else "row"


def _draw_line(ax: Any, part: pa.Table, drawing: Drawing, y: str, look: dict[str, Any]) -> None:
    """One series: broken where values are missing or steps are long, with its errors as bars."""
    up = _values(part, y)
    along = _values(part, drawing.x) if drawing.x else np.arange(len(up))
    error = error_of(y, part.schema.names)
    if len(up) > MOST_POINTS:
        _draw_bins(ax, along, up, look)
        return
    if error and len(up) <= 2_000:
        ax.errorbar(along, up, _values(part, error), fmt="none", ecolor=look["color"], alpha=0.45, lw=0.8)
    along, up = _broken(along, up)
    if drawing.kind == "step":
        ax.step(along, up, where="mid", **look)
    else:
        ax.plot(along, up, marker="." if len(up) <= 120 else "", ms=4, **look)


def _broken(along: NDArray[Any], up: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The line with NaN put in where a step is over three times the usual one: no line crosses a gap."""
    if len(along) < 4:
        return along, up
    steps = np.diff(along).astype(float)
    usual = np.median(steps[steps > 0]) if (steps > 0).any() else np.inf
    gaps = np.flatnonzero(steps > GAP_STEPS * usual) + 1
    return np.insert(along, gaps, along[gaps - 1]), np.insert(up.astype(float), gaps, np.nan)


def _draw_bins(ax: Any, along: NDArray[Any], up: NDArray[Any], look: dict[str, Any], n_bins: int = 2_000) -> None:
    """A long series as the least, mean and greatest value of each of many equal stretches of rows."""
    edges = np.linspace(0, len(up), n_bins + 1).astype(int)[:-1]
    known = np.where(np.isfinite(up), up, 0.0)
    n = np.maximum(np.add.reduceat(np.isfinite(up).astype(int), edges), 1)
    low, high = np.fmin.reduceat(up, edges), np.fmax.reduceat(up, edges)
    ax.fill_between(along[edges], low, high, color=look["color"], alpha=0.3, lw=0)
    ax.plot(along[edges], np.add.reduceat(known, edges) / n, **look)


def _scaled(ax: Any, values: Sequence[NDArray[Any]]) -> None:
    """A logarithmic axis where positive values span more than three decades."""
    joined = np.concatenate([v[np.isfinite(v)] for v in values]) if values else np.empty(0)
    if len(joined) and joined.min() > 0 and joined.max() / joined.min() > 1e3:
        ax.set_yscale("log")


def _dated(ax: Any) -> None:
    """Instants in ISO words, and UTC said."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(maxticks=8)  # type: ignore[no-untyped-call]
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]


def _draw_scatter(figure: Any, rows: pa.Table, drawing: Drawing, units: Mapping[str, str]) -> None:
    ax = figure.subplots()
    marks = "osD^vPX"
    y = drawing.ys[0]
    colour = drawing.ys[1] if len(drawing.ys) > 1 and not drawing.series else ""
    for i, (name, part) in enumerate(_parts(rows, drawing.series)):
        look: dict[str, Any] = (
            {"c": _values(part, colour), "cmap": "viridis"} if colour else {"color": COLOURS[i % len(COLOURS)]}
        )
        size = float(np.clip(4_000 / max(part.num_rows, 1), 2, 24))
        drawn_ = ax.scatter(
            _values(part, drawing.x), _values(part, y), s=size, marker=marks[i % len(marks)], label=name, lw=0,
            alpha=0.8, rasterized=part.num_rows > 2_000, **look,
        )  # fmt: skip
        if colour:
            figure.colorbar(drawn_, ax=ax, label=label(colour, units))
    ax.set(xlabel=label(drawing.x, units), ylabel=label(y, units))
    _scaled(ax, [_values(rows, y)])
    if drawing.series:
        ax.legend(frameon=False, fontsize=8, title=drawing.series, markerscale=3)
    if pa.types.is_timestamp(rows.schema.field(drawing.x).type):
        _dated(ax)


def _draw_bars(figure: Any, rows: pa.Table, drawing: Drawing, units: Mapping[str, str]) -> None:
    shown = rows.slice(0, 40)
    names = [str(v) for v in shown[drawing.x].to_pylist()]
    panels = figure.subplots(1, min(3, len(drawing.ys)), sharey=True, squeeze=False)[0]
    for ax, y in zip(panels, drawing.ys, strict=False):
        error = error_of(y, rows.schema.names)
        ax.barh(names, _values(shown, y), xerr=_values(shown, error) if error else None, color=COLOURS[0], height=0.7)
        ax.set_xlabel(label(y, units))
    panels[0].invert_yaxis()
    panels[0].set_ylabel(label(drawing.x, units))


def _draw_image(figure: Any, rows: pa.Table, drawing: Drawing, units: Mapping[str, str]) -> None:
    ax = figure.subplots()
    y, value = drawing.ys
    xs, columns = np.unique(_values(rows, drawing.x), return_inverse=True)
    ys, lines = np.unique(_values(rows, y), return_inverse=True)
    grid = np.full((len(ys), len(xs)), np.nan)
    grid[lines, columns] = _values(rows, value)
    ax.set_facecolor("#dddddd")
    image = ax.pcolormesh(xs, ys, np.ma.masked_invalid(grid), shading="nearest", cmap="viridis", rasterized=True)
    figure.colorbar(image, ax=ax, label=label(value, units))
    ax.set(xlabel=label(drawing.x, units), ylabel=label(y, units))
    ax.grid(False)
    if pa.types.is_timestamp(rows.schema.field(drawing.x).type):
        _dated(ax)


DRAWERS = {"line": _draw_lines, "step": _draw_lines, "scatter": _draw_scatter, "bar": _draw_bars, "image": _draw_image}
