"""Numbers as kernels take them."""

import numpy as np
import pytest

from lake.kernels.values import floats, of_instrument, whole


def test_what_is_masked_or_no_number_is_missing():
    assert np.isnan(floats(np.ma.masked_array([1, 2], [False, True]))).tolist() == [False, True]
    masks = np.ma.getmaskarray(whole(np.ma.masked_array([1.0, np.nan, np.inf, 2.5, -3.0], [True] + [False] * 4)))
    assert masks.tolist() == [True, True, True, True, False]


@pytest.mark.parametrize(("values", "held"), [
    (np.array([2**63, 2**63 - 1], np.uint64), [False, True]), (np.array([2.0**63, -(2.0**62)]), [False, True]),
    (np.array([255], np.uint8), [True]), (np.array([60000.0], np.float16), [True]), ([], []),
])  # fmt: skip
def test_a_whole_number_keeps_its_value_or_is_missing(values, held):
    found = whole(values)
    assert found.dtype == np.int64
    assert (~np.ma.getmaskarray(found)).tolist() == held
    assert found.compressed().tolist() == [int(v) for v, is_held in zip(values, held, strict=True) if is_held]


@pytest.mark.parametrize("act", [floats, whole])
@pytest.mark.parametrize("values", [["1"], [1j], [None], np.array(["2000"], "M8[us]")])
def test_what_is_no_number_is_refused(act, values):
    with pytest.raises(ValueError, match="expected bool, int or float"):
        act(values)


def test_what_is_given_is_left_alone():
    given = np.array([1.0, 2.0])
    floats(given)[:] = 0
    masked = np.ma.masked_array([1, 2], [False, True])
    whole(masked)[:] = np.ma.masked
    assert given.tolist() == [1.0, 2.0]
    assert masked.mask.tolist() == [False, True]


def test_the_first_entry_whose_beginning_fits_is_the_instruments():
    rules = {("XMM", "EPN"): 1, ("XMM", "E"): 2}
    assert [of_instrument(rules, "xmm ", name) for name in ("EPN", "emos1", "OM")] == [1, 2, None]
