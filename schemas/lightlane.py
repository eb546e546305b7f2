"""X-ray photons: observations, the good times of their detectors, and one row for every photon the detector listed.

`obs_id` is telescope, the archive's number (or the object) and the first eight hexadecimal digits of the SHA-256 of the
file's bytes: `chandra-10027-6c1c0d5e`. The archive's number alone is not unique, since one observation may come as
several lists (reprocessed, cut, without a column), which must not mix; it is kept in `archive_id`.

Times are seconds of the mission's clock since `ref_mjd` in `time_scale`, its zero point added. Nothing is thrown away:
a photon outside good time, or of a bad grade, is a row with a flag.
"""

import pyarrow as pa

from lake.schema import Column, Table

OBS_ID = Column(
    "obs_id",
    pa.string(),
    "Event list: telescope, archive's number, and eight digits of its bytes' hash",
    ucd="meta.id;obs",
)

OBSERVATIONS = Table(
    name="lightlane.observations",
    doc="Observations, one row an event list.",
    key=("obs_id",),
    columns=(
        OBS_ID,
        Column(
            "archive_id", pa.string(), "Number the archive gave it, not always unique", nullable=True, ucd="meta.id"
        ),
        Column("telescope", pa.string(), "Telescope", ucd="instr.tel"),
        Column("instrument", pa.string(), "Instrument", ucd="instr"),
        Column("detector", pa.string(), "Detector or chips in use", nullable=True, ucd="meta.id;instr.det"),
        Column("grating", pa.string(), "Grating in the beam", nullable=True, ucd="instr.param"),
        Column("data_mode", pa.string(), "Mode the events were sent down in", nullable=True, ucd="instr.setup"),
        Column("object", pa.string(), "Target, as the proposer named it", nullable=True, ucd="meta.id;src"),
        Column(
            "start_time",
            pa.timestamp("us"),
            "Start in UTC; at the barycentre if is_barycentred",
            nullable=True,
            ucd="time.start;obs",
        ),
        Column(
            "stop_time",
            pa.timestamp("us"),
            "Stop in UTC; at the barycentre if is_barycentred",
            nullable=True,
            ucd="time.end;obs",
        ),
        Column("start_s", pa.float64(), "Start on the mission's clock", unit="s", nullable=True, ucd="time.start;obs"),
        Column("stop_s", pa.float64(), "Stop on the mission's clock", unit="s", nullable=True, ucd="time.end;obs"),
        Column(
            "epoch_s",
            pa.int64(),
            "Whole second that arrival_ns counts from, on the mission's clock",
            unit="s",
            ucd="time.epoch",
        ),
        Column(
            "ref_mjd",
            pa.float64(),
            "Zero point of the mission's clock, in its time scale",
            unit="d",
            nullable=True,
            ucd="time.epoch",
        ),
        Column("time_scale", pa.string(), "Time scale of the mission's clock", nullable=True, ucd="time.scale"),
        Column("is_barycentred", pa.bool_(), "Whether times are those at the solar-system barycentre", ucd="meta.code"),
        Column(
            "exposure_s",
            pa.float64(),
            "Live exposure that the header states",
            unit="s",
            nullable=True,
            at_least=0,
            ucd="time.duration;obs.exposure",
        ),
        Column(
            "good_time_s",
            pa.float64(),
            "Time that is good on every detector with photons",
            unit="s",
            at_least=0,
            ucd="time.duration;obs.exposure",
        ),
        Column(
            "live_fraction",
            pa.float64(),
            "Part of the good time in which a photon would be seen",
            nullable=True,
            at_least=0,
            at_most=1,
            ucd="stat.value;arith.ratio",
        ),
        Column(
            "time_step_s",
            pa.float64(),
            "Resolution of photon times",
            unit="s",
            nullable=True,
            at_least=0,
            ucd="time.resolution",
        ),
        Column(
            "frame_time_s",
            pa.float64(),
            "Time between frames, for detectors that have them",
            unit="s",
            nullable=True,
            at_least=0,
            ucd="time.interval",
        ),
        Column(
            "ra_deg",
            pa.float64(),
            "Right ascension of the pointing",
            unit="deg",
            nullable=True,
            at_least=0,
            at_most=360,
            ucd="pos.eq.ra",
        ),
        Column(
            "dec_deg",
            pa.float64(),
            "Declination of the pointing",
            unit="deg",
            nullable=True,
            at_least=-90,
            at_most=90,
            ucd="pos.eq.dec",
        ),
        Column("n_photons", pa.int64(), "Events in the list, good or not", at_least=0, ucd="meta.number"),
        Column("has_energy", pa.bool_(), "Whether the detector tells energies", ucd="meta.code"),
        Column("has_position", pa.bool_(), "Whether the list has sky positions", ucd="meta.code"),
        Column(
            "wavelength_note",
            pa.string(),
            "Why no photon has a wavelength; null if some have",
            nullable=True,
            ucd="meta.note",
        ),
        Column("warnings", pa.string(), "What was missing, ambiguous or left out", nullable=True, ucd="meta.note"),
        Column("source_sha256", pa.string(), "SHA-256 of the file's bytes", ucd="meta.id;meta.file"),
    ),
)

