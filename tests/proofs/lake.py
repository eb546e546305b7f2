"""The lake: store, schemas, readers, query and command, and the first pipeline on real photons."""

import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from lake.store import Lake
from lake.verify import verify
from tests.conftest import DATA, REPO
from tests.proofs import Criterion

LAKE = Path(sys.executable).with_name("lake")
# Photons, and those in the good time of their own detector, of the real lists (SOURCES.md; counted with Astropy alone).
PHOTONS = {
    "m82_chandra_acis_events.fits": 4_612,
    "m82_chandra_acis_events_no_energy.fits": 4_612,
    "leonid_chandra_acis_evt2.fits.gz": 1_306,
    "hbc515_chandra_acis_events.fits": 14_601,
    "uvcet_chandra_hrc_events.fits": 12_660,
    "b1509_rxte_pca_goodxenon.fits": 25_828,
    "m82ulx_rxte_pca_goodxenon.evt.gz": 3_518,
    "4u1636_rxte_pca.evt.gz": 1_000,
    "sgr1830_nicer.evt": 9_369,
    "j0218_nicer_bary.evt": 3_361,
    "ngc300ulx_nicer_bary.evt": 2_408,
}


def command(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The `lake` command in a folder of its own, Prefect's home in it too."""
    words_ = {"LAKE_ROOT": str(folder / "lakehouse"), "PREFECT_HOME": str(folder / "prefect")}
    return subprocess.run(
        [str(LAKE), *words], cwd=folder, env=os.environ | words_, capture_output=True, text=True, check=False
    )


def passing(asked: str, *words: str) -> Criterion:
    """Tests that pass, and how many."""
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-o", "addopts=", "--import-mode=importlib", *words],
        cwd=REPO, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    last = [line for line in run.stdout.splitlines() if " in " in line][-1:] or run.stdout.splitlines()[-1:]
    passed = int(found[1]) if (found := re.search(r"(\d+) passed", "".join(last))) else 0
    return Criterion(asked, "".join(last).strip("= "), run.returncode == 0 and passed > 0)


def prove_the_main_job_on_an_empty_machine(folder: Path) -> Iterator[Criterion]:
    start = time.perf_counter()
    words = {"LAKE_ROOT": str(folder / "lakehouse"), "PREFECT_HOME": str(folder / "prefect")}
    process = subprocess.Popen(
        [str(LAKE), "demo"],
        cwd=folder,
        env=os.environ | words,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    lines, first = [], 0.0
    for line in process.stdout:
        lines.append(line)
        if not first and line.startswith("lightlane  "):
            first = time.perf_counter() - start
    code = process.wait()
    seconds = time.perf_counter() - start
    yield Criterion("demo: everything planted is found, exit 0", f"exit {code}", code == 0)
    yield Criterion("demo: under 180 s", f"{seconds:.0f} s", seconds < 180)
    yield Criterion("demo: first line of truth within 15 s", f"{first:.1f} s", 0 < first <= 15)
    yield Criterion("demo: at most 40 lines", f"{len(lines)} lines", len(lines) <= 40)
    again = time.perf_counter()
    code = command(folder, "demo").returncode
    seconds = time.perf_counter() - again
    yield Criterion(
        "demo again: all known, exit 0, in seconds", f"exit {code}, {seconds:.0f} s", code == 0 and seconds < 30
    )


def prove_it_is_light(folder: Path) -> Iterator[Criterion]:
    for asked, most, words in (
        ("import lake", 0.3, [sys.executable, "-c", "import lake"]),
        ("lake --help", 0.25, [str(LAKE), "--help"]),
    ):
        times = []
        for _ in range(7):
            start = time.perf_counter()
            subprocess.run(words, cwd=folder, stdout=subprocess.DEVNULL, check=True)
            times.append(time.perf_counter() - start)
        middle = statistics.median(times)
        yield Criterion(f"{asked}: at most {most} s, Python's start included", f"{middle:.2f} s", middle <= most)


def prove_the_store(folder: Path) -> Iterator[Criterion]:
    yield passing("any history of commits, crashes and housekeeping equals a dictionary", "tests/test_state_machine.py")
    yield passing(
        "killed three times and shuffled, the corpus equals a clean run hash for hash", "tests/test_exactly_once.py"
    )
    yield passing("commits, keys, time travel, evolution, compaction, gc, frames", "tests/test_store.py")
    yield passing("the same on an S3 server on loopback", "tests/test_object_store.py")


def prove_that_writers_at_once_lose_nothing(folder: Path) -> Iterator[Criterion]:
    code = (
        "import sys; from lake.store import Lake; from tests.builders.lakes import COUNTS, counts, origin\n"
        "own = Lake(sys.argv[1])\n"
        "for i in range(25):\n"
        "    for name in (f'{sys.argv[2]}-{i}', 'shared'):\n"
        "        with own.transaction('race', catalog=False) as tx:\n"
        "            tx.append(COUNTS, counts(name, 3), source=origin(name))\n"
    )
    Lake.create(folder / "lake")
    writers = [subprocess.Popen([sys.executable, "-c", code, str(folder / "lake"), str(n)], cwd=REPO) for n in range(4)]
    codes = [w.wait() for w in writers]
    lake = Lake(folder / "lake")
    n = len(lake.snapshot.pieces)
    whole = codes == [0] * 4 and n == 101 and lake.number == 100 and verify(lake) == []
    yield Criterion("4 processes x 25 commits and one source all want: 101 kept, none doubled", f"{n} kept", whole)


def prove_the_first_pipeline_on_real_photons(folder: Path) -> Iterator[Criterion]:
    files = [DATA / "xray" / name for name in PHOTONS]
    if not all(f.exists() for f in files):
        yield Criterion("real event lists of four missions", f"no files in {DATA}; set LIGHTLAKE_DATA", False)
        return
    run = command(folder, "run", "lightlane", *map(str, files))
    yield Criterion(
        "eleven real event lists taken in, exit 0", run.stderr.strip().splitlines()[-2], run.returncode == 0
    )
    lake = Lake(folder / "lakehouse")
    counts = lake.sql(
        "select s.uri, o.obs_id, o.n_photons, o.good_time_s, o.time_step_s from lightlane.observations as o "
        "inner join lake.sources as s on s.sha256 = o.source_sha256"
    ).arrow()  # fmt: skip
    seen = {Path(r["uri"]).name: r for r in counts.to_pylist()}
    wrong = {name: seen[name]["n_photons"] for name, n in PHOTONS.items() if seen[name]["n_photons"] != n}
    yield Criterion("photons of each list as SOURCES.md counts them", f"{len(PHOTONS) - len(wrong)} of 11", not wrong)

    def asked(text: str) -> tuple[object, ...]:
        return tuple(lake.sql(text).arrow().to_pylist()[0].values())

    m82 = seen["m82_chandra_acis_events.fits"]["obs_id"]
    low, high, formula = asked(
        "select min(wavelength_nm), max(wavelength_nm), "
        "count(*) filter (pi = least(floor(energy_ev / 14.6) + 1, 1024)) "
        f"from lightlane.photons where obs_id = '{m82}'"
    )
    ends = f"{low:.5f} to {high:.4f} nm"
    yield Criterion("M82: wavelengths 0.06909 to 7.4217 nm", ends, ends == "0.06909 to 7.4217 nm")
    yield Criterion("M82: the PI formula holds for all 4,612 photons", f"{formula}", formula == 4_612)
    leonid = seen["leonid_chandra_acis_evt2.fits.gz"]["obs_id"]
    chips = lake.sql(
        f"select detector_id, count(*) as n from lightlane.photons where obs_id = '{leonid}' group by 1 order by 1"
    ).arrow()  # fmt: skip
    yield Criterion(
        "Leonid: photons per CCD 161, 62, 594, 489",
        f"{chips['n'].to_pylist()}",
        chips["n"].to_pylist() == [161, 62, 594, 489],
    )
    uvcet = seen["uvcet_chandra_hrc_events.fits"]
    (n,) = asked(f"select count(wavelength_nm) from lightlane.photons where obs_id = '{uvcet['obs_id']}'")
    (note,) = asked(f"select wavelength_note from lightlane.observations where obs_id = '{uvcet['obs_id']}'")
    yield Criterion("UV Cet: no wavelength, with the reason", f"{n} wavelengths; {note}", n == 0 and bool(note))
    j0218 = seen["j0218_nicer_bary.evt"]
    n_gti, inside = asked(
        f"select (select count(*) from lightlane.good_times where obs_id = '{j0218['obs_id']}'), "
        f"(select count(*) from lightlane.photons where is_good_time and obs_id = '{j0218['obs_id']}')"
    )
    found = f"{n_gti} intervals, {j0218['good_time_s']:.2f} s, {inside} inside"
    yield Criterion(
        "J0218: 42 intervals, 6,724.43 s, 3,361 photons inside", found, found == "42 intervals, 6724.43 s, 3361 inside"
    )
    yield from _dispersion(lake, m82, seen["hbc515_chandra_acis_events.fits"]["obs_id"])
    yield from _through_the_queries(lake, {name: row["obs_id"] for name, row in seen.items()})
    yield Criterion("all of it is as it was committed", f"{len(verify(lake))} findings", verify(lake) == [])


def _dispersion(lake: Lake, m82: str, hbc515: str) -> Iterator[Criterion]:
    """Sums of squares over the mean, of photons straight from the table, beside the specification's golden numbers."""
    import numpy as np

    def x2(obs_id: str, width: float, n_bins: int, start: float | None = None) -> float:
        times = lake.table("lightlane.photons", ["arrival_s"], {"obs_id": obs_id}).pl()["arrival_s"].to_numpy()
        first = times.min() if start is None else start
        counts = np.bincount(((times - first) / width).astype(int), minlength=n_bins)[:n_bins]
        return float(((counts - counts.mean()) ** 2).sum() / counts.mean())

    found = x2(m82, 50 * 0.44104, 42)
    yield Criterion("M82: X2 in 42 bins of 50 frames 30.82 (1 %)", f"{found:.2f}", abs(found / 30.82 - 1) < 0.01)
    for width, n, wanted in ((100.0, 300, 262.3), (500.0, 60, 89.7), (1000.0, 30, 70.94)):
        found = x2(hbc515, width, n, 0.0)
        yield Criterion(
            f"HBC 515: X2 in {n} bins of {width:g} s {wanted} (1 %)", f"{found:.1f}", abs(found / wanted - 1) < 0.01
        )


def _through_the_queries(lake: Lake, obs_ids: dict[str, str]) -> Iterator[Criterion]:
    """Golden numbers of light curves as `lake query` gives them, exposures and filters included."""
    import numpy as np

    def curve(name: str, chain: list[str], bin_s: float, **params: float) -> tuple[np.ndarray, np.ndarray]:
        rows = lake.query("lightlane.light_curves", chain=chain, bin_s=bin_s, **params).pl()
        own = rows.filter(rows["obs_id"] == obs_ids[name]).sort("time_bin")
        return own["n_photons"].to_numpy().astype(float), own["exposure_s"].to_numpy()

    def weighted_x2(counts: np.ndarray, exposure: np.ndarray) -> tuple[float, int]:
        counts, exposure = counts[exposure > 0], exposure[exposure > 0]
        wanted = counts.sum() * exposure / exposure.sum()
        return float(((counts - wanted) ** 2 / wanted).sum()), len(counts) - 1

    j0218 = "j0218_nicer_bary.evt"
    x2, dof = weighted_x2(*curve(j0218, ["good_events"], 50.0))
    yield Criterion(
        "J0218: exposure-weighted X2 of 50 s bins 981/146", f"{x2:.1f}/{dof}", (round(x2), dof) == (981, 146)
    )
    counts, exposure = curve(j0218, ["good_events"], 50.0)
    full = counts[exposure >= 0.999 * 50.0]
    fano = full.var(ddof=1) / full.mean()
    found = f"{fano:.2f} in {len(full)}"
    yield Criterion("J0218: F in full bins 3.38 in 114", found, found == "3.38 in 114")
    drawn = [
        weighted_x2(*curve(j0218, ["good_events", "poissonized_events"], 50.0, control_seed=seed))[0]
        for seed in range(5)
    ]
    inside = all(abs(x2 - 146) < 4 * np.sqrt(292) for x2 in drawn)
    yield Criterion("J0218 poissonized: X2 146 +- 68.4, five seeds", ", ".join(f"{x2:.0f}" for x2 in drawn), inside)
    counts, exposure = curve("uvcet_chandra_hrc_events.fits", ["events"], 500.0)
    whole = counts[exposure >= 0.999 * 500.0]
    found = f"{whole.mean():.2f}, {whole.var(ddof=1) / whole.mean():.1f}"
    yield Criterion("UV Cet: mean and F of 500 s bins 84.50, 307.8", found, found == "84.50, 307.8")


def prove_the_filters(folder: Path) -> Iterator[Criterion]:
    yield passing("DuckDB = Polars = NumPy on 200 random event tables, and the laws of each filter", "tests/sql")


def prove_the_readers(folder: Path) -> Iterator[Criterion]:
    yield passing("every real file decodes as an independent reader does; damaged ones are told", "tests/readers")
    yield passing("instants of every time scale equal Astropy's", "tests/test_times.py")


def prove_the_layers(folder: Path) -> Iterator[Criterion]:
    yield passing("layers, lightness, lock", "tests/test_architecture.py")
    yield passing("a sixth pipeline by added files only", "tests/test_sixth_pipeline.py")
    yield passing("the README prints what it says", "tests/test_readme.py")
    yield passing("one seam to Dask: threads, in order, a cluster", "tests/test_blocks.py")


def prove_what_a_newcomer_breaks(folder: Path) -> Iterator[Criterion]:
    broken = folder / "broken.fits"
    broken.write_bytes(b"SIMPLE  =                    T" + b" " * 50 + b"\0" * 500)
    run = command(folder, "run", "lightlane", str(broken))
    told = next((line.strip() for line in run.stderr.splitlines() if "skipped  broken" in line), "nothing")
    yield Criterion(
        "a broken file is left out with its reason, exit 3", f"exit {run.returncode}: {told}", run.returncode == 3
    )
    typo = command(folder, "query", "lightlane.flattned_events")
    yield Criterion(
        "a mistyped relation: one error, the nearest name, exit 1", " | ".join(typo.stderr.splitlines()),
        typo.returncode == 1 and "flattened_events" in typo.stderr and "Traceback" not in typo.stderr,
    )  # fmt: skip
    yield passing("a full disk is told and leaves the lake as it was", "tests/test_store.py", "-k", "full_disk")
    yield passing("a read-only root is told and leaves the lake as it was", "tests/test_store.py", "-k", "read_only")
    yield passing("the catalogue in plain DuckDB, from any folder", "tests/test_catalog.py")


def prove_prefect_for_real(folder: Path) -> Iterator[Criterion]:
    yield passing(
        "a deployment run by a Prefect server and a process worker",
        "tests/test_prefect_server.py",
        "-m",
        "slow or not slow",
    )
