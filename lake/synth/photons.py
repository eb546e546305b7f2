"""X-ray event lists whose truth is known: sources of a given rate and spectrum, as a mission would list them.

Photons are drawn over the whole duration, good time or not, in the order the detector lists them. A seed always gives
the same bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lake.kernels.energies import HC_EV_NM

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Instrument:
    """How an instrument writes its event list.

    Attributes
    ----------
    telescope, instrument, mjd, zero_s : TELESCOP, INSTRUME, MJDREF as a whole and a part [d], TIMEZERO [s].
    time_step_s : frame or tick of its clock [s].
    is_framed : whether the stored time is the middle of a frame, rather than the start of a tick.
    ev_per_channel : width of a PI channel; 0 where PI is no energy [eV].
    good_time_table : name of a chip's table of good times.
    chip : column of the chip, empty if the list has none.
    """

    telescope: str
    instrument: str
    mjd: tuple[int, float]
    time_step_s: float
    zero_s: float = 0.0
    is_framed: bool = False
    ev_per_channel: float = 0.0
    good_time_table: str = "GTI"
    chip: str = ""


INSTRUMENTS = {
    "chandra-acis": Instrument("CHANDRA", "ACIS", (50814, 0.0), 3.24104, 0.0, True, 14.6, "GTI", "ccd_id"),
    "chandra-hrc": Instrument("CHANDRA", "HRC", (50814, 0.0), 1.5625e-5, chip="chip_id"),
    "nicer": Instrument("NICER", "XTI", (56658, 7.775925925925926e-4), 4e-8, -1.0, ev_per_channel=10.0),
    "xmm": Instrument("XMM", "EPN", (50814, 0.0), 0.0734, 0.0, True, 1.0, "STDGTI{:02d}", "CCDNR"),
}


@dataclass(frozen=True)
class Emitter:
    """A source of photons.

    Attributes
    ----------
    rate_per_s : mean photons per second [1/s].
    wavelength_nm : least and greatest wavelength, evenly filled; or, with `is_lines`, all there are [nm].
    amplitude, period_s, phase : of the rate's sine, as a share of the mean [1], in [s] and [rad]; 0 is constant.
    detector_id : chip its photons fall on.
    x_px, y_px, sigma_px : where, and how far from there [pix].
    """

    rate_per_s: float
    wavelength_nm: tuple[float, ...] = (0.2, 2.0)
    is_lines: bool = False
    amplitude: float = 0.0
    period_s: float = 100.0
    phase: float = 0.0
    detector_id: int = 7
    x_px: float = 4096.5
    y_px: float = 4096.5
    sigma_px: float = 2.0


@dataclass(frozen=True)
class Scene:
    """An observation to simulate.

    Attributes
    ----------
    instrument : one of INSTRUMENTS.
    duration_s : how long it listens [s].
    emitters : what it sees.
    good_times : intervals of each chip, in seconds from the start; -1 is a table for all; all of it if empty [s].
    start_s : when it starts on the mission's clock [s].
    obs_id, object : as the header has them.
    has_grating : whether photons are dispersed (chandra only).
    bad_share : share of events with a bad grade, and again with a bad status, where the instrument lists them.
    """

    instrument: str
    duration_s: float
    emitters: tuple[Emitter, ...]
    good_times: Mapping[int, tuple[tuple[float, float], ...]] | None = None
    start_s: float = 3.0e8
    obs_id: str = "90001"
    object: str = "SYNTHETIC"
    has_grating: bool = False
    bad_share: float = 0.0


@dataclass(frozen=True)
class Truth:
    """What was put into an event list, in the order of its rows.

    Attributes
    ----------
    arrival_s : when the detector saw each photon, to its clock's step, zero point added [s].
    stored_s : the same as the list states it, zero point added; another photon's, where the instrument errs [s].
    wavelength_nm : as emitted [nm].
    detector_id, emitter : chip, and which source.
    is_good_time : whether `arrival_s` is in the good times of its chip.
    is_good_grade, is_good_status : whether it was listed as a photon's.
    """

    arrival_s: Floats
    stored_s: Floats
    wavelength_nm: Floats
    detector_id: NDArray[np.int64]
    emitter: NDArray[np.int64]
    is_good_time: NDArray[np.bool_]
    is_good_grade: NDArray[np.bool_]
    is_good_status: NDArray[np.bool_]

    @property
    def n_photons(self) -> int:
        """Rows of the list."""
        return len(self.arrival_s)

    @property
    def n_in_good_time(self) -> int:
        """Those in good time."""
        return int(self.is_good_time.sum())

    def counts(self, edges_nm: ArrayLike) -> NDArray[np.int64]:
        """Photons in good time per wavelength bin; edges are lowest first, each bin holds its left one [nm]."""
        edges = np.asarray(edges_nm, np.float64)
        place = np.searchsorted(edges, self.wavelength_nm[self.is_good_time], side="right") - 1
        inside = (place >= 0) & (place < len(edges) - 1)
        return np.bincount(place[inside], minlength=len(edges) - 1).astype(np.int64)


def write_event_list(path: str | Path, scene: Scene, seed: int) -> Truth:
    """Simulate a scene and write it as an OGIP event list.

    Parameters
    ----------
    path : str or Path
        The FITS file, written over if it is there.
    scene : Scene
        What to simulate.
    seed : int
        The same seed gives the same file.

    Returns
    -------
    Truth
        What was put in.

    Raises
    ------
    ValueError
        The instrument is not known, or the duration is not above 0.
    """
    if scene.instrument not in INSTRUMENTS:
        raise ValueError(f"instrument {scene.instrument!r} is not known; there are {', '.join(INSTRUMENTS)}")
    if not scene.duration_s > 0:
        raise ValueError(f"a duration is above 0 s; found {scene.duration_s:g}")
    chance = np.random.default_rng(seed)
    truth = _photons(scene, chance)
    _write(Path(path), scene, truth, _columns(scene, truth, chance))
    return truth


def arrivals(emitter: Emitter, duration_s: float, chance: np.random.Generator) -> Floats:
    """Sorted arrival times of a source from 0 on, an inhomogeneous Poisson process by thinning [s].

    References
    ----------
    Lewis & Shedler (1979), Naval Research Logistics Quarterly 26, 403.
    """
    most = 1 + abs(emitter.amplitude)
    time = np.sort(chance.uniform(0, duration_s, chance.poisson(emitter.rate_per_s * duration_s * most)))
    rate = 1 + emitter.amplitude * np.sin(2 * np.pi * time / emitter.period_s + emitter.phase)
    return time[chance.uniform(0, most, time.size) < rate]


def _photons(scene: Scene, chance: np.random.Generator) -> Truth:
    """All sources' photons as one list in the order of arrival."""
    what = INSTRUMENTS[scene.instrument]
    times = [arrivals(emitter, scene.duration_s, chance) for emitter in scene.emitters]
    emitter = np.repeat(np.arange(len(times)), [len(t) for t in times])
    lengths = [_wavelengths(e, len(t), chance) for e, t in zip(scene.emitters, times, strict=True)]
    time = np.concatenate([*times, np.empty(0)])
    order = np.argsort(time, kind="stable")
    emitter = emitter[order]
    detector = np.array([e.detector_id for e in scene.emitters], np.int64)[emitter]
    step = (np.floor(time[order] / what.time_step_s) + 0.5 * what.is_framed) * what.time_step_s
    arrival = scene.start_s + step + what.zero_s
    n = len(arrival)
    has_quality = scene.instrument != "nicer"
    return Truth(
        arrival_s=arrival,
        # the HRC stores each trigger with the time of the trigger before it
        stored_s=np.append(scene.start_s, arrival)[:n] if what.instrument == "HRC" else arrival,
        wavelength_nm=np.concatenate([*lengths, np.empty(0)])[order],
        detector_id=detector,
        emitter=emitter,
        is_good_time=_inside(arrival - scene.start_s - what.zero_s, detector, _good_times(scene)),
        is_good_grade=chance.uniform(size=n) >= scene.bad_share * (has_quality and what.instrument != "HRC"),
        is_good_status=chance.uniform(size=n) >= scene.bad_share,
    )


