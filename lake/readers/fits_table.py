"""Columns of FITS tables, decoded in one stride each once their layout was checked."""

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lake.readers.fits_fields import ITEMS, Field, column_name, fields, scaling
from lake.readers.fits_guard import Hdu

TEXT = re.compile(r"([AIFED])(\d{1,6})(?:\.\d+)?")
# The rows of an array column may share bytes of the heap, within reason.
MOST_SHARED = 4
# The offset that makes a stored integer the other signedness.
FLIPS = {"B": -128, "I": 1 << 15, "J": 1 << 31, "K": 1 << 63}


def binary_columns(hdu: Hdu, data: bytes) -> dict[str, NDArray[Any]]:
    """The columns of a binary table in native byte order, nulls masked, arrays of the heap as objects."""
    columns = {}
    shared = 0
    for field in fields(hdu):
        if field.pointer and field.repeat and hdu.whole("NAXIS2"):
            where = pointers(hdu, field, data)
            shared += int(where[2].sum())
            if shared > MOST_SHARED * hdu.size:
                raise hdu.malformed("fits-heap", f"{shared} bytes of arrays in a table of {hdu.size} bytes")
            columns[field.name] = _ragged(field, data, *where)
        elif field.pointer:
            columns[field.name] = _empties(field, hdu.whole("NAXIS2"))
        else:
            columns[field.name] = _physical(field, _cells(hdu, field, data))
    return columns


def _cells(hdu: Hdu, field: Field, data: bytes) -> NDArray[Any]:
    """The stored items of a column, a view of shape (rows, items)."""
    width, n_rows = hdu.axes()
    dtype = np.dtype(ITEMS[field.code])
    n_items = field.width // dtype.itemsize
    if not n_rows or not n_items:
        return np.empty((n_rows, n_items), dtype)
    return np.ndarray((n_rows, n_items), dtype, data, field.offset, (width, dtype.itemsize))


def _physical(field: Field, cells: NDArray[Any]) -> NDArray[Any]:
    """Cells of (rows, items) as values of (rows, *shape)."""
    n_rows = len(cells)
    if field.code == "A":
        return _text(cells, field.shape)
    if field.code == "X":
        bits = np.unpackbits(np.ascontiguousarray(cells), axis=1, count=field.repeat)
        return bits.astype(bool).reshape(n_rows, *field.shape)
    return values(field, cells.reshape(n_rows, *field.shape) if field.shape != cells.shape[1:] else cells)


def values(field: Field, stored: NDArray[Any]) -> NDArray[Any]:
    """Stored numbers or truths as what they mean, whatever their shape."""
    if field.code == "L":
        absent = stored == 0
        truths = stored == ord("T")
        return np.ma.masked_array(truths, absent) if absent.any() else truths
    null = None if field.null is None else stored == field.null
    result = scaled(stored, field.code, field.scale, field.zero)
    return result if null is None else np.ma.masked_array(result, null)


def scaled(stored: NDArray[Any], code: str, scale: float, zero: float, kind: Any = np.float64) -> NDArray[Any]:
    """scale × stored + zero; the other signedness of an integer where that is all it means."""
    native = stored.dtype.newbyteorder("=")
    if scale == 1 and zero == FLIPS.get(code):
        bits = stored.astype(native).view(f"u{native.itemsize}")
        bits ^= bits.dtype.type(1 << (8 * native.itemsize - 1))
        return bits.view(np.int8) if code == "B" else bits
    if (scale == 1 and zero == 0) or native.kind == "c":
        return stored.astype(native)
    result: NDArray[Any] = stored.astype(kind)
    with np.errstate(over="ignore", invalid="ignore"):
        result *= scale
        result += zero
    return result


