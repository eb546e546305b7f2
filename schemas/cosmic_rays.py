"""Cosmic rays in Hubble's darks: exposures, their pixels, every hit with the pixels it left, and where Hubble was.

`obs_id` is the archive's nine-letter name of an exposure; where a file holds several, `_1`, `_2` … stand behind it. Of
two files with one exposure the first stays and the other is left out: `lake forget` the first to take in the other. A
chip is an image of its own: `chip` is its number, and `read_id` the read of an infrared ramp, 0 of a CCD.

Pixels are electrons, of ramps electrons a second, with sign and background left as they are. `y_px` is the row and
`x_px` the column, from 0, whole numbers in the middle of a pixel.
"""

import pyarrow as pa

from lake.schema import INSTANT, Array, Column, Table

OBS_ID = Column("obs_id", pa.string(), "Exposure, as the archive names it", ucd="meta.id;obs")
INSTRUMENT = Column("instrument", pa.string(), "Detector: ACS_WFC, ACS_HRC, STIS_CCD, …", ucd="instr.det")
CHIP = Column("chip", pa.int16(), "Chip of the detector, from 1", at_least=1, ucd="meta.id;instr.det")
READ = Column("read_id", pa.int16(), "Read of a ramp in the order of time; 0 of a CCD", at_least=0, ucd="meta.number")

EXPOSURES = Table(
    name="cosmic_rays.exposures",
    doc="Exposures, good ones and others, one row each.",
    key=("obs_id",),
    columns=(
        OBS_ID,
        Column("archive_id", pa.string(), "Name of its file in the archive, with a telemetry file beside it"),
        INSTRUMENT,
        Column("target", pa.string(), "Target, DARK of a calibration", nullable=True, ucd="meta.id;src"),
        Column("is_dark", pa.bool_(), "Whether the shutter stayed closed", ucd="meta.code"),
        Column("start_time", INSTANT, "Start, UTC", ucd="time.start;obs"),
        Column("start_mjd", pa.float64(), "Start, UTC", unit="d", ucd="time.start;obs"),
        Column("stop_mjd", pa.float64(), "End, UTC", unit="d", ucd="time.end;obs"),
        Column("exposure_s", pa.float64(), "Exposure time", unit="s", at_least=0, ucd="time.duration;obs.exposure"),
        Column("flash_s", pa.float64(), "Length of the flash before it", unit="s", at_least=0),
        Column("readout_s", pa.float64(), "Time that counts as exposed while read out", unit="s", at_least=0),
        Column("integration_s", pa.float64(), "All time in which hits gather", unit="s", at_least=0),
        Column("area_cm2", pa.float64(), "Active area of all its chips", unit="cm2", at_least=0, ucd="phys.area"),
        Column("pixel_um", pa.float64(), "Side of a pixel", unit="um", at_least=0, ucd="phys.size;instr.pixel"),
        Column("thickness_um", pa.float64(), "Silicon that gathers charge", unit="um", nullable=True),
        Column("amplifiers", pa.string(), "Amplifiers that read it", nullable=True, ucd="instr.param"),
        Column("unit", pa.string(), "Unit of the file's pixels", nullable=True, ucd="meta.unit"),
        Column("gains", pa.list_(pa.float64()), "Electrons a count, chip by chip; empty if in electrons"),
        Column("read_noise_e", pa.float64(), "Mean read noise", unit="electron", nullable=True, at_least=0),
        Column("n_flagged", pa.int64(), "Pixels with the bit of cosmic rays; null without quality", nullable=True),
        Column("quality", pa.string(), "What the archive says of it", nullable=True, ucd="meta.code.qual"),
        Column("flaw", pa.string(), "Why it is not analysed; null for a good one", nullable=True, ucd="meta.note"),
        Column("wcs", pa.string(), "World coordinates of each chip, JSON", nullable=True),
        Column("made_at", pa.string(), "When the archive made the file", nullable=True, ucd="time.creation"),
        Column("source_sha256", pa.string(), "SHA-256 of the file's bytes", ucd="meta.id;meta.file"),
    ),
)

