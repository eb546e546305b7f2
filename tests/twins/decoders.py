"""Files as the libraries of their formats decode them, with none of the readers' own code between."""

import bz2
import contextlib
import gzip
import json
import re
import tempfile
import warnings
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import cdflib
import cftime
import h5py
import netCDF4
import numpy as np
import orjson
from astropy.io import fits
from numpy.typing import NDArray
from PIL import Image
from scipy.io import netcdf_file

Part = dict[str, NDArray[Any]]


def decoded(data: bytes) -> list[Part]:
    """The tables and images that a library finds, those left out on which it chokes.

    Columns have their own names, an image is called `pixels`; all of a netCDF or CDF is one part.
    """
    data = inflated(data)
    known = (
        (b"SIMPLE", _fits), (b"P5", _pgm), (b"\x89PNG", _image), (b"\xff\xd8", _image), (b"\0\0\0\x0cjP", _image),
        (b"\x89HDF", _hdf5), (b"CDF", _classic), (b"\xcd\xf3", _cdf),
    )  # fmt: skip
    decode = next((decode for magic, decode in known if data.startswith(magic)), _lines)
    if data.lstrip().startswith(b"["):
        decode = _records
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return list(decode(data))


def inflated(data: bytes) -> bytes:
    """A file without one layer of compression."""
    if data.startswith(b"\x1f\x8b"):
        return gzip.decompress(data)
    return bz2.decompress(data) if data.startswith(b"BZh") else data


def wrong_sums(data: bytes) -> int:
    """HDUs of a FITS file whose data differ from their DATASUM; 0 as well where Astropy cannot tell."""
    wrong = 0
    with warnings.catch_warnings(), contextlib.suppress(Exception):
        warnings.simplefilter("ignore")
        with fits.open(BytesIO(data), memmap=False, disable_image_compression=True) as hdus:
            for hdu in _each(hdus):
                wrong += str(hdu.header.get("DATASUM", "")).strip().isdigit() and hdu.verify_datasum() == 0
    return wrong


def _fits(data: bytes) -> Iterator[Part]:
    with fits.open(BytesIO(data), memmap=False) as hdus:
        for hdu in _each(hdus):
            with contextlib.suppress(Exception):  # of this HDU alone
                if isinstance(hdu, fits.BinTableHDU | fits.TableHDU):
                    yield {c: np.asarray(hdu.data[c]) for c in hdu.columns.names}
                elif hdu.data is not None:
                    yield {"pixels": np.asarray(hdu.data)}


def _each(hdus: fits.HDUList) -> Iterator[Any]:
    """The HDUs up to one that Astropy cannot make out."""
    with contextlib.suppress(Exception):
        for number in range(1024):
            yield hdus[number]


def _pgm(data: bytes) -> Iterator[Part]:
    """Whatever looks like a frame, each by itself."""
    at = -1
    while (at := data.find(b"P5", at + 1)) >= 0:
        try:
            image = Image.open(BytesIO(data[at:]), formats=["PPM"])
        except (OSError, ValueError, Image.DecompressionBombError):
            continue
        tile = image.tile[0]
        maxval = tile.args[1] if tile.codec_name == "ppm" else {"L": 255}.get(image.mode, 65535)
        dtype = np.dtype(">u2" if maxval > 255 else "u1")
        first, n = at + tile.offset, image.width * image.height
        if first + n * dtype.itemsize <= len(data):
            yield {"pixels": np.frombuffer(data, dtype, n, first).reshape(image.height, image.width)}


def _image(data: bytes) -> Iterator[Part]:
    pixels = np.asarray(Image.open(BytesIO(data), formats=["PNG", "JPEG", "JPEG2000"]))
    size = data.find(b"\xff\x4f\xff\x51")
    is_signed = data.startswith(b"\0\0\0\x0cjP") and data[size + 42] & 0x80
    # Pillow adds half the range to signed values.
    yield {"pixels": (pixels ^ np.uint8(0x80)).view("i1") if is_signed and pixels.dtype == "u1" else pixels}


