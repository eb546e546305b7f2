"""A small file of every format that readers know, with something of all that the format can hold."""

import bz2
import gzip
from io import BytesIO
from pathlib import Path

import h5py
import numpy as np
from astropy.io import fits

from tests.builders import images
from tests.builders.cdf import Given, cdf
from tests.builders.fits import cells, fits_file, image, table, tiled
from tests.builders.netcdf import netcdf
from tests.builders.pgm import minute
from tests.builders.texts import elements, months, records


def samples(folder: Path) -> dict[str, Path]:
    """Files by the name of their format, the same bytes at each call."""
    rng = np.random.default_rng(1)
    sky = rng.poisson(200, (3, 20, 24)).astype("u2")
    grey = (np.add.outer(np.arange(40), np.arange(48)) * 2 + rng.integers(0, 9, (40, 48))).astype("u1")
    scaled = image(sky[0].astype("i2"), BSCALE=0.5, BZERO=10.0)
    codecs = ("RICE_1", "GZIP_1", "HCOMPRESS_1")
    packed = (tiled(im.astype("i4"), codec, tile_shape=(8, 12)) for im, codec in zip(sky, codecs, strict=True))
    written = {
        "fits_image": _with_sums(fits_file(scaled, image(sky.astype("f4"), primary=False, EXTNAME="SCI"))),
        "fits_table": _with_sums(fits_file(_events(rng), image(sky[1].astype("i4"), primary=False, EXTNAME="MAP"))),
        "fits_plain": fits_file(_events(rng), image(sky[1].astype("i2"), primary=False, EXTNAME="MAP", BZERO=32768)),
        "fits_tiles": fits_file(*packed),
        "pgm": minute(sky),
        "pgm_gzip": gzip.compress(minute(sky), mtime=0),
        "pgm_bzip2": bz2.compress(minute(sky)),
        "png": images.png(grey, images.chunk(b"tEXt", b"Title\0Sun")),
        "jpeg": images.jpeg(grey),
        "jp2": images.jp2(grey, images.box(b"xml ", b"<meta><fits><NAXIS1>48</NAXIS1></fits></meta>")),
    }
    written |= {"records": records(months(rng)), "tle": elements(rng)}
    for name, data in written.items():
        (folder / name).write_bytes(data)
    given = {
        "time": (("time",), np.arange(30.0), {"units": "seconds since 2000-01-01 12:00:00"}),
        "flux": (("time",), rng.random(30).astype("f4"), {"units": "W/m2", "_FillValue": np.float32(-9999)}),
        "flag": (("time",), rng.integers(0, 9, 30).astype("i2"), {"scale_factor": 0.5, "add_offset": 1.0}),
        "image": (("time", "y", "x"), rng.integers(0, 99, (30, 5, 4)).astype("i2"), {}),
    }
    netcdf(folder / "netcdf_3", given, "NETCDF3_CLASSIC", title="Sun")
    netcdf(folder / "netcdf_4", given, title="Sun")
    _chunked(folder / "hdf5_summed", rng)
    epoch = 63_400_000_000_000 + 3000.0 * np.arange(12)
    cdf(
        folder / "cdf.cdf",
        {
            "Epoch": Given("epoch", epoch),
            "image": Given("u2", rng.integers(0, 999, (12, 6, 5)).astype("u2"), {"DEPEND_0": "Epoch"}),
            "flux": Given("f4", rng.random(12).astype("f4"), {"DEPEND_0": "Epoch", "UNITS": "nT"}, compress=6),
            "site": Given("text", np.array(["gako"]), varies=False),
        },
        Project="THEMIS",
    )
    names = (*written, "netcdf_3", "netcdf_4", "hdf5_summed", "cdf.cdf")
    return {name.partition(".")[0]: folder / name for name in names}


def _events(rng: np.random.Generator) -> bytes:
    """A table with nulls, scaled integers, bits, text, cells of two axes and arrays in the heap."""
    ends = np.cumsum(rng.integers(0, 4, 16)).astype("i4")
    counts = np.diff(ends, prepend=0)
    heap = rng.integers(-99, 99, ends[-1]).astype(">i2").tobytes()
    columns = {
        "TIME": ("D", np.sort(rng.random(16))[:, None]),
        "PI": ("I", cells(*rng.integers(0, 9, 16), dtype="i2")),
        "ENERGY": ("E", rng.random((16, 1)).astype("f4")),
        "STATUS": ("12X", rng.integers(0, 255, (16, 2)).astype("u1") & np.array([255, 240], "u1")),
        "NAME": ("5A", np.frombuffer(b"abc  \0sun " * 8, "u1").reshape(16, 5)),
        "MAP": ("6J", rng.integers(-9, 9, (16, 6)).astype("i4")),
        "OK": ("L", cells(*b"TTFT" * 4, dtype="u1")),
        "ADC": ("PI(4)", np.stack([counts, 2 * (ends - counts)], axis=1).astype("i4")),
    }
    return table(columns, heap, TNULL2=0, TSCAL2=0.25, TZERO2=1.0, TDIM6="(3,2)", TUNIT1="s", EXTNAME="EVENTS")


def _with_sums(data: bytes) -> bytes:
    """The same FITS file with CHECKSUM and DATASUM in each header, by Astropy."""
    out = BytesIO()
    with fits.open(BytesIO(data), memmap=False, do_not_scale_image_data=True) as hdus:
        for hdu in hdus:
            hdu.add_checksum()
        hdus.writeto(out)
    return out.getvalue()


def _chunked(path: Path, rng: np.random.Generator) -> None:
    """HDF5 with a Fletcher sum on each chunk, and the oldest kind of index."""
    with h5py.File(path, "w", libver="earliest", track_order=False) as file:
        options = {"compression": "gzip", "shuffle": True, "fletcher32": True}
        file.create_dataset("counts", data=rng.integers(0, 999, (40, 6)).astype("i4"), chunks=(8, 3), **options)
        file.create_dataset("flux", data=rng.random(40), chunks=(16,), fletcher32=True)
