"""netCDF of both kinds: HDF5 beneath netCDF-4, and the classic format."""

import math
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import h5py
import numpy as np
from numpy.typing import NDArray

from lake.errors import Malformed, TooLarge
from lake.readers.netcdf_classic import ClassicVariable, classic
from lake.readers.netcdf_guard import check_length, check_storage, datasets, unwritten
from lake.source import Content, Part, Problem

MOST_BYTES = 4 << 30
MOST_RATIO = 1_032  # deflate cannot do better
SMALL = 64 << 20
MOST_TEXT = 256 << 20
MOST_ATTRIBUTE = 1_000
HDF5 = b"\x89HDF\r\n\x1a\n"
CLASSIC = b"CDF"
NO_VARIABLE = b"This is a netCDF dimension but not a netCDF variable"
INTERNAL = ("CLASS", "NAME", "DIMENSION_LIST", "REFERENCE_LIST", "_Netcdf4Dimid", "_Netcdf4Coordinates")
MICROSECONDS = {
    word: factor
    for factor, words in (
        (86_400_000_000, "d day days"),
        (3_600_000_000, "h hr hrs hour hours"),
        (60_000_000, "min mins minute minutes"),
        (1_000_000, "s sec secs second seconds"),
        (1_000, "ms msec msecs millisecond milliseconds"),
        (1, "us microsec microsecs microsecond microseconds"),
    )
    for word in words.split()
}
PROLEPTIC = "proleptic_gregorian"
CALENDARS = ("standard", "gregorian", PROLEPTIC, "utc")
REFORM = np.datetime64("1582-10-15")  # before it the other calendars count other days
SINCE = re.compile(
    r"(\w+) since (\d{1,4})-(\d\d?)-(\d\d?)(?:[T ]+(\d\d?):(\d\d?)(?::([\d.]+))?)? *(?:UTC|Z|\+?00?:?00)?"
)


@dataclass(frozen=True)
class Variable:
    """One variable as the file has it."""

    name: str
    dims: tuple[str, ...]
    values: NDArray[Any]
    attributes: Mapping[str, Any]


def recognises(head: bytes) -> bool:
    """Whether a file starts as HDF5 or as classic netCDF does."""
    return head.startswith(HDF5) or (head[:3] == CLASSIC and head[3:4] in (b"\1", b"\2", b"\5"))


def read(stream: BinaryIO, name: str) -> Content:
    """The variables of a netCDF file, as one table for each leading dimension.

    Parameters
    ----------
    stream : the inflated file, seekable.
    name : for messages.

    Returns
    -------
    Content
        Global attributes and scalar variables as header. One part for each leading dimension: unnamed for `time`,
        else with the dimension's name. Variables with one or two dimensions are columns, those with more a part of
        their own with pixels. CF times are UTC instants, which know no leap seconds; those that count from before the
        Gregorian reform stay numbers, as calendars differ there. A fill value is null, and so is what was never
        written. Scale and offset are applied; `valid_range` is not. Other attributes are in the part's header, as
        `variable:attribute`.

    Raises
    ------
    Malformed
        The header contradicts the length of the file.
    TooLarge
        It declares more than 4 GiB, or than its bytes can be inflated to, a chunk above 64 MiB, or 10,000 objects.
    Forbidden
        It refers to other files, or asks for a filter other than deflate, shuffle and Fletcher-32.
    """
    magic = stream.read(8)
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    problems: list[Problem] = []
    if magic == HDF5:
        check_length(stream, size, name)
        with h5py.File(stream, "r") as file:
            header = _plain(file.attrs)
            variables = list(_hdf5_variables(file, size, name, problems))
    elif magic[:3] == CLASSIC:
        attributes, found = classic(stream.read(), name)
        header = {key: _word(value) for key, value in attributes.items()}
        variables = [_classic_variable(*pair) for pair in found]
    else:
        raise Malformed(name, "netcdf-magic", f"found {magic!r}, expected an HDF5 or classic netCDF signature")
    scalars = {v.name: _word(_decoded(v, name)[()]) for v in variables if not v.dims}
    return Content(header | scalars, tuple(_parts([v for v in variables if v.dims], name)), tuple(problems))