HEADERS = Table(
    name="cosmic_rays.headers",
    doc="Keywords of an exposure's file, one row each.",
    key=("obs_id", "part", "keyword"),
    columns=(
        OBS_ID,
        Column("part", pa.string(), "Extension and its version, SCI 1; empty for the file as a whole"),
        Column("keyword", pa.string(), "Keyword", ucd="meta.id"),
        Column("value", pa.string(), "Its value as text", nullable=True),
    ),
)

ORBITS = Table(
    name="cosmic_rays.orbits",
    doc="Orbits of Hubble as telemetry states them, one row a file.",
    key=("archive_id",),
    columns=(
        Column("archive_id", pa.string(), "Name of the exposure's file in the archive"),
        Column("epoch_s", pa.float64(), "Epoch of the elements since 1985", unit="s", ucd="time.epoch"),
        Column("mean_anomaly_rad", pa.float64(), "Mean anomaly at the epoch", unit="rad"),
        Column("mean_motion_rad_s", pa.float64(), "Its rate", unit="rad / s"),
        Column("mean_motion_rate_rad_s2", pa.float64(), "Rate of the rate", unit="rad / s2"),
        Column("perigee_rad", pa.float64(), "Argument of the perigee", unit="rad"),
        Column("perigee_rate_rad_s", pa.float64(), "Its rate", unit="rad / s"),
        Column("node_rad", pa.float64(), "Right ascension of the ascending node, J2000", unit="rad"),
        Column("node_rate_rad_s", pa.float64(), "Its rate", unit="rad / s"),
        Column("eccentricity", pa.float64(), "Eccentricity", at_least=0, at_most=1),
        Column("inclination_rad", pa.float64(), "Inclination to the equator of J2000", unit="rad"),
        Column("semi_latus_rectum_m", pa.float64(), "Semi-latus rectum", unit="m", at_least=0),
    ),
)

TWO_LINE_ELEMENTS = Table(
    name="cosmic_rays.two_line_elements",
    doc="Orbits of Hubble as radar saw them, one row a set of a file; files may repeat each other's.",
    key=("epoch_mjd", "source_sha256"),
    columns=(
        Column("epoch_mjd", pa.float64(), "Epoch of the elements, UTC", unit="d", ucd="time.epoch"),
        Column("line_1", pa.string(), "First line"),
        Column("line_2", pa.string(), "Second line"),
        Column("source_sha256", pa.string(), "SHA-256 of the file's bytes", ucd="meta.id;meta.file"),
    ),
)

REJECTION_RULES = Table(
    name="cosmic_rays.rejection_rules",
    doc="Rows of the archive's tables of parameters for the rejection of cosmic rays.",
    key=("instrument", "row_id"),
    columns=(
        INSTRUMENT,
        Column("row_id", pa.int32(), "Row of the table, from 0", at_least=0),
        Column("chip", pa.int16(), "Chip it holds for; null for all", nullable=True),
        Column("n_images", pa.int16(), "Images it holds for", at_least=0),
        Column("mean_exposure_s", pa.float64(), "Longest mean exposure it holds for", unit="s", nullable=True),
        Column("scale_noise", pa.float64(), "Noise in proportion to the signal [%]", at_least=0),
        Column("first_guess", pa.string(), "What the first image is: median or minimum"),
        Column("sky", pa.string(), "How the sky is measured: mode or none"),
        Column("sigmas", pa.string(), "Threshold of each iteration, commas between"),
        Column("radius_px", pa.float64(), "Reach of a hit", unit="pix", at_least=0),
        Column("spill", pa.float64(), "Threshold around a hit, in proportion"),
        Column("excluded_bits", pa.int32(), "Quality bits of pixels that are not tested"),
    ),
)

SOLAR_INDICES = Table(
    name="cosmic_rays.solar_indices",
    doc="Solar activity, one row a month.",
    key=("month",),
    columns=(
        Column("month", INSTANT, "First instant of the month"),
        Column("sunspot_number", pa.float64(), "Sunspot number", nullable=True),
        Column("smoothed_sunspot_number", pa.float64(), "The same, smoothed over 13 months", nullable=True),
        Column("radio_flux", pa.float64(), "Flux at 10.7 cm [solar flux unit]", nullable=True),
        Column("smoothed_radio_flux", pa.float64(), "The same, smoothed over 13 months", nullable=True),
    ),
)

