"""CDF: variables that vary by record, tied to the epoch that each depends on."""

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import cdflib
import numpy as np
from numpy.typing import NDArray

from lake.clocks import cdf_epoch16_to_utc, cdf_epoch_to_utc, tt2000_to_utc
from lake.readers.cdf_guard import MAGIC, PACKED, PLAIN, check, unpacked
from lake.source import Content, Part

EPOCH, EPOCH16, TT2000, CHAR, UCHAR = 31, 32, 33, 51, 52
CPU_S = 20
LATEST_MS = 315_569_519_999_000  # 9999-12-31, a fill value of some archives and past all data


@dataclass(frozen=True)
class Variable:
    """One variable as the file has it, epochs as instants and characters as strings."""

    name: str
    varies: bool
    values: NDArray[Any]
    attributes: Mapping[str, Any]


def recognises(head: bytes) -> bool:
    """Whether a file starts as a CDF of version 2.6 or later does, compressed or not."""
    return head[:4] in MAGIC and head[4:8] in (PLAIN, PACKED)


def read(stream: BinaryIO, name: str) -> Content:
    """The variables of a CDF, one part for each epoch that others depend on.

    Parameters
    ----------
    stream : the inflated file.
    name : for messages.

    Returns
    -------
    Content
        Global attributes and constants as header. Variables with one or two dimensions, the record the first, are
        columns; each with more is the pixels of a part of its own, beside the same columns. `time` is the epoch of
        the records, or, where that variable is empty, the unix time that DEPEND_TIME names. Such a part is unnamed
        if the file has one only, else named after its variable or epoch; variables without an epoch and with a
        length of their own, and those that do not vary, are parts of their own name.
        Epochs are UTC instants, a leap second being the instant after it. FILLVAL is null in columns and NaN in
        floating pixels; in integer pixels, where it may be a saturated count, it stays. Other attributes are in the
        part's header as `variable:ATTRIBUTE`.

    Raises
    ------
    Malformed
        Its records contradict each other or the length of the file.
    TooLarge
        It declares more than 4 GiB, or inflates to more than it declares.
    """
    data = unpacked(stream.read(), name)
    check(memoryview(data), name)
    with tempfile.NamedTemporaryFile(suffix=".cdf") as spool:
        spool.write(data)
        spool.flush()
        header, variables = _variables(Path(spool.name))
    constants = {v.name: _word(v.values[()]) for v in variables if not v.varies and v.values.ndim == 0}
    return Content(header | constants, tuple(_parts([v for v in variables if v.values.ndim])))


def _variables(path: Path) -> tuple[dict[str, Any], list[Variable]]:
    """Global attributes, and all variables that have records."""
    file = cdflib.CDF(path, string_encoding="latin-1")
    info = file.cdf_info()
    header = {key: _word(values) for key, values in file.globalattsget().items()}
    variables = []
    for name in (*info.zVariables, *info.rVariables):
        about = file.varinq(name)
        values = file.varget(name) if about.Last_Rec >= 0 else None
        if values is not None:
            words = {key: _word(value) for key, value in file.varattsget(name).items()}
            decoded = _decoded(np.asarray(values), about.Data_Type)
            variables.append(Variable(name, about.Rec_Vary, decoded, words))
    return header, variables


def _decoded(values: NDArray[Any], code: int) -> NDArray[Any]:
    """Epochs as instants, characters as strings, numbers in this machine's byte order."""
    if code in (EPOCH, EPOCH16, TT2000):
        return _instants(values, code)
    if code in (CHAR, UCHAR):
        texts = np.empty(values.shape, object)
        for place, value in enumerate(values.flat):
            texts.flat[place] = _word(value)
        return texts
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def _instants(values: NDArray[Any], code: int) -> NDArray[Any]:
    """UTC instants; null where an epoch is a fill value or was never written."""
    if code == TT2000:
        utc = tt2000_to_utc(values)
        return _masked(utc, np.isnat(utc))
    ms = values.real * 1e3 if code == EPOCH16 else values
    absent = ~((ms > 0) & (ms < LATEST_MS))
    utc = (cdf_epoch16_to_utc if code == EPOCH16 else cdf_epoch_to_utc)(values)
    return _masked(utc, absent | np.isnat(utc))


def _masked(values: NDArray[Any], absent: NDArray[Any]) -> NDArray[Any]:
    return np.ma.MaskedArray(values, absent) if np.any(absent) else values