GOOD_TIMES = Table(
    name="lightlane.good_times",
    doc="Good time intervals, start kept and stop not, one row each.",
    key=("obs_id", "detector_id", "start_s"),
    columns=(
        OBS_ID,
        Column("detector_id", pa.int16(), "Chip it holds for; -1 is all", at_least=-1, ucd="meta.id;instr.det"),
        Column("start_s", pa.float64(), "Start on the mission's clock", unit="s", ucd="time.start"),
        Column("stop_s", pa.float64(), "Stop on the mission's clock", unit="s", ucd="time.end"),
    ),
)

PHOTONS = Table(
    name="lightlane.photons",
    doc="Photons as the detector listed them, unfiltered, one row each.",
    key=("obs_id", "event_id"),
    columns=(
        OBS_ID,
        Column(
            "event_id", pa.int64(), "Row in the list, from 0: the order of telemetry", at_least=0, ucd="meta.record"
        ),
        Column("arrival_s", pa.float64(), "Arrival on the mission's clock", unit="s", ucd="time"),
        Column(
            "arrival_ns", pa.int64(), "Arrival in nanoseconds since the observation's epoch_s", unit="ns", ucd="time"
        ),
        Column("detector_id", pa.int16(), "Chip the photon fell on", nullable=True, ucd="meta.id;instr.det"),
        Column("x_px", pa.float32(), "Sky position, along x", unit="pix", nullable=True, ucd="pos.cartesian.x"),
        Column("y_px", pa.float32(), "Sky position, along y", unit="pix", nullable=True, ucd="pos.cartesian.y"),
        Column("pi", pa.int32(), "Pulse-invariant channel", nullable=True, ucd="instr.param;em.energy"),
        Column("pha", pa.int32(), "Pulse-height channel, gain not corrected", nullable=True, ucd="instr.param"),
        Column(
            "energy_ev",
            pa.float32(),
            "Energy by the detector; the middle of the channel if only that is known",
            unit="eV",
            nullable=True,
            ucd="em.energy",
        ),
        Column(
            "wavelength_nm",
            pa.float32(),
            "Wavelength by grating, else by energy",
            unit="nm",
            nullable=True,
            at_least=0,
            ucd="em.wl",
        ),
        Column(
            "wavelength_source", pa.string(), "What gave the wavelength: grating, energy, pi, or none", ucd="meta.code"
        ),
        Column("grade", pa.int16(), "Shape of the event: grade or pattern", nullable=True, ucd="meta.code.qual"),
        Column("status", pa.int64(), "Status bits as the mission defines them", nullable=True, ucd="meta.code"),
        Column("is_good_time", pa.bool_(), "Whether it fell in its chip's good times", ucd="meta.code.qual"),
        Column(
            "is_good_grade",
            pa.bool_(),
            "Whether its shape is a photon's; true where none is listed",
            ucd="meta.code.qual",
        ),
        Column(
            "is_good_status",
            pa.bool_(),
            "Whether no status bit tells against it; true where none is listed",
            ucd="meta.code.qual",
        ),
    ),
)
