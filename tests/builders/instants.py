"""Random instants, and what astropy says of them."""

import warnings

import numpy as np
from astropy.time import Time
from astropy.utils.iers import conf
from hypothesis import strategies as st

microseconds = st.integers(
    int(np.datetime64("1972-01-02", "us").astype(int)), int(np.datetime64("2040-01-01", "us").astype(int))
)
instants = st.lists(microseconds, min_size=1, max_size=20).map(lambda ticks: np.array(ticks, "datetime64[us]"))


def astropy_time(utc: np.ndarray) -> Time:
    """UTC as astropy has it."""
    with conf.set_temp("auto_download", False), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "dubious year": no leap seconds are announced that far ahead
        return Time(np.datetime_as_string(utc, unit="us"), scale="utc")