def _text(cells: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Characters of (rows, n) as strings; a NUL ends one, blanks behind it don't count."""
    *outer, word = shape
    if not cells.size:
        return np.full((len(cells), *outer), "", "U1")
    letters = np.ascontiguousarray(cells).view(np.uint8).reshape(len(cells), *outer, word)
    ended = np.logical_or.accumulate(letters == 0, axis=-1)
    return decoded(np.where(ended, np.uint8(0), letters).view(f"S{word}")[..., 0])


def decoded(strings: NDArray[Any]) -> NDArray[Any]:
    """Byte strings as text without blanks behind."""
    return np.strings.rstrip(np.strings.decode(strings, "ascii", "replace"))


def pointers(hdu: Hdu, field: Field, data: bytes) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Items, first byte in `data` and bytes of each array of a column, all inside the heap.

    Raises
    ------
    Malformed
        One lies outside, is longer than the column says, or the rows share too much.
    """
    width, n_rows = hdu.axes()
    rows = width * n_rows
    heap_at = hdu.whole("THEAP", rows, least=rows, most=hdu.size)
    heap = hdu.size - heap_at
    dtype = np.dtype(field.pointer)
    pairs = np.ndarray((n_rows, 2), dtype, data, field.offset, (width, dtype.itemsize)).astype(np.int64)
    count, offset = pairs[:, 0], np.where(pairs[:, 0] == 0, 0, pairs[:, 1])
    longest = 8 * heap if field.most is None else min(field.most, 8 * heap)
    if (count < 0).any() or (count > longest).any() or (offset < 0).any() or (offset > heap).any():
        raise hdu.malformed("fits-heap", f"{field.name}: an array outside its heap of {heap} bytes")
    n_bytes = -(-count // 8) if field.code == "X" else count * np.dtype(ITEMS[field.code]).itemsize
    if (offset + n_bytes > heap).any():
        raise hdu.malformed("fits-heap", f"{field.name}: an array ends outside its heap of {heap} bytes")
    if n_bytes.sum() > MOST_SHARED * heap:
        raise hdu.malformed("fits-heap", f"{field.name}: {n_bytes.sum()} bytes of arrays in a heap of {heap} bytes")
    return count, offset + heap_at, n_bytes


def _empties(field: Field, n_rows: int) -> NDArray[Any]:
    """An empty array a row, of a column that has no pointers."""
    result = np.empty(n_rows, object)
    for i in range(n_rows):
        result[i] = np.empty(0, np.dtype(ITEMS[field.code]).newbyteorder("="))
    return result


def _ragged(
    field: Field, data: bytes, count: NDArray[np.int64], start: NDArray[np.int64], n_bytes: NDArray[np.int64]
) -> NDArray[Any]:
    """The arrays of a column, one object a row; text as one string a row."""
    result = np.empty(len(count), object)
    whole = memoryview(data)
    pieces = [whole[a : a + n] for a, n in zip(start.tolist(), n_bytes.tolist(), strict=True)]
    if field.code == "A":
        result[:] = [bytes(piece).partition(b"\0")[0].decode("ascii", "replace").rstrip() for piece in pieces]
    elif field.code == "X":
        for i, piece in enumerate(pieces):
            result[i] = np.unpackbits(np.frombuffer(piece, np.uint8), count=int(count[i])).astype(bool)
    else:
        flat = values(field, np.frombuffer(b"".join(pieces), ITEMS[field.code]))
        ends = np.cumsum(count)
        for i, (first, last) in enumerate(zip((ends - count).tolist(), ends.tolist(), strict=True)):
            result[i] = flat[first:last]
    return result


def text_columns(hdu: Hdu, data: bytes) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """The columns of an ASCII table and their units; an empty number is 0, as FITS has it."""
    if len(hdu.axes()) != 2 or hdu.item_bytes() != 1:
        raise hdu.malformed("fits-axes", f"found {len(hdu.axes())} axes, expected rows of characters")
    width, n_rows = hdu.axes()
    columns: dict[str, NDArray[Any]] = {}
    units = {}
    used = 0
    for i in range(1, hdu.whole("TFIELDS", most=999) + 1):
        form = str(hdu.header.get(f"TFORM{i}", "")).strip().upper()
        first = hdu.whole(f"TBCOL{i}", least=1) - 1
        match = TEXT.fullmatch(form)
        if not match or first + int(match[2]) > width or not int(match[2]):
            raise hdu.malformed("fits-tform", f"found TFORM{i} = {form!r}, expected text within rows of {width} bytes")
        used += int(match[2])
        if used > width:
            raise hdu.malformed("fits-tform", f"found columns of {used} bytes or more, expected rows of {width} bytes")
        name = column_name(hdu, i, set(columns))
        cells = np.ndarray((n_rows,), f"S{int(match[2])}", data, first, (width,)) if n_rows else np.empty(0, "S1")
        columns[name] = decoded(cells) if match[1] == "A" else _numbers(hdu, i, match[1], cells)
        units[name] = str(hdu.header.get(f"TUNIT{i}") or "").strip()
    return columns, units


def _numbers(hdu: Hdu, i: int, code: str, cells: NDArray[Any]) -> NDArray[Any]:
    """Numbers written as text, those that spell TNULL masked."""
    words: NDArray[Any] = np.strings.strip(cells)
    null = hdu.header.get(f"TNULL{i}")
    is_null = words == str(null).strip().encode("ascii") if null is not None else np.zeros(len(words), bool)
    words = np.where(is_null | (words == b""), b"0", _with_e(words))
    stored = words.astype(np.int64 if code == "I" else np.float64)
    result = scaled(stored, "", *scaling(hdu, f"TSCAL{i}", f"TZERO{i}"))
    return result if null is None else np.ma.masked_array(result, is_null)


def _with_e(words: NDArray[Any]) -> NDArray[Any]:
    """Numbers with the exponent letter that everybody reads, in place of Fortran's D."""
    return np.asarray(np.strings.replace(np.strings.upper(words), b"D", b"E"))
