"""FITS files that lie are refused, and what is good before them is kept."""

import contextlib
import gzip
import struct

import numpy as np
import pytest

from lake.errors import Malformed, TooLarge
from tests.builders.fits import GOOD, PIXELS, card, cells, image, table, tiled


def test_endless_cards_are_refused(refuse):
    assert refuse(b"SIMPLE  =".ljust(80) + b"COMMENT x".ljust(80) * 120_000).rule == "fits-cards"


def test_a_header_without_end_is_refused(refuse):
    assert refuse(image(PIXELS).replace(b"END     ", b"ENDE    ")[:2880]).rule == "fits-end"


def test_a_string_that_never_ends_is_refused(refuse):
    extra = b"LONG    = 'a&'".ljust(80) + b"CONTINUE  'aaaaaaa&'".ljust(80) * 90_000
    assert refuse(image(PIXELS, extra)).rule == "fits-string"


def test_too_many_hdus_are_refused(decode):
    with pytest.raises(TooLarge, match="more than 1024 HDUs"):
        decode(*[image(primary=False)] * 20_000)


@pytest.mark.parametrize(
    ("cards", "kind", "rule"),
    [
        ({"NAXIS1": -4}, Malformed, "fits-header"),
        ({"NAXIS1": 100_000, "NAXIS2": 100_000}, TooLarge, "fits-size"),
        ({"NAXIS1": 1 << 40, "NAXIS2": 1 << 40}, TooLarge, "fits-size"),
        ({"NAXIS1": 1 << 64, "NAXIS2": 0}, Malformed, "fits-header"),
        ({"NAXIS1": 30_000}, Malformed, "fits-size"),
        ({"NAXIS1": 4.0}, Malformed, "fits-header"),
        ({"NAXIS1": True}, Malformed, "fits-header"),
        ({"NAXIS1": "4"}, Malformed, "fits-header"),
        ({"NAXIS": 33}, Malformed, "fits-header"),
        ({"NAXIS": 3}, Malformed, "fits-header"),
        ({"NAXIS": -1}, Malformed, "fits-header"),
        ({"BITPIX": 7}, Malformed, "fits-bitpix"),
        ({"BITPIX": 0}, Malformed, "fits-bitpix"),
        ({"BITPIX": -16}, Malformed, "fits-bitpix"),
        ({"PCOUNT": -1}, Malformed, "fits-header"),
        ({"GCOUNT": 1 << 40}, TooLarge, "fits-size"),
        ({"BSCALE": b"NaN"}, Malformed, "fits-scale"),
        ({"BSCALE": 0.0}, Malformed, "fits-scale"),
        ({"BSCALE": b"1E999"}, Malformed, "fits-scale"),
        ({"BZERO": b"-inf"}, Malformed, "fits-scale"),
        ({"BZERO": "ten"}, Malformed, "fits-scale"),
        ({"BLANK": 1.5}, Malformed, "fits-header"),
    ],
)
def test_an_image_that_lies_about_itself_is_refused(refuse, cards, kind, rule):
    for primary in (True, False):
        error = refuse(image(PIXELS, primary=primary, **cards))
        assert (type(error), error.rule) == (kind, rule)


ONE = {"A": ("PJ", cells(2, 0, 1, 4, shape=(2, 2)))}


@pytest.mark.parametrize(
    ("pointers", "cards"),
    [
        ((2, 1000), {}),
        ((2, -4), {}),
        ((-4, 0), {}),
        ((2**31 - 1, 0), {}),
        ((3, 0), {}),
        ((2, 0), {"THEAP": -100}),
        ((2, 0), {"THEAP": 3}),
        ((2, 0), {"THEAP": 100}),
        ((2, 0), {"TFORM1": "1PJ(1)"}),
        ((2, 0), {"TFORM1": "2PJ"}),
    ],
)
def test_an_array_outside_its_heap_is_refused(refuse, pointers, cards):
    error = refuse(table({"A": ("PJ", cells(*pointers, shape=(1, 2)))}, bytes(8), **cards))
    assert error.rule in ("fits-heap", "fits-header", "fits-tform")


def test_pointers_of_64_bits_cannot_overflow(refuse):
    for pair in ((2**62, 2**62), (2**61, 8), (1, 2**63 - 1)):
        assert refuse(table({"A": ("QJ", cells(*pair, dtype="i8", shape=(1, 2)))}, bytes(8))).rule == "fits-heap"


def test_columns_that_all_share_one_heap_are_refused(refuse):
    columns = {f"C{i}": ("PB", cells(100_000, 0, shape=(1, 2))) for i in range(50)}
    assert refuse(table(columns, bytes(100_000))).rule == "fits-heap"


