"""A format whose decoder does what a file asks for: fail in every way that a decoder written in C can."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

READER = """
import os, resource, signal, sys, time
from lake.errors import Forbidden, Malformed, SourceError, TooLarge
from lake.readers import child
from lake.source import Content, Part

CPU_S = 1

def recognises(head):
    return head.startswith(b"BOOM ")

def read(stream, name):
    act = stream.read()[5:].decode()
    if act.startswith("signal "):
        os.kill(os.getpid(), int(act.split()[1]))
    if act == "memory":
        bytearray(child.MEMORY + (1 << 30))
    if act == "spin":
        while True:
            pass
    if act == "sleep":
        time.sleep(60)
    if act == "exit":
        print("last words", file=sys.stderr)
        os._exit(3)
    if act == "print":
        print("noise", flush=True)
        os.write(1, b"ddd")
    if act == "forbidden":
        raise Forbidden(name, "rule", "a detail", "a hint")
    if act == "missing":
        raise SourceError("a message", "a hint")
    if act == "object":
        return Content({"x": object()}, ())
    limits = {n: resource.getrlimit(getattr(resource, n))[0] for n in ("RLIMIT_AS", "RLIMIT_FSIZE", "RLIMIT_CORE")}
    words = {"environment": " ".join(sorted(os.environ)), "isolated": sys.flags.isolated, "cwd": os.getcwd()}
    return Content({**limits, **words, "pid": os.getpid(), "lake": child.__file__}, (Part(),))
"""


@contextmanager
def hostile_format(folder: Path) -> Iterator[None]:
    """The format, known to this process and to its children."""
    import lake.readers
    from lake.readers import child

    home = folder / "hostile"
    home.mkdir(exist_ok=True)
    (home / "boom.py").write_text(READER)
    program, path = child.PROGRAM, list(lake.readers.__path__)
    child.PROGRAM = program.replace(
        "serve; ", f"serve; import lake.readers; lake.readers.__path__.append({str(home)!r}); "
    )
    lake.readers.__path__ = [*path, str(home)]
    try:
        yield
    finally:
        child.children().close()
        child.PROGRAM, lake.readers.__path__ = program, path
        sys.modules.pop("lake.readers.boom", None)


def boom(folder: Path, act: str) -> Path:
    """A file that asks for one act."""
    path = folder / f"{act.replace(' ', '-')}.boom"
    path.write_bytes(b"BOOM " + act.encode())
    return path


def same(a: object, b: object) -> bool:
    """Whether two values are one in type, bytes, mask and shape; NaN is itself."""
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ma.MaskedArray):
        alike = not a.size or (a.mask is np.ma.nomask) == (b.mask is np.ma.nomask)
        return alike and same(np.ma.getmaskarray(a), np.ma.getmaskarray(b)) and same(a.data, b.data)
    if isinstance(a, np.ndarray):
        return (a.dtype, a.shape) == (b.dtype, b.shape) and _same_items(a, b)
    return a == b or (a != a and b != b)


def _same_items(a: NDArray, b: NDArray) -> bool:
    if a.dtype.kind == "O":
        return all(map(same, a.flat, b.flat))
    return a.tobytes() == b.tobytes()


def difference(a: object, b: object) -> str:
    """Where two contents differ first; empty where they don't."""
    if a.problems != b.problems or list(a.header) != list(b.header):
        return "header or problems"
    words = [(key, a.header[key], b.header[key]) for key in a.header]
    if len(a.parts) != len(b.parts):
        return f"{len(a.parts)} parts, {len(b.parts)} parts"
    for x, y in zip(a.parts, b.parts, strict=True):
        if (x.name, x.version, dict(x.units)) != (y.name, y.version, dict(y.units)):
            return f"part {x.name}"
        if list(x.header) != list(y.header) or list(x.columns) != list(y.columns):
            return f"names in part {x.name}"
        words += [(f"{x.name}/{key}", x.header[key], y.header[key]) for key in x.header]
        words += [(f"{x.name}.{key}", x.columns[key], y.columns[key]) for key in x.columns]
        words.append((f"{x.name} pixels", x.pixels, y.pixels))
    return next((name for name, one, other in words if not same(one, other)), "")


def file_rows(source: object) -> list:
    """One row of COUNTS for any file."""
    from tests.builders.lakes import COUNTS

    return [(COUNTS, COUNTS.fit({"obs_id": pa.array([Path(source.uri).name]), "row_id": [0], "energy_kev": [1.0]}))]
