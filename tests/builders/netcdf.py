"""netCDF files of both kinds, and HDF5 files that reach for what is not theirs."""

import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import netCDF4
import numpy as np

Given = Mapping[str, tuple[tuple[str, ...], Any, Mapping[str, Any]]]


def netcdf(path: Path, given: Given, kind: str = "NETCDF4", **attributes: Any) -> Path:
    """Variables by name: dimensions, values, attributes; `_FillValue` among the latter."""
    with netCDF4.Dataset(path, "w", format=kind) as file:
        file.setncatts(attributes)
        for name, (dims, values, words) in given.items():
            array = np.asarray(values)
            for dim, length in zip(dims, array.shape, strict=True):
                if dim not in file.dimensions:
                    file.createDimension(dim, None if dim == "time" else length)
            kind_of = str if array.dtype.kind == "U" else array.dtype
            fill = words.get("_FillValue")
            variable = file.createVariable(name, kind_of, dims, fill_value=fill)
            variable.set_auto_maskandscale(False)
            variable.setncatts({k: v for k, v in words.items() if k != "_FillValue"})
            variable[...] = array.astype(object) if array.dtype.kind == "U" else array
    return path


def hdf5(path: Path, write: Callable[[h5py.File], object]) -> Path:
    """An HDF5 file that a function fills."""
    with h5py.File(path, "w") as file:
        write(file)
    return path


def classic_claiming(n_values: int) -> bytes:
    """A classic file whose only variable is said to have so many bytes."""
    dims = struct.pack(">III4sI", 10, 1, 1, b"x\0\0\0", n_values)
    variable = struct.pack(">III4s7I", 11, 1, 1, b"v\0\0\0", 1, 0, 0, 0, 1, n_values, 100)
    return b"CDF\1" + struct.pack(">I", 0) + dims + struct.pack(">II", 0, 0) + variable + bytes(64)