def test_text_columns_that_lie_upon_each_other_are_refused(refuse):
    cards = {"XTENSION": "TABLE", "TBCOL1": 1, "TBCOL2": 1, "TFORM1": "A4", "TFORM2": "A4"}
    hdu = table({"A": ("4A", cells(*b"abcd", dtype="u1", shape=(1, 4))), "B": ("0A", cells(shape=(1, 0)))}, **cards)
    assert refuse(hdu).rule == "fits-tform"


@pytest.mark.parametrize("cards", [{"TBCOL1": 0}, {"TBCOL1": 2}, {"TBCOL1": None}, {"TFORM1": "A0"}, {"TFORM1": "Q4"}])
def test_a_text_column_outside_its_row_is_refused(refuse, cards):
    words = {"XTENSION": "TABLE", "TBCOL1": 1, "TFORM1": "A4"} | cards
    hdu = table({"A": ("4A", cells(*b"abcd", dtype="u1", shape=(1, 4)))}, **words)
    assert refuse(hdu).rule in ("fits-tform", "fits-header")


def test_a_number_that_is_none_is_refused(decode):
    words = {"XTENSION": "TABLE", "TBCOL1": 1, "TFORM1": "I4"}
    with pytest.raises(Malformed, match="ValueError"):
        decode(table({"A": ("4A", cells(*b"abcd", dtype="u1", shape=(1, 4)))}, **words))


def test_rows_that_all_share_one_heap_are_refused(refuse):
    rows = np.tile(np.array([40_000, 0], "i4"), (20_000, 1))
    assert refuse(table({"A": ("PJ", rows)}, bytes(160_000))).rule == "fits-heap"


@pytest.mark.parametrize("tdim", ["(1000,1000)", "(-1,-4)", "(-1,4)", "(4,0)", "4", "()", "(2,2", "(2.0,2)"])
def test_a_tdim_that_does_not_fill_the_cell_is_refused(refuse, tdim):
    assert refuse(table({"A": ("4J", cells(1, 2, 3, 4, shape=(1, 4)))}, TDIM1=tdim)).rule == "fits-tdim"


@pytest.mark.parametrize("tform", ["5J", "4K", "1000000000000J", "9999999999999J", "4Y", "", "-4J", "J4J"])
def test_a_tform_that_does_not_fill_the_row_is_refused(refuse, tform):
    assert refuse(table({"A": ("4J", cells(1, 2, 3, 4, shape=(1, 4)))}, TFORM1=tform)).rule == "fits-tform"


@pytest.mark.parametrize(
    "cards", [{"TSCAL1": 0}, {"TSCAL1": b"NaN"}, {"TZERO1": b"inf"}, {"TNULL1": 1.5}, {"TNULL1": b"nan"}]
)
def test_scaling_that_is_no_number_is_refused(refuse, cards):
    assert refuse(table({"A": ("J", cells(1))}, **cards)).rule in ("fits-scale", "fits-header")


def test_a_null_of_real_numbers_means_nothing(decode):
    assert decode(table({"A": ("E", cells(1, dtype="f4"))}, TNULL1=1)).part("").column("A").tolist() == [1]


def test_rows_of_no_bytes_are_refused(refuse):
    assert refuse(table({}, NAXIS1=0, NAXIS2=10**10)).rule == "fits-tform"


def bomb(tile):
    """A 100 x 100 image whose one tile is these bytes."""
    cards = {"ZIMAGE": True, "ZCMPTYPE": "GZIP_1", "ZBITPIX": 16, "ZNAXIS": 2, "ZNAXIS1": 100, "ZNAXIS2": 100}
    columns = {"COMPRESSED_DATA": ("PB", cells(len(tile), 0, shape=(1, 2)))}
    return table(columns, tile, **cards, ZTILE1=100, ZTILE2=100)


def test_a_gzip_tile_that_inflates_beyond_itself_is_refused(refuse):
    for tile in (
        gzip.compress(bytes(50 << 20)),
        gzip.compress(bytes(20_000)) + gzip.compress(bytes(50 << 20)),
        gzip.compress(bytes(20_000))[:-9],
    ):
        assert refuse(bomb(tile)).rule == "fits-tiles"


@pytest.mark.parametrize(
    "cards",
    [
        {"ZTILE1": 0}, {"ZTILE1": -1}, {"ZTILE2": 1 << 70}, {"ZTILE1": 50}, {"ZNAXIS1": 1 << 20, "ZTILE1": 1 << 20},
        {"ZNAXIS1": 1 << 40}, {"ZNAXIS": 0}, {"ZBITPIX": 7}, {"ZCMPTYPE": "LZMA"}, {"ZCMPTYPE": 5}, {"TTYPE1": "DATA"},
    ],
)  # fmt: skip
def test_tiles_that_are_none_or_too_large_are_refused(refuse, cards):
    hdu = bomb(gzip.compress(bytes(20_000)))
    for key, value in cards.items():
        at = hdu.index(key.ljust(8).encode() + b"=")
        hdu = hdu[:at] + card(key, value) + hdu[at + 80 :]
    assert refuse(hdu).rule in ("fits-header", "fits-size", "fits-tiles", "fits-bitpix")