MEASUREMENTS = Table(
    name="cosmic_rays.measurements",
    doc="What was measured of an exposure, or why nothing was, one row each.",
    key=("obs_id",),
    columns=(
        OBS_ID,
        INSTRUMENT,
        Column("method", pa.string(), "How hits were told: flags, rejection, threshold"),
        Column("group_key", pa.string(), "Hash of the inputs and parameters it was worked out from", ucd="meta.id"),
        Column("failure", pa.string(), "Why it could not be measured; null where it was", nullable=True),
        Column("n_hits", pa.int64(), "Hits of all chips", nullable=True, at_least=0, ucd="meta.number"),
        Column("n_hits_corrected", pa.float64(), "The same, had none lain over another", nullable=True, at_least=0),
        Column("rate_per_s_cm2", pa.float64(), "Hits a second and cm2", unit="1 / (s cm2)", nullable=True),
        Column("rate_low_per_s_cm2", pa.float64(), "Its 95 % bound below", unit="1 / (s cm2)", nullable=True),
        Column("rate_high_per_s_cm2", pa.float64(), "Its 95 % bound above", unit="1 / (s cm2)", nullable=True),
        Column("live_fraction", pa.float64(), "Share of the area where a hit would be seen", nullable=True),
        Column("energy_e", pa.float64(), "Charge of all hits", unit="electron", nullable=True),
    ),
)

IMAGES = Table(
    name="cosmic_rays.images",
    doc="What was measured of an image: a chip of an exposure, or a read of a ramp.",
    key=("obs_id", "chip", "read_id"),
    columns=(
        OBS_ID,
        CHIP,
        READ,
        Column("integration_s", pa.float64(), "Time in which its hits gathered", unit="s", at_least=0),
        Column("threshold_e", pa.float64(), "Charge above which a pixel was hit", unit="electron", nullable=True),
        Column("background_e", pa.float64(), "Median of its pixels", unit="electron", nullable=True),
        Column("background_spread_e", pa.float64(), "Their scaled MAD", unit="electron", nullable=True),
        Column("n_pixels", pa.int64(), "Pixels that could be hit", at_least=0),
        Column("n_pixels_hit", pa.int64(), "Pixels of its hits", at_least=0),
        Column("n_components", pa.int64(), "Connected pixels, however few", at_least=0),
        Column("n_small", pa.int64(), "Those too small to count as hits", at_least=0),
        Column("n_large", pa.int64(), "Those too large to", at_least=0),
        Column("n_hits", pa.int64(), "Hits", at_least=0),
        Column("n_hits_corrected", pa.float64(), "Hits, had none lain over another", nullable=True, at_least=0),
        Column("energy_e", pa.float64(), "Charge of its hits", unit="electron"),
    ),
)

POSITIONS = Table(
    name="cosmic_rays.positions",
    doc="Where Hubble was during an exposure, a row every minute or less.",
    key=("obs_id", "time"),
    columns=(
        OBS_ID,
        Column("time", INSTANT, "Instant, UTC", ucd="time"),
        Column("mjd", pa.float64(), "The same, UTC", unit="d", ucd="time"),
        Column("longitude_deg", pa.float64(), "East longitude", unit="deg", ucd="pos.earth.lon"),
        Column("latitude_deg", pa.float64(), "Geocentric latitude", unit="deg", ucd="pos.earth.lat"),
        Column("altitude_km", pa.float64(), "Height above a sphere of 6378.1 km", unit="km", ucd="pos.earth.altitude"),
        Column("geodetic_latitude_deg", pa.float64(), "Latitude on WGS-84", unit="deg", ucd="pos.earth.lat"),
        Column("geodetic_altitude_km", pa.float64(), "Height above WGS-84", unit="km", ucd="pos.earth.altitude"),
        Column("orbit_source", pa.string(), "What told the orbit: telemetry, or two_line_elements"),
        Column("elements_mjd", pa.float64(), "Epoch of its elements, UTC", unit="d", ucd="time.epoch"),
        Column("anomaly_models", pa.list_(pa.int16()), "South Atlantic Anomaly contours it was inside of"),
        Column("is_in_anomaly", pa.bool_(), "Whether it was inside of its own detector's contour"),
    ),
)