def _hdf5(data: bytes) -> Iterator[Part]:
    found: Part = {}

    def note(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.shape is not None:
            found[name] = _meant(np.asarray(item[()]), dict(item.attrs))

    with h5py.File(BytesIO(data), "r") as file:
        file.visititems(note)
    yield found


def _classic(data: bytes) -> Iterator[Part]:
    """By SciPy, or by the C library where SciPy knows less than the format allows."""
    try:
        file = netcdf_file(BytesIO(data), mmap=False)
    except Exception:
        with netCDF4.Dataset("memory", memory=data) as other:
            other.set_auto_maskandscale(False)
            other.set_auto_chartostring(False)
            yield {name: _meant(np.asarray(v[...]), v.__dict__) for name, v in other.variables.items()}
        return
    with file:
        variables = file.variables.items()
        yield {name: _meant(v[...].copy() if v.shape else v.getValue(), v._attributes) for name, v in variables}


def _meant(stored: NDArray[Any], words: dict[str, Any]) -> NDArray[Any]:
    """Stored values scaled, and dated where they count from an instant."""
    words = {k: word.decode("utf-8", "replace") if isinstance(word, bytes) else word for k, word in words.items()}
    values = np.asarray(stored)
    if values.dtype.kind not in "iuf":
        return values
    if str(words.get("_Unsigned", "")).lower() == "true":
        values = values.view(values.dtype.str.replace("i", "u"))
    scale, offset = (float(np.ravel(words.get(key, n))[0]) for key, n in (("scale_factor", 1), ("add_offset", 0)))
    values = values if (scale, offset) == (1, 0) else values * scale + offset
    units = str(words.get("units", ""))
    if " since " not in units:
        return values
    try:
        epoch, later = (np.datetime64(str(cftime.num2date(n, units)).replace(" ", "T"), "us") for n in (0, 1))
    except (ValueError, TypeError):
        return values
    known = np.isfinite(values) & (np.abs(values) < 1e15)
    steps = np.where(known, values, 0) * (later - epoch).astype(np.int64).astype(float)
    return epoch + np.rint(np.clip(steps, -9e18, 9e18)).astype("m8[us]")


def _records(data: bytes) -> Iterator[Part]:
    """By the Rust library orjson."""
    rows = orjson.loads(data)
    found = {key: [row[key] for row in rows] for key in rows[0]}
    for key, values in found.items():
        if all(v is None or type(v) in (int, float) for v in values):
            found[key] = np.array(values, float)
        else:
            found[key] = np.array([v if isinstance(v, str) else "" if v is None else json.dumps(v) for v in values])
    yield found


def _lines(data: bytes) -> Iterator[Part]:
    """Lines of two-line elements whose checksum is right as the package sgp4 works it out, and all others."""
    from sgp4.io import compute_checksum

    lines = re.split("\r\n|[\n\r\v\f\x1c\x1d\x1e]", data.decode("ascii"))
    lines = lines[:-1] if not lines[-1] else lines
    is_own = [line[:2].strip() in ("1", "2") for line in lines]
    whole = [len(line.rstrip()) == 69 and str(compute_checksum(line)) == line[68] for line in lines]
    yield {"line": np.array([line for line, own, ok in zip(lines, is_own, whole, strict=True) if ok or not own])}


def _cdf(data: bytes) -> Iterator[Part]:
    found: Part = {}
    with tempfile.NamedTemporaryFile(suffix=".cdf") as file:
        file.write(data)
        file.flush()
        cdf = cdflib.CDF(file.name, string_encoding="latin-1")
        about = cdf.cdf_info()
        for name in (*about.zVariables, *about.rVariables):
            if (values := cdf.varget(name)) is not None:
                is_epoch = cdf.varinq(name).Data_Type in (31, 32, 33)
                found[name] = _dated(values) if is_epoch else np.asarray(values)
        for words in map(cdf.varattsget, list(found)):
            epoch, unix = words.get("DEPEND_0"), found.get(words.get("DEPEND_TIME"))
            if unix is not None and len(found.get(epoch, ())) != len(unix):  # an epoch that was left empty
                found["time"] = np.rint(unix * 1e6).astype("M8[us]")
    yield found


def _dated(epochs: NDArray[Any]) -> NDArray[Any]:
    """CDF epochs of any kind as instants, by cdflib's own calendar; what is none is NaT."""
    dated = np.full(epochs.size, "NaT", "M8[us]")
    for i, fields in enumerate(np.atleast_2d(cdflib.cdfepoch.breakdown(epochs.ravel()))):
        year, month, day, hour, minute, second, *finer = (int(f) for f in fields)
        with contextlib.suppress(ValueError):
            dated[i] = np.datetime64(f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{min(second, 59):02}", "us")
            dated[i] += max(second - 59, 0) * 1_000_000 + sum(f * 1000 // 1000**k for k, f in enumerate(finer[:2]))
    return dated.reshape(epochs.shape)
