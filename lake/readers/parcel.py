"""What a reader found, as two files: the way from a child process to its parent, without a pickle.

Numbers and fixed-width text are `.npy` arrays one after another in the first file; all else is JSON in the second,
which names the arrays in their order. Reading a parcel runs no code of whoever made it.
"""

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib.format import read_array, write_array
from numpy.typing import NDArray

from lake.source import Content, Part, Problem

ARRAYS, WORDS = "arrays", "words"
Json = Any


def pack(content: Content, folder: Path) -> None:
    """Write what was found into a folder, in the place of an earlier parcel.

    Raises
    ------
    TypeError, ValueError
        A value is of a kind that no reader gives.
    """
    with (folder / ARRAYS).open("wb") as arrays:
        words = {
            "header": _mapping(content.header),
            "parts": [_part(part, arrays) for part in content.parts],
            "problems": [[p.place, p.reason, p.count] for p in content.problems],
        }
    (folder / WORDS).write_text(json.dumps(words), encoding="ascii")


def unpack(folder: Path) -> Content:
    """What a parcel holds, in arrays of its own; the two files are taken away.

    Raises
    ------
    ValueError, TypeError, KeyError, OSError
        It is not what `pack` writes.
    """
    words = json.loads((folder / WORDS).read_bytes())
    with (folder / ARRAYS).open("rb") as arrays:
        parts = tuple(_unpacked_part(part, arrays) for part in words["parts"])
    for name in (WORDS, ARRAYS):
        (folder / name).unlink()
    return Content(_unpacked_mapping(words["header"]), parts, tuple(Problem(*p) for p in words["problems"]))


def _part(part: Part, arrays: IO[bytes]) -> Json:
    return {
        "name": part.name,
        "version": part.version,
        "header": _mapping(part.header),
        "units": dict(part.units),
        "columns": {name: _array(column, arrays) for name, column in part.columns.items()},
        "pixels": None if part.pixels is None else _array(part.pixels, arrays),
    }


def _unpacked_part(words: Json, arrays: IO[bytes]) -> Part:
    header = _unpacked_mapping(words["header"])
    columns = {name: _unpacked_array(column, arrays) for name, column in words["columns"].items()}
    pixels = None if words["pixels"] is None else _unpacked_array(words["pixels"], arrays)
    return Part(words["name"], words["version"], header, columns, words["units"], pixels)


def _mapping(values: Any) -> Json:
    return {key: _word(value) for key, value in values.items()}


def _unpacked_mapping(words: Json) -> dict[str, Any]:
    return {key: _unpacked_word(word) for key, word in words.items()}


def _word(value: Any) -> Json:
    """A header value as JSON; NaN and infinities in the spelling that Python's reads back."""
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode("ascii")}
    if value is None or isinstance(value, str | int | float):
        return value
    raise TypeError(f"found a {type(value).__name__}, expected text, a number or None")


def _unpacked_word(word: Json) -> Any:
    return base64.b64decode(word["bytes"]) if isinstance(word, dict) else word


def _array(array: NDArray[Any], arrays: IO[bytes]) -> Json:
    """How an array was written: `plain`, or a list that begins with its kind."""
    if isinstance(array, np.ma.MaskedArray):
        mask = None if array.mask is np.ma.nomask else _array(np.ma.getmaskarray(array), arrays)
        return ["masked", mask, _array(array.data, arrays)]
    if array.dtype.kind != "O":
        write_array(arrays, np.asarray(array), allow_pickle=False)
        return "plain"
    items = list(array.flat)
    if not _is_ragged(items):
        return ["objects", array.shape, [_item(item, arrays) for item in items]]
    joined: Any = np.ma.concatenate if isinstance(items[0], np.ma.MaskedArray) else np.concatenate
    lengths = _array(np.array([len(item) for item in items]), arrays)
    return ["ragged", array.shape, lengths, _array(joined(items), arrays)]


def _is_ragged(items: Sequence[Any]) -> bool:
    """Whether these are the rows of one flat array."""
    return bool(items) and all(
        isinstance(item, np.ndarray)
        and item.ndim == 1
        and item.dtype.kind != "O"
        and (type(item), item.dtype) == (type(items[0]), items[0].dtype)
        for item in items
    )


def _item(item: Any, arrays: IO[bytes]) -> Json:
    """One object of an array: a word, or an array in a list."""
    return [_array(item, arrays)] if isinstance(item, np.ndarray) else _word(item)


def _unpacked_array(words: Json, arrays: IO[bytes]) -> NDArray[Any]:
    if words == "plain":
        found: NDArray[Any] = read_array(arrays, allow_pickle=False)
        return found
    kind, *rest = words
    if kind == "masked":
        mask = np.ma.nomask if rest[0] is None else _unpacked_array(rest[0], arrays)
        return np.ma.MaskedArray(_unpacked_array(rest[1], arrays), mask)
    shape, *rest = rest
    found = np.empty(int(np.prod(shape, dtype=np.int64)), object)
    if kind == "ragged":
        lengths = _unpacked_array(rest[0], arrays)
        flat = _unpacked_array(rest[1], arrays)
        ends = np.cumsum(lengths)
        for i, (first, last) in enumerate(zip((ends - lengths).tolist(), ends.tolist(), strict=True)):
            found[i] = flat[first:last]
    else:
        for i, item in enumerate(rest[0]):
            found[i] = _unpacked_array(item[0], arrays) if isinstance(item, list) else _unpacked_word(item)
    return found.reshape(shape)