def read_plain(stream: BinaryIO, name: str) -> Content | None:
    """The same of a classic file, which NumPy decodes; None for HDF5."""
    magic = stream.read(len(HDF5))
    stream.seek(0)
    return None if magic == HDF5 else read(stream, name)


def _parts(variables: list[Variable], name: str) -> Iterator[Part]:
    """Tables by leading dimension, `time` first, and the cubes."""
    leading = sorted({v.dims[0] for v in variables}, key=lambda dim: _part_name(dim) != "")
    for dim in leading:
        group = [v for v in variables if v.dims[0] == dim]
        flat = {v.name: v for v in group if len(v.dims) <= 2}
        columns = {key: _decoded(v, name) for key, v in flat.items()}
        units = {key: str(v.attributes["units"]) for key, v in flat.items() if "units" in v.attributes}
        units = {key: unit for key, unit in units.items() if columns[key].dtype.kind != "M"}
        if columns:
            yield Part(_part_name(dim), header=_notes(flat.values()), columns=columns, units=units)
        for cube in (v for v in group if len(v.dims) > 2):
            instants = {key: column for key, column in columns.items() if column.ndim == 1}
            units = {"pixels": str(cube.attributes["units"])} if "units" in cube.attributes else {}
            pixels = _decoded(cube, name)
            yield Part(cube.name, header=_notes([cube]), columns=instants, units=units, pixels=pixels)


def _part_name(dim: str) -> str:
    return "" if dim.lower() == "time" else dim


def _notes(variables: Any) -> dict[str, Any]:
    return {f"{v.name}:{key}": value for v in variables for key, value in v.attributes.items() if key != "units"}


def _decoded(variable: Variable, name: str) -> NDArray[Any]:
    """Physical values: text as strings, fill as null, scaled, times as instants."""
    values, words = np.ma.getdata(variable.values), variable.attributes
    if values.dtype.kind in "SO":
        return _strings(values)
    if str(words.get("_Unsigned", "")).lower() == "true" and values.dtype.kind == "i":
        values = values.view(values.dtype.str.replace("i", "u"))
    absent = np.ma.getmaskarray(variable.values).copy()
    for fill in (words[key] for key in ("_FillValue", "missing_value") if isinstance(words.get(key), int | float)):
        with np.errstate(over="ignore", invalid="ignore"):  # a fill value may lie beyond its variable's type
            absent |= np.isnan(values) if fill != fill else values == np.asarray(fill).astype(values.dtype)
    scale, offset = words.get("scale_factor", 1), words.get("add_offset", 0)
    if not all(isinstance(number, int | float) and math.isfinite(number) for number in (scale, offset)) or scale == 0:
        detail = f"{variable.name}: found scale {scale!r} and offset {offset!r}, expected finite numbers, scale not 0"
        raise Malformed(name, "netcdf-scale", detail)
    if (scale, offset) != (1, 0):
        values = values * float(scale) + float(offset)
    stated = SINCE.fullmatch(str(words.get("units", "")).strip())
    if stated and stated[1].lower() in MICROSECONDS:
        calendar = str(words.get("calendar", CALENDARS[0])).lower()
        epoch = _epoch(stated)
        if calendar in CALENDARS and (epoch >= REFORM or calendar == PROLEPTIC):
            values, absent = _instants(values, absent, epoch, MICROSECONDS[stated[1].lower()])
    return np.ma.MaskedArray(values, absent) if absent.any() else values


def _epoch(stated: re.Match[str]) -> np.datetime64:
    """The instant that units count from."""
    year, month, day, hour, minute = (int(word or 0) for word in stated.groups()[1:6])
    epoch = np.datetime64(f"{year:04}-{month:02}-{day:02}", "us")
    return epoch + np.timedelta64((hour * 60 + minute) * 60_000_000 + round(float(stated[7] or 0) * 1e6), "us")