DIMS, CCD, RAMP = ("time", "chip", "y", "x"), "electron", "electron / s"
TIME = Column("time", INSTANT, "Start of the exposure, UTC", ucd="time.start;obs")
FRAME = (TIME, CHIP, OBS_ID)
READS = ("time", "read_id", "y", "x")
SAMPLE = (
    TIME,
    READ,
    OBS_ID,
    Column("sample_s", pa.float64(), "Time since the first read", unit="s"),
    Column("step_s", pa.float64(), "Time since the read before", unit="s"),
)
NAN = float("nan")

ACS_WFC = Array("cosmic_rays.acs_wfc", "Chips of ACS/WFC.", DIMS, "float32", CCD, (1, 1, 2048, 4096), NAN, FRAME)
ACS_HRC = Array("cosmic_rays.acs_hrc", "Images of ACS/HRC.", DIMS, "float32", CCD, (1, 1, 1024, 1024), NAN, FRAME)
STIS_CCD = Array("cosmic_rays.stis_ccd", "Images of STIS/CCD.", DIMS, "float32", CCD, (1, 1, 1024, 1024), NAN, FRAME)
WFC3_UVIS = Array("cosmic_rays.wfc3_uvis", "Chips of WFC3/UVIS.", DIMS, "float32", CCD, (1, 1, 2051, 4096), NAN, FRAME)
WFPC2 = Array("cosmic_rays.wfpc2", "Chips of WFPC2.", DIMS, "float32", CCD, (1, 1, 800, 800), NAN, FRAME)
WFC3_IR = Array("cosmic_rays.wfc3_ir", "Reads of WFC3/IR.", READS, "float32", RAMP, (1, 1, 1024, 1024), NAN, SAMPLE)
NIC1 = Array("cosmic_rays.nicmos_nic1", "Reads of camera 1.", READS, "float32", RAMP, (1, 8, 256, 256), NAN, SAMPLE)
NIC2 = Array("cosmic_rays.nicmos_nic2", "Reads of camera 2.", READS, "float32", RAMP, (1, 8, 256, 256), NAN, SAMPLE)
NIC3 = Array("cosmic_rays.nicmos_nic3", "Reads of camera 3.", READS, "float32", RAMP, (1, 8, 256, 256), NAN, SAMPLE)

DQ, BITS = "uint16", ""
ACS_WFC_QUALITY = Array("cosmic_rays.acs_wfc_quality", "Quality bits.", DIMS, DQ, BITS, (1, 1, 2048, 4096), 0, FRAME)
ACS_HRC_QUALITY = Array("cosmic_rays.acs_hrc_quality", "Quality bits.", DIMS, DQ, BITS, (1, 1, 1024, 1024), 0, FRAME)
STIS_CCD_QUALITY = Array("cosmic_rays.stis_ccd_quality", "Quality bits.", DIMS, DQ, BITS, (1, 1, 1024, 1024), 0, FRAME)
WFC3_UVIS_QUALITY = Array(
    "cosmic_rays.wfc3_uvis_quality", "Quality bits.", DIMS, DQ, BITS, (1, 1, 2051, 4096), 0, FRAME
)
WFC3_IR_QUALITY = Array("cosmic_rays.wfc3_ir_quality", "Quality bits.", READS, DQ, BITS, (1, 1, 1024, 1024), 0, SAMPLE)
NIC1_QUALITY = Array("cosmic_rays.nicmos_nic1_quality", "Quality bits.", READS, DQ, BITS, (1, 8, 256, 256), 0, SAMPLE)
NIC2_QUALITY = Array("cosmic_rays.nicmos_nic2_quality", "Quality bits.", READS, DQ, BITS, (1, 8, 256, 256), 0, SAMPLE)
NIC3_QUALITY = Array("cosmic_rays.nicmos_nic3_quality", "Quality bits.", READS, DQ, BITS, (1, 8, 256, 256), 0, SAMPLE)

