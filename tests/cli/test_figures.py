"""Figures follow from the columns, cross no gap, and are the same bytes each time."""

import numpy as np
import pyarrow as pa
import pytest

from lake.errors import QueryError
from lake.figures import FORMS, _broken, drawn, label, planned

START = np.datetime64("2017-09-10T15:00", "us")


def light_curve(n: int = 60) -> pa.Table:
    minutes = np.arange(n).astype("timedelta64[m]").astype("timedelta64[us]")
    flux = 1e-6 + 9e-4 * np.exp(-(((np.arange(n) - 30) / 6) ** 2))
    return pa.table({"time": START + minutes, "flux_w_m2": flux, "flux_err_w_m2": 0.1 * flux})


GRID = np.meshgrid(np.arange(8.0), np.arange(5.0))
TABLES = {
    "line": light_curve(),
    "step": pa.table({"energy_kev": np.arange(20.0), "n_photons": np.arange(20)}),
    "scatter": pa.table({"x_px": np.cos(np.arange(50.0)), "y_px": np.sin(np.arange(50.0))}),
    "bar": pa.table({"step": ["all", "good", "banded"], "n_photons": [9, 5, 2]}),
    "image": pa.table({"wavelength_nm": GRID[0].ravel(), "width_s": GRID[1].ravel(), "excess": np.arange(40.0)}),
}


@pytest.mark.parametrize("kind", TABLES)
def test_the_columns_decide_what_is_drawn(kind: str) -> None:
    assert planned(TABLES[kind]).kind == kind


def test_an_uncertainty_is_a_bar_and_no_line_of_its_own() -> None:
    assert planned(light_curve()).ys == ("flux_w_m2",)


def test_few_values_of_a_word_tell_series_apart() -> None:
    rows = light_curve().append_column("channel", pa.array(["long", "short"] * 30))
    assert planned(rows).series == "channel"


@pytest.mark.parametrize("form", [f[1:] for f in FORMS])
@pytest.mark.parametrize("kind", TABLES)
def test_the_same_rows_give_the_same_bytes(kind: str, form: str) -> None:
    units = {"flux_w_m2": "W / m2"}
    picture = drawn(TABLES[kind], units, title="a figure", form=form)
    assert picture == drawn(TABLES[kind], units, title="a figure", form=form)
    assert picture[:8].lstrip(b"\x89").startswith((b"PNG", b"<?xml", b"%PDF"))


def test_a_line_never_crosses_a_gap() -> None:
    time = np.concatenate([np.arange(10.0), np.arange(50.0, 60.0)])
    along, up = _broken(time, np.ones(20))
    assert np.isnan(up[10])
    assert np.isfinite(np.delete(up, 10)).all()
    assert len(along) == len(up) == 21


def test_an_axis_is_named_by_words_and_unit() -> None:
    assert label("peak_flux_w_m2", {}) == "peak flux [W / m2]"
    assert label("peak_time", {"peak_time": "UTC"}) == "peak time [UTC]"
    assert label("n_photons", {}) == "n photons"


def test_words_alone_cannot_be_drawn() -> None:
    with pytest.raises(QueryError, match="no column is a number"):
        drawn(pa.table({"name": ["a", "b"]}), {})


def test_a_long_series_keeps_its_extremes() -> None:
    values = np.zeros(300_000)
    values[123_456] = 1.0
    flat = drawn(pa.table({"time_s": np.arange(300_000.0), "rate": np.zeros(300_000)}), {})
    assert drawn(pa.table({"time_s": np.arange(300_000.0), "rate": values}), {}) != flat