@pytest.mark.parametrize("setting", [("BLOCKSIZE", 0), ("BLOCKSIZE", -1), ("BYTEPIX", 0), ("BYTEPIX", 3)])
def test_rice_settings_that_would_never_end_are_refused(refuse, setting):
    name, value = setting
    hdu = tiled(PIXELS)
    key = f"ZVAL{1 if name == 'BLOCKSIZE' else 2}"
    at = hdu.index(key.ljust(8).encode() + b"=")
    assert refuse(hdu[:at] + card(key, value) + hdu[at + 80 :]).rule in ("fits-header", "fits-tiles")


@pytest.mark.parametrize("codec", ["RICE_1", "GZIP_1", "GZIP_2", "PLIO_1", "HCOMPRESS_1"])
def test_garbage_in_a_tile_is_refused_or_decodes_to_the_declared_shape(decode, codec):
    rng = np.random.default_rng(8)
    hdu = tiled(rng.integers(0, 99, (40, 40)).astype("i2"), codec, tile_shape=(20, 20))
    for _ in range(20):
        damaged = bytearray(hdu)
        heap = hdu.index(b"END" + b" " * 77) // 2880 * 2880 + 2880 + 4 * 8
        damaged[heap : heap + 200] = rng.bytes(200)
        with contextlib.suppress(Malformed):
            assert decode(bytes(damaged)).part("").pixels.shape == (40, 40)


def test_a_tile_that_no_codec_can_read_names_its_hdu_and_keeps_the_others(decode):
    tile = gzip.compress(bytes(19_999))
    assert decode(GOOD, bomb(tile)).problems[0].place == "HDU 2"
    with pytest.raises(Malformed, match=r"a\.fits: HDU 1: ValueError: .* \[fits-decode\]"):
        decode(bomb(tile))


def test_a_scale_of_tiles_in_the_header_is_refused_as_it_would_be_passed_over(refuse):
    hdu = bomb(gzip.compress(bytes(20_000)))
    end = b"END".ljust(80)
    assert refuse(hdu.replace(end + b" " * 80, card("ZSCALE", 2.0) + end, 1)).rule == "fits-tiles"


def test_a_setting_stated_twice_has_to_be_sound_both_times(refuse):
    hdu = tiled(PIXELS).replace(card("ZNAME2", "BYTEPIX")[:20], card("ZNAME2", "BLOCKSIZE")[:20], 1)
    at = hdu.index(b"ZVAL1   =")
    assert refuse(hdu[:at] + card("ZVAL1", 0) + hdu[at + 80 :]).rule == "fits-header"


def test_an_hcompress_stream_may_not_be_larger_than_its_tile(refuse):
    hdu = tiled(np.zeros((40, 40), "i4"), "HCOMPRESS_1", tile_shape=(20, 20))
    at = hdu.index(b"\xdd\x99")
    assert refuse(hdu[: at + 2] + struct.pack(">ii", 4000, 4000) + hdu[at + 10 :]).rule == "fits-tiles"


def test_a_plio_list_may_not_be_longer_than_what_is_stored(refuse):
    hdu = tiled(np.ones((4, 4), "i2"), "PLIO_1", tile_shape=(4, 4))
    at = hdu.index(struct.pack(">hhh", 0, 7, -100))
    assert refuse(hdu[: at + 6] + struct.pack(">hh", 32767, 100) + hdu[at + 10 :]).rule == "fits-tiles"


def test_what_is_no_image_and_no_table_is_left_out(refuse):
    assert refuse(image(PIXELS, primary=False, XTENSION="FOREIGN")).rule == "fits-kind"
    assert refuse(table({"A": ("J", cells(1))}, ZTABLE=True)).rule == "fits-kind"


def test_tiles_are_not_read_as_a_table_where_their_mark_is_damaged(refuse):
    for key in ("ZIMAGE", "ZTABLE"):
        assert refuse(table({"A": ("PJ", cells(0, 0, shape=(1, 2)))}, **{key: b"T \xff"})).rule == "fits-header"


def test_an_array_format_with_a_damaged_end_is_refused(refuse):
    assert refuse(table({"A": ("PJ", cells(0, 0, shape=(1, 2)))}, TFORM1=b"'PJ(4)  '   0")).rule == "fits-tform"