def _parts(variables: list[Variable]) -> Iterator[Part]:
    """One part for each epoch and cube, then the variables that depend on none."""
    groups = _groups(variables)
    tables = [(epoch, members, [v for v in members if v.values.ndim > 2]) for epoch, members in groups.items()]
    alone = sum(max(len(cubes), 1) for _, _, cubes in tables) == 1
    for epoch, members, cubes in tables:
        columns = _columns(epoch, members, variables)
        if not cubes:
            yield Part("" if alone else epoch, header=_notes(members), columns=columns, units=_units(members))
        for cube in cubes:
            kept = [v for v in members if v.values.ndim <= 2 or v is cube]
            units, pixels = _units(kept, cube), _filled(cube)
            yield Part("" if alone else cube.name, 1, _notes(kept), columns, units, pixels)
    taken = {v.name for members in groups.values() for v in members}
    for v in variables:
        if v.name not in taken:
            yield _own_part(v)


def _groups(variables: list[Variable]) -> dict[str, list[Variable]]:
    """Variables by the epoch they depend on; those without one go where only one group has their length."""
    varying = [v for v in variables if v.varies]
    groups: dict[str, list[Variable]] = {}
    for v in varying:
        if (epoch := v.attributes.get("DEPEND_0")) and epoch != v.name:
            members = groups.setdefault(str(epoch), [])
            if not members or len(members[0].values) == len(v.values):
                members.append(v)
    taken = {v.name for members in groups.values() for v in members}
    for v in varying:
        if v.name in taken:
            continue
        fitting = [epoch for epoch, members in groups.items() if len(members[0].values) == len(v.values)]
        if v.name in fitting or (v.name not in groups and len(fitting) == 1 and "DEPEND_0" not in v.attributes):
            groups[v.name if v.name in fitting else fitting[0]].append(v)
    return groups


def _columns(epoch: str, members: list[Variable], variables: list[Variable]) -> dict[str, NDArray[Any]]:
    """The columns of one epoch, its instants among them as `time` and under the epoch's own name."""
    columns = {v.name: _nulled(v) for v in members if v.values.ndim <= 2}
    instants = columns.get(epoch)
    if instants is None or np.ma.getmaskarray(instants).all():
        unix = next((str(v.attributes["DEPEND_TIME"]) for v in members if "DEPEND_TIME" in v.attributes), "")
        seconds = next((v.values for v in variables if v.name == unix), None)
        if seconds is None or seconds.dtype.kind not in "iuf" or seconds.shape != members[0].values.shape[:1]:
            return columns
        known = np.isfinite(seconds) & (np.abs(seconds) < 1e11)
        count = np.rint(np.where(known, seconds, 0) * 1e6).astype(np.int64)
        instants = columns[epoch] = _masked(count.astype("M8[us]"), ~known)
    return columns if "time" in columns else columns | {"time": instants}


def _nulled(v: Variable) -> NDArray[Any]:
    """A column, null at its FILLVAL."""
    fill = v.attributes.get("FILLVAL")
    if v.values.dtype.kind not in "iuf" or not isinstance(fill, int | float):
        return v.values
    if v.values.dtype.kind in "iu":
        return _masked(v.values, v.values == fill)
    with np.errstate(over="ignore"):  # no value of four bytes equals what overflows them
        fill = v.values.dtype.type(fill)
    return _masked(v.values, np.isnan(v.values) if fill != fill else v.values == fill)


def _filled(v: Variable) -> NDArray[Any]:
    """Pixels, NaN at the FILLVAL of floating ones."""
    nulled = _nulled(v) if v.values.dtype.kind == "f" else v.values
    return nulled.filled(np.nan) if isinstance(nulled, np.ma.MaskedArray) else nulled


def _own_part(v: Variable) -> Part:
    """A variable by itself: constants with two dimensions or more are pixels."""
    if v.values.ndim > (2 if v.varies else 1):
        return Part(v.name, header=_notes([v]), units=_units([v], v), pixels=_filled(v))
    return Part(v.name, header=_notes([v]), columns={v.name: _nulled(v)}, units=_units([v]))


def _units(variables: Iterable[Variable], pixels: Variable | None = None) -> dict[str, str]:
    """The units that variables state; instants have none, whatever the file says."""
    stated = (v for v in variables if v.attributes.get("UNITS") and v.values.dtype.kind != "M")
    return {"pixels" if v is pixels else v.name: str(v.attributes["UNITS"]).strip() for v in stated}


def _notes(variables: Iterable[Variable]) -> dict[str, Any]:
    return {f"{v.name}:{key}": word for v in variables for key, word in v.attributes.items() if key != "UNITS"}


def _word(value: Any) -> Any:
    """One attribute as a string, a number, or several joined; None for what is neither."""
    if value is np.ma.masked:
        return None
    if isinstance(value, list | np.ndarray):
        items = [_word(item) for item in value]
        return items[0] if len(items) == 1 else "\n".join(str(item) for item in items)
    if isinstance(value, np.datetime64):
        return str(value)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, str):
        try:  # archives write either encoding
            return value.encode("latin-1").decode("utf-8").rstrip()
        except UnicodeError:
            return value.rstrip()
    return value if isinstance(value, int | float | bool) else None