def _instants(
    values: NDArray[Any], absent: NDArray[Any], epoch: np.datetime64, factor: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    """UTC instants from numbers of so many microseconds, null where they are beyond all that an instant can be."""
    absent = absent | ~(np.abs(values.astype(np.float64)) < 2**62 / factor)
    kept = np.where(absent, 0, values)
    counts = kept.astype(np.int64) * factor if values.dtype.kind in "iu" else np.rint(kept * float(factor))
    return epoch + counts.astype(np.int64).astype("m8[us]"), absent


def _strings(values: NDArray[Any]) -> NDArray[Any]:
    """Text as Python strings; characters of a classic file are joined along their last axis."""
    if values.dtype == "S1" and values.ndim > 0:
        joined = np.ascontiguousarray(values).view(f"S{max(values.shape[-1], 1)}")
        values = joined[..., 0] if values.shape[-1] else np.zeros(values.shape[:-1], "S1")
    texts = np.empty(values.shape, object)
    for place, value in enumerate(values.flat):
        texts.flat[place] = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    return texts


def _plain(attributes: h5py.AttributeManager) -> dict[str, Any]:
    """Attributes as plain Python; those that only link dimensions, and what is too long, are left out."""
    keys = (key for key in attributes if key not in INTERNAL)
    return {k: _word(attributes[k]) for k in keys if math.prod(attributes.get_id(k).shape or ()) <= MOST_ATTRIBUTE}


def _word(value: Any) -> Any:
    """One attribute as a string, a number, or numbers in a string; None for what is neither."""
    if value is np.ma.masked:
        return None
    if isinstance(value, np.ndarray):
        items = [_word(item) for item in value.flat]
        return items[0] if len(items) == 1 else " ".join(str(item) for item in items)
    if isinstance(value, np.datetime64):
        return str(value)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str | int | float | bool) else None


def _hdf5_variables(file: h5py.File, size: int, name: str, problems: list[Problem]) -> Iterator[Variable]:
    """The datasets, each checked before any is read."""
    found = list(datasets(file, name))
    for dataset in found:
        check_storage(dataset, size, name)
    total = sum(_n_bytes(dataset) for dataset in found)
    if total > MOST_BYTES or (total > SMALL and total > MOST_RATIO * size):
        raise TooLarge(name, "hdf5-size", f"found {total} bytes declared by a file of {size}")
    for dataset in found:
        path = dataset.name.strip("/")
        if bytes(dataset.attrs.get("NAME", b"") or b"").startswith(NO_VARIABLE) or dataset.shape is None:
            continue
        if dataset.dtype.kind not in "iufS" and not h5py.check_string_dtype(dataset.dtype):
            problems.append(Problem(path, f"found {dataset.dtype}, expected numbers or text"))
            continue
        yield Variable(path, _dims(dataset), _values(dataset, size, name), _plain(dataset.attrs))


def _n_bytes(dataset: h5py.Dataset) -> int:
    return int(math.prod(dataset.shape or ()) * dataset.dtype.itemsize)


def _dims(dataset: h5py.Dataset) -> tuple[str, ...]:
    """Names of the dimensions; the length where there is no name."""
    if dataset.is_scale and dataset.ndim == 1:
        return (dataset.name.strip("/"),)
    return tuple(d[0].name.strip("/") if len(d) else str(n) for d, n in zip(dataset.dims, dataset.shape, strict=True))


def _values(dataset: h5py.Dataset, size: int, name: str) -> NDArray[Any]:
    """All values in native byte order; text in blocks, as many entries may share one long string of the heap."""
    if dataset.dtype.kind != "O" or dataset.ndim == 0:
        values: NDArray[Any] = np.asarray(dataset[()])
        values = values.astype(values.dtype.newbyteorder("="), copy=False)
        absent = unwritten(dataset)
        return values if absent is None else np.ma.MaskedArray(values, absent)
    blocks, length = [], 0
    n_rows = max(1, MOST_TEXT // max(size * math.prod(dataset.shape[1:]), 1))
    for start in range(0, dataset.shape[0], n_rows):
        blocks.append(np.asarray(dataset[start : start + n_rows], object))
        length += sum(len(text or "") for text in blocks[-1].flat)
        if length > MOST_TEXT:
            raise TooLarge(name, "hdf5-text", f"{dataset.name} holds more than {MOST_TEXT} bytes of text")
    return np.concatenate(blocks) if blocks else np.empty(dataset.shape, object)


def _classic_variable(found: ClassicVariable, values: NDArray[Any]) -> Variable:
    """A variable of a classic file; the length of its texts is no dimension of them."""
    dims = found.dims[:-1] if values.dtype == "S1" else found.dims
    return Variable(found.name, dims, values, {key: _word(value) for key, value in found.attributes.items()})