SIGMA = "Standard errors, by which hits are rejected."
ACS_WFC_ERRORS = Array("cosmic_rays.acs_wfc_errors", SIGMA, DIMS, "float32", CCD, (1, 1, 2048, 4096), NAN, FRAME)
ACS_HRC_ERRORS = Array("cosmic_rays.acs_hrc_errors", SIGMA, DIMS, "float32", CCD, (1, 1, 1024, 1024), NAN, FRAME)
WFC3_UVIS_ERRORS = Array("cosmic_rays.wfc3_uvis_errors", SIGMA, DIMS, "float32", CCD, (1, 1, 2051, 4096), NAN, FRAME)

HIT = Column("hit_id", pa.int32(), "Number in its image, in the order of first pixels, from 1", at_least=1)

HIT_DETAILS = Table(
    name="cosmic_rays.hit_details",
    doc="More of each cosmic ray: its axes and track, and the charge of each of its pixels.",
    key=("obs_id", "chip", "read_id", "hit_id"),
    columns=(
        OBS_ID,
        CHIP,
        READ,
        HIT,
        Column("energy_net_e", pa.float64(), "Charge above the background", unit="electron", nullable=True),
        Column("peak_e", pa.float32(), "Charge of its brightest pixel", unit="electron", nullable=True),
        Column("theta_deg", pa.float32(), "Angle of its long axis, from x to y", unit="deg", nullable=True),
        Column("sigma_major_px", pa.float32(), "Width along that axis", unit="pix", nullable=True, at_least=0),
        Column("sigma_minor_px", pa.float32(), "Width across it", unit="pix", nullable=True, at_least=0),
        Column("y_min", pa.uint16(), "First row"),
        Column("y_max", pa.uint16(), "Last row"),
        Column("x_min", pa.uint16(), "First column"),
        Column("x_max", pa.uint16(), "Last column"),
        Column("dq_or", pa.int32(), "Quality bits of any of its pixels; 0 without quality", nullable=True),
        Column("pixels_e", pa.list_(pa.float32()), "Charge of its pixels, as measured", unit="electron"),
    ),
)

HITS = Table(
    name="cosmic_rays.hits",
    doc="Cosmic rays, one row each, with the pixels they hit.",
    key=("obs_id", "chip", "read_id", "hit_id"),
    columns=(
        OBS_ID,
        CHIP,
        READ,
        HIT,
        Column("n_pixels", pa.int32(), "Pixels", at_least=1, ucd="meta.number"),
        Column("energy_e", pa.float64(), "Charge, no pixel below zero", unit="electron", nullable=True),
        Column("y_px", pa.float64(), "Row of its centroid", unit="pix", nullable=True, ucd="pos.cartesian.y"),
        Column("x_px", pa.float64(), "Column of its centroid", unit="pix", nullable=True, ucd="pos.cartesian.x"),
        Column("size_px", pa.float64(), "Root mean square of its two widths", unit="pix", nullable=True),
        Column("shape", pa.float64(), "0 round, 1 a line", nullable=True, at_least=0),
        Column("is_at_edge", pa.bool_(), "Whether it touches the border of the image"),
        Column("is_saturated", pa.bool_(), "Whether a pixel of it is saturated"),
        Column("has_hot_pixel", pa.bool_(), "Whether a pixel of it is known as hot"),
        Column("pixels_y", pa.list_(pa.uint16()), "Rows of its pixels"),
        Column("pixels_x", pa.list_(pa.uint16()), "Columns of its pixels"),
    ),
)

# What files of one kind fill: exposures, telemetry, two-line elements, tables of parameters, solar activity.
KINDS = ((EXPOSURES, HEADERS), (ORBITS,), (TWO_LINE_ELEMENTS,), (REJECTION_RULES,), (SOLAR_INDICES,))
TABLES = (
    EXPOSURES, HEADERS, ORBITS, TWO_LINE_ELEMENTS, REJECTION_RULES, SOLAR_INDICES, MEASUREMENTS, IMAGES, POSITIONS,
    HIT_DETAILS, HITS,
)  # fmt: skip