def _wavelengths(emitter: Emitter, n: int, chance: np.random.Generator) -> Floats:
    if emitter.is_lines:
        return chance.choice(np.array(emitter.wavelength_nm), n)
    return chance.uniform(emitter.wavelength_nm[0], emitter.wavelength_nm[-1], n)


def _good_times(scene: Scene) -> Mapping[int, tuple[tuple[float, float], ...]]:
    return scene.good_times or {-1: ((0.0, scene.duration_s),)}


def _inside(time: Floats, detector: NDArray[np.int64], tables: Mapping[int, Any]) -> NDArray[np.bool_]:
    """Whether photons are in their chip's intervals, or in those for all if it has no table."""
    inside = np.zeros(time.shape, bool)
    has_own = np.isin(detector, list(tables))
    for number, intervals in tables.items():
        judged = detector == number if number >= 0 else ~has_own
        for start, stop in intervals:
            inside |= judged & (time >= start) & (time < stop)
    return inside


def _columns(scene: Scene, truth: Truth, chance: np.random.Generator) -> dict[str, tuple[str, str, NDArray[Any]]]:
    """Columns of the event table: FITS format, unit and values by name."""
    what = INSTRUMENTS[scene.instrument]
    n = truth.n_photons
    energy = HC_EV_NM / truth.wavelength_nm
    found: dict[str, tuple[str, str, NDArray[Any]]] = {"TIME": ("1D", "s", truth.stored_s - what.zero_s)}
    if what.chip:
        found[what.chip] = ("1I", "", truth.detector_id)
    if scene.instrument != "nicer":
        centre = np.array([(e.x_px, e.y_px, e.sigma_px) for e in scene.emitters]).reshape(-1, 3)[truth.emitter]
        found["X"] = ("1E", "pixel", chance.normal(centre[:, 0], centre[:, 2]))
        found["Y"] = ("1E", "pixel", chance.normal(centre[:, 1], centre[:, 2]))
    match scene.instrument:
        case "chandra-acis":
            found["pha"] = ("1J", "adu", np.rint(energy / 4))
            found["energy"] = ("1E", "eV", energy)
            found["pi"] = ("1J", "chan", np.clip(energy // what.ev_per_channel + 1, 1, 1024))
            found["grade"] = ("1I", "", np.where(truth.is_good_grade, chance.choice([0, 2, 3, 4, 6], n), 7))
            found["status"] = ("32X", "", _status_bits(truth))
        case "chandra-hrc":
            found["pha"] = ("1I", "chan", chance.integers(0, 256, n))
            found["pi"] = ("1I", "chan", chance.integers(1, 1024, n))
            found["status"] = ("32X", "", _status_bits(truth))
        case "nicer":
            found["PI"] = ("1I", "chan", np.clip(np.rint(energy / what.ev_per_channel), 0, 1500))
            # slow and fast chain triggered; an undershoot where the status is bad
            flags = np.tile([False, False, False, True, True, False, False, False], (n, 1))
            flags[:, 7] = ~truth.is_good_status
            found["EVENT_FLAGS"] = ("8X", "", flags)
        case "xmm":
            found["PI"] = ("1I", "chan", np.clip(np.rint(energy), 0, 32767))
            found["PATTERN"] = ("1B", "", np.where(truth.is_good_grade, chance.integers(0, 5, n), 9))
            found["FLAG"] = ("1J", "", np.where(truth.is_good_status, 0, 65536))
    if scene.has_grating:
        order = chance.choice([-1, 1], n)
        found["tg_m"] = ("1I", "", order)
        found["tg_mlam"] = ("1E", "angstrom", order * 10 * truth.wavelength_nm)
    return found


def _status_bits(truth: Truth) -> NDArray[np.bool_]:
    bits = np.zeros((truth.n_photons, 32), bool)
    bits[:, 27] = ~truth.is_good_status
    return bits


def _write(path: Path, scene: Scene, truth: Truth, columns: dict[str, tuple[str, str, NDArray[Any]]]) -> None:
    from astropy.io import fits

    what = INSTRUMENTS[scene.instrument]
    words = _keywords(scene)
    formats = [fits.Column(name, form, unit or None, array=values) for name, (form, unit, values) in columns.items()]
    events = fits.BinTableHDU.from_columns(formats, name="EVENTS")
    events.header.update(words | {"HDUCLASS": "OGIP", "HDUCLAS1": "EVENTS"})
    tables = [events]
    for number, intervals in _good_times(scene).items():
        edges = np.array(intervals, np.float64).reshape(-1, 2) + scene.start_s
        name = what.good_time_table.format(number) if number >= 0 else "GTI"
        both = [fits.Column("START", "1D", "s", array=edges[:, 0]), fits.Column("STOP", "1D", "s", array=edges[:, 1])]
        table = fits.BinTableHDU.from_columns(both, name=name)
        table.header.update(words | {"HDUCLASS": "OGIP", "HDUCLAS1": "GTI"})
        if number >= 0 and what.telescope == "CHANDRA":
            table.header["CCD_ID"] = number
        tables.append(table)
    fits.HDUList([fits.PrimaryHDU(), *tables]).writeto(path, overwrite=True)


def _keywords(scene: Scene) -> dict[str, Any]:
    what = INSTRUMENTS[scene.instrument]
    exposure = float(sum(stop - start for start, stop in next(iter(_good_times(scene).values()))))
    return {
        "TELESCOP": what.telescope,
        "INSTRUME": what.instrument,
        "OBS_ID": scene.obs_id,
        "OBJECT": scene.object,
        "GRATING": "LETG" if scene.has_grating else "NONE",
        "MJDREFI": what.mjd[0],
        "MJDREFF": what.mjd[1],
        "TIMEZERO": what.zero_s,
        "TIMESYS": "TT",
        "TIMEUNIT": "s",
        "TIMEREF": "LOCAL",
        "TIMEDEL": what.time_step_s,
        "TIMEPIXR": 0.5 if what.is_framed else 0.0,
        "TSTART": scene.start_s,
        "TSTOP": scene.start_s + scene.duration_s,
        "EXPOSURE": exposure,
        "RA_PNT": 180.0,
        "DEC_PNT": 0.0,
        **({"FRMTIME": what.time_step_s * 1e3} if what.telescope == "XMM" else {}),
    }
