"""Hostile files, killed decoders, a stranger's lake, secrets and open doors."""

import resource
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from lake.errors import Malformed
from lake.intake import commit, take_in
from lake.provenance import new_run
from lake.readers import child, read
from lake.store import Lake
from tests.builders.cdf import Given, cdf
from tests.builders.fits import fits_file, tiled
from tests.builders.images import jp2, png
from tests.builders.lakes import COUNTS
from tests.builders.netcdf import netcdf
from tests.proofs import Criterion, passing
from tests.safety.hostile import boom, file_rows, hostile_format

PIXELS = np.arange(256 * 256, dtype=np.uint16).reshape(256, 256)
ATTACKS = (
    "refus or forbid or malform or bomb or limit or large or trillion or lie or outside or cut or damage or garbage"
)
FATAL = (*(f"signal {int(s)}" for s in (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT)), "memory", "spin", "exit")


def prove_that_hostile_files_are_refused(folder: Path) -> Iterator[Criterion]:
    yield passing("attacks on every reader, built in code, refused", "tests/readers", "-k", ATTACKS)
    yield passing("a stranger's metadata, footers and paths refused", "tests/safety/test_strangers_lake.py")


def prove_that_a_decoder_that_dies_harms_one_file(folder: Path) -> Iterator[Criterion]:
    with hostile_format(folder):
        paths = []
        for i, act in enumerate(FATAL):
            good = folder / f"good{i}.png"
            good.write_bytes(png(PIXELS[: i + 1]))
            paths += [boom(folder, act), good]
        own = Lake.create(folder / "lake")
        done = commit(own, take_in(own, [str(p) for p in paths], [COUNTS], file_rows, workers=2), new_run("toy", {}))
        told = sum("boom" in s["reason"] or "[child]" in s["reason"] for s in done["skipped"])
        n = len(FATAL)
        found = f"{told} of {n} refused, {done['new']} of {n} neighbours committed"
        yield Criterion("memory, processor time, three signals, an exit", found, (told, done["new"]) == (n, n))
        started = time.perf_counter()
        try:
            read(boom(folder, "signal 9"), apart=True)
            verdict = "read"
        except Malformed as error:
            verdict = error.detail
        seconds = time.perf_counter() - started
        yield Criterion("a killed child is told at once", f"{verdict}, {seconds:.2f} s", "SIGKILL" in verdict)
    yield passing(
        "contents unchanged on the way, no folder left, no worker lost",
        "tests/safety/test_child.py",
        "tests/safety/test_parcels.py",
        "-m",
        "not slow",
    )


def prove_what_the_child_costs(folder: Path) -> Iterator[Criterion]:
    (folder / "a.png").write_bytes(png(PIXELS))
    (folder / "a.jp2").write_bytes(jp2((PIXELS >> 8).astype(np.uint8)))
    (folder / "a.fits").write_bytes(fits_file(tiled(PIXELS.astype(np.int16))))
    netcdf(folder / "a.nc", {"v": (("time",), np.arange(10.0), {})})
    cdf(folder / "a.cdf", {"v": Given("f4", np.arange(10.0, dtype=np.float32))})
    for path in sorted(folder.iterdir()):
        read(path)
        first, work = min(_first(path) for _ in range(3))
        here, apart = (min(_seconds(path, 20, apart=apart) for _ in range(3)) for apart in (False, True))
        found = f"{work:.2f} s of the processor, {first:.2f} s by the clock; a file {1e3 * here:.1f} ms here, "
        found += f"{1e3 * apart:.1f} ms apart"
        yield Criterion(f"{path.suffix[1:]}: to start a child takes at most 0.6 s of the processor", found, work < 0.6)
    child.children().close()


def _first(path: Path) -> tuple[float, float]:
    """Seconds by the clock and of the processor for the first file of a batch, its child's whole life."""
    child.children().close()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = _seconds(path, 1, apart=True)
    child.children().close()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _seconds(path: Path, n: int, *, apart: bool) -> float:
    """Seconds by the clock of a file, in a row of some."""
    started = time.perf_counter()
    for _ in range(n):
        read(path, apart=apart)
    return (time.perf_counter() - started) / n


def prove_that_secrets_and_doors_stay_shut(folder: Path) -> Iterator[Criterion]:
    asked = (
        "secrets nowhere in the lake or Prefect's home, ports on the loopback alone, results as JSON, a clock put back"
    )
    yield passing(asked, "tests/safety/test_secrets_and_ports.py")
    yield passing("entry points, path files and licences as recorded", "tests/safety/test_supply.py")
