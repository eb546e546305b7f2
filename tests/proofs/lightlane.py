"""Real photons, through the readers and the filters, beside published figures."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lake.store import Lake
from lake.verify import verify
from tests.conftest import DATA
from tests.proofs import Criterion, command, passing

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


def prove_the_filters(folder: Path) -> Iterator[Criterion]:
    yield passing("DuckDB = Polars = NumPy on 200 random event tables, and the laws of each filter", "tests/sql")


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
    m82, hbc515 = (seen[f"{name}_chandra_acis_events.fits"]["obs_id"] for name in ("m82", "hbc515"))
    yield from _columns(lake, seen)
    yield from _dispersion(lake, m82, hbc515)
    yield from _through_the_queries(lake, {name: row["obs_id"] for name, row in seen.items()})
    yield Criterion("all of it is as it was committed", f"{len(verify(lake))} findings", verify(lake) == [])


def _columns(lake: Lake, seen: dict[str, dict[str, Any]]) -> Iterator[Criterion]:
    """Energies, wavelengths, detectors and good times of single lists."""

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
