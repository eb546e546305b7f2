"""What the flow of cosmic rays has done: files to rows, groups to hits, orbits to places. Nothing here schedules.

Kernels know no lake and the lake no Hubble; this is where the one meets the other.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import mean
from typing import Any

from lake.arrays import StoredFrame, stored_frames
from lake.derived import Derived
from lake.intake import Frames, Rows
from lake.kernels.dark_tables import (
    archive_rules,
    exposure_columns,
    frame_columns,
    header_columns,
    index_columns,
    orbit_columns,
    planes,
    rule_columns,
    tle_columns,
)
from lake.kernels.darks import exposures
from lake.kernels.detectors import DETECTORS
from lake.kernels.measurements import Finding, Measured, compared, image_measured, joined, ramp_measured, totals
from lake.kernels.orbits import Elements
from lake.kernels.positions import near_sets, orbits_used, position_columns, positions_joined
from lake.kernels.rejections import IN_FORCE, rule_in_force, rule_of
from lake.schema import Array
from lake.source import Source
from lake.store import Lake
from schemas import cosmic_rays as tables

PLANES: dict[str, tuple[Array, Array | None, Array | None]] = {
    "ACS_WFC": (tables.ACS_WFC, tables.ACS_WFC_QUALITY, tables.ACS_WFC_ERRORS),
    "ACS_HRC": (tables.ACS_HRC, tables.ACS_HRC_QUALITY, tables.ACS_HRC_ERRORS),
    "STIS_CCD": (tables.STIS_CCD, tables.STIS_CCD_QUALITY, None),
    "WFC3_UVIS": (tables.WFC3_UVIS, tables.WFC3_UVIS_QUALITY, tables.WFC3_UVIS_ERRORS),
    "WFPC2": (tables.WFPC2, None, None),
    "WFC3_IR": (tables.WFC3_IR, tables.WFC3_IR_QUALITY, None),
    "NICMOS_NIC1": (tables.NIC1, tables.NIC1_QUALITY, None),
    "NICMOS_NIC2": (tables.NIC2, tables.NIC2_QUALITY, None),
    "NICMOS_NIC3": (tables.NIC3, tables.NIC3_QUALITY, None),
}
"""Pixels, quality and errors of each detector."""
PAIR = 2

Planes = tuple[StoredFrame, StoredFrame | None, StoredFrame | None]
"""Pixels, quality and errors of an image, where they lie."""


@dataclass(frozen=True)
class Member:
    """One exposure to be measured, with its images where they lie: pixels, quality and errors of each."""

    obs_id: str
    facts: dict[str, Any]
    source: dict[str, Any]
    images: tuple[tuple[dict[str, Any], Planes], ...]


Images = list[tuple[dict[str, Any], Measured]]
"""Chip, read and time of each image, and what was measured of it."""


@dataclass(frozen=True)
class Group:
    """Exposures that are measured together: those of a file, or those that are compared with one another."""

    members: tuple[Member, ...]
    finding: Finding
    key: str
    rules: dict[str, Any] | None = None


@dataclass(frozen=True)
class Exposed:
    """One exposure whose place is to be told, with the orbits that are known."""

    obs_id: str
    facts: dict[str, Any]
    source: dict[str, Any]
    elements: Elements | None
    tles: dict[str, Any] | None


def file_rows(source: Source) -> Rows:
    """What one file gives, by what it holds."""
    if source.reader == "tle":
        return [(tables.TWO_LINE_ELEMENTS, tables.TWO_LINE_ELEMENTS.fit(tle_columns(source)))]
    if source.reader == "records":
        return [(tables.SOLAR_INDICES, tables.SOLAR_INDICES.fit(index_columns(source)))]
    if "EPCHTIME" in source.header:
        return [(tables.ORBITS, tables.ORBITS.fit(orbit_columns(source)))]
    for part in source.content.parts:
        if part.column("CRSPLIT") is not None:
            return [(tables.REJECTION_RULES, tables.REJECTION_RULES.fit(rule_columns(source, part)))]
    return exposure_rows(source)


def exposure_rows(source: Source) -> Rows:
    """Exposures of a file, and the pixels of the good ones."""
    found = exposures(source)
    rows: list[Any] = [
        (tables.EXPOSURES, tables.EXPOSURES.fit(exposure_columns(found, source.sha256))),
        (tables.HEADERS, tables.HEADERS.fit(header_columns(source, found))),
    ]
    good = tuple(exposure for exposure in found if not exposure.flaw)
    if not good:
        return rows
    for array, pixels in zip(PLANES[good[0].detector.name], planes(good), strict=True):
        if array is not None and pixels is not None:
            rows.append((array, Frames(pixels, frame_columns(good))))
    return rows


def present(lake: Lake, detectors: list[str]) -> list[str]:
    """Those detectors that the lake has exposures of."""
    if "cosmic_rays.exposures" not in lake.snapshot.tables:
        return []
    known = set(lake.table("cosmic_rays.exposures", ["instrument"]).pl()["instrument"])
    return [name for name in detectors if name in known]


def groups(lake: Lake, finding: Finding, instrument: str, since: str, until: str) -> Iterator[Group]:
    """What is to be measured: those of the time span whose inputs or parameters are not those of their measurement."""
    asked = {"detector": instrument, "since": since, "until": until, "told_by": finding.method}
    rows = lake.query("cosmic_rays.groups", **asked).pl().sort("start_time", "obs_id")
    if rows.is_empty():
        return
    facts = {row["obs_id"]: row for row in lake.table("cosmic_rays.exposures").pl().to_dicts()}
    done, rules, images = measured_keys(lake), rules_of(lake, instrument), stored_images(lake, instrument)
    ruled = {name: [str(value) for value in values] for name, values in (rules or {}).items()}
    found: dict[tuple[Any, ...], list[str]] = {}
    for row in rows.to_dicts():
        alone = row["source_sha256"] if row["method"] != "rejection" else ""
        together = (row["month"], row["method"], alone, row["amplifiers"], row["exposure_s"], row["part"])
        found.setdefault(together, []).append(row["obs_id"])
    for (_, method, *_), names in found.items():
        own = replace(finding, method=method)
        sources = sorted({facts[name]["source_sha256"] for name in names})
        # Of the archive's tables nothing but the comparison of a pair depends.
        words = [sources, asdict(own), ruled if method == "rejection" and len(names) == PAIR else {}]
        key = hashlib.sha256(json.dumps(words).encode()).hexdigest()[:16]
        if any(done.get(name) != key for name in names):
            members = [Member(n, facts[n], record(lake, facts[n]["source_sha256"]), images.get(n, ())) for n in names]
            yield Group(tuple(members), own, key, rules)


def measured_keys(lake: Lake) -> dict[str, str]:
    """Of each exposure that was measured, from what."""
    if "cosmic_rays.measurements" not in lake.snapshot.tables:
        return {}
    rows = lake.table("cosmic_rays.measurements", ["obs_id", "group_key"]).pl()
    return dict(zip(rows["obs_id"], rows["group_key"], strict=True))


def rules_of(lake: Lake, instrument: str) -> dict[str, Any] | None:
    """The archive's table of rejection parameters for a detector, where the lake has it."""
    if "cosmic_rays.rejection_rules" not in lake.snapshot.tables:
        return None
    rows = lake.table("cosmic_rays.rejection_rules", where={"instrument": instrument}).pl().sort("row_id")
    return archive_rules({name: rows[name].to_numpy() for name in rows.columns}) if rows.height else None


def record(lake: Lake, sha256: str) -> dict[str, Any]:
    """An input as the lake has it."""
    return {name: lake.snapshot.sources[sha256][name] for name in ("uri", "sha256", "size", "reader")}


def stored_images(lake: Lake, instrument: str) -> dict[str, tuple[Any, ...]]:
    """Images of each exposure of a detector, chips by number and reads by time."""
    found: dict[str, dict[int, tuple[Any, list[Any]]]] = {}
    for place, array in enumerate(PLANES[instrument]):
        if array is None or array.frames.name not in lake.snapshot.tables:
            continue
        rows = lake.table(array.frames.name).arrow()
        frames = stored_frames(lake.snapshot, lake.storage, array, rows)
        for row, frame in zip(rows.to_pylist(), frames, strict=True):
            number = row.get("chip", row.get("read_id"))
            _, where = found.setdefault(row["obs_id"], {}).setdefault(number, (row, [None, None, None]))
            where[place] = frame
    return {o: tuple((row, tuple(where)) for _, (row, where) in sorted(images.items())) for o, images in found.items()}


def measured_rows(group: Group) -> list[Derived]:
    """Measurements, images and hits of a group, by input; no images and hits where nothing could be measured."""
    found = list(measured_members(group))
    rows: list[Derived] = []
    for source in {member.source["sha256"]: member.source for member, _, _ in found}.values():
        own = [entry for entry in found if entry[0].source["sha256"] == source["sha256"]]
        measurements = [
            {
                "obs_id": member.obs_id,
                "instrument": member.facts["instrument"],
                "method": told_by(images, group.finding.method),
                "group_key": group.key,
                "failure": failure or None,
                **summed_images(member, images),
            }
            for member, images, failure in own
        ]
        rows.append(Derived(tables.MEASUREMENTS, columns_of(measurements), source))
        named = [({"obs_id": member.obs_id, **place}, m) for member, images, _ in own for place, m in images]
        images = [{**place, **m.image} for place, m in named]
        rows.append(Derived(tables.IMAGES, columns_of(images) if images else tables.IMAGES.arrow.empty_table(), source))
        hits = hit_columns(named) if named else {}
        for table in (tables.HITS, tables.HIT_DETAILS):
            own_columns = {c.name: hits[c.name] for c in table.columns} if hits else table.arrow.empty_table()
            rows.append(Derived(table, own_columns, source))
    return rows


def told_by(images: Images, method: str) -> str:
    """How hits were told; a ramp without flags has a threshold, whatever was asked for."""
    limits = [measured.image["threshold_e"] for _, measured in images]
    return "threshold" if any(limit is not None for limit in limits) else method


def measured_members(group: Group) -> Iterator[tuple[Member, Images, str]]:
    """Each exposure of a group with its images measured; or why they are not."""
    flags, failure = rejections(group) if group.finding.method == "rejection" else ({}, "")
    for member in group.members:
        if any(pixels is None for _, (pixels, _, _) in member.images) or not member.images:
            yield member, [], "no pixels in the lake"
        elif DETECTORS[member.facts["instrument"]].is_ramp:
            yield member, measured_reads(member), ""
        elif failure:
            yield member, [], failure
        elif group.finding.method == "flags" and any(quality is None for _, (_, quality, _) in member.images):
            yield member, [], "no quality flags: measure it with --method threshold"
        else:
            yield member, list(measured_chips(member, group.finding, flags)), ""


def measured_reads(member: Member) -> Images:
    """Reads of a ramp after the zeroth one."""
    detector = DETECTORS[member.facts["instrument"]]
    rows = [row for row, _ in member.images]
    rates = [pixels.read() for _, (pixels, _, _) in member.images]
    bits = [quality.read() if quality else None for _, (_, quality, _) in member.images]
    times = [[row[name] for row in rows] for name in ("sample_s", "step_s")]
    return [
        ({"chip": 1, "read_id": rows[k]["read_id"], "integration_s": rows[k]["step_s"]}, measured)
        for k, measured in ramp_measured(detector, rates, bits, *times)
    ]


def measured_chips(member: Member, finding: Finding, flags: dict[tuple[str, int], Any]) -> Iterator[Any]:
    """Chips of a CCD."""
    for row, (pixels, quality, _) in member.images:
        place = {"chip": row["chip"], "read_id": 0, "integration_s": member.facts["integration_s"]}
        bits = quality.read() if quality else None
        yield place, image_measured(pixels.read(), bits, finding, is_rejected=flags.get((member.obs_id, row["chip"])))


def rejections(group: Group) -> tuple[dict[tuple[str, int], Any], str]:
    """What stands out of the group, by exposure and chip; or why it can't be told."""
    members, n = group.members, len(group.members)
    name, exposure_s = members[0].facts["instrument"], [member.facts["exposure_s"] for member in members]
    if name not in IN_FORCE:
        return {}, f"no rule to compare exposures of {name}: measure it with --method threshold"
    if n < PAIR:
        return {}, "alone in its month: no other exposure to compare it with"
    chips = {tuple(row["chip"] for row, _ in member.images) for member in members}
    if len(chips) > 1:
        return {}, f"its group has images of different chips: {', '.join(map(str, sorted(chips)))}"
    found: dict[tuple[str, int], Any] = {}
    try:
        for place, chip in enumerate(chips.pop()):
            images, quality, errors = (
                [frame.read() for member in members if (frame := member.images[place][1][plane])] for plane in range(3)
            )
            # A table of the archive is for pairs; larger groups of darks have their own rules.
            is_tabled = n == PAIR and group.rules is not None
            rule = rule_of(group.rules or {}, n, mean(exposure_s), chip) if is_tabled else rule_in_force(name, n)
            flags = compared(images, quality, errors, exposure_s, members[0].facts["read_noise_e"], rule)
            found |= {(member.obs_id, chip): own for member, own in zip(members, flags, strict=True)}
    except ValueError as error:
        return {}, str(error)
    return found, ""


def summed_images(member: Member, images: Images) -> dict[str, Any]:
    """What the images of an exposure add up to; of a ramp, its reads share the area."""
    detector = DETECTORS[member.facts["instrument"]]
    gathered = sum(place["integration_s"] for place, _ in images)
    integration_s = gathered if detector.is_ramp else member.facts["integration_s"]
    found = [measured.image for _, measured in images]
    return totals(found, integration_s, member.facts["area_cm2"], detector.rows * detector.columns)


def exposed(lake: Lake) -> list[list[Exposed]]:
    """Exposures whose place is not told by the orbits that the lake has for them, a file's together."""
    names = lake.snapshot.tables
    if "cosmic_rays.exposures" not in names:
        return []
    orbits, tles = {}, None
    if "cosmic_rays.orbits" in names:
        rows = lake.table("cosmic_rays.orbits").pl().to_dicts()
        orbits = {row.pop("archive_id"): Elements(**row) for row in rows}
    if "cosmic_rays.two_line_elements" in names:
        columns = lake.table("cosmic_rays.two_line_elements", ["epoch_mjd", "line_1", "line_2"]).pl()
        # Files may repeat a set; which of them came first makes no difference.
        columns = columns.sort("epoch_mjd", "line_1", "line_2").unique("epoch_mjd", keep="first", maintain_order=True)
        tles = {name: columns[name].to_numpy() for name in columns.columns}
    used = placed_by(lake)
    found: dict[str, list[Exposed]] = {}
    pending: set[str] = set()
    for facts in lake.table("cosmic_rays.exposures").pl().sort("obs_id").to_dicts():
        elements, sha256 = orbits.get(facts["archive_id"]), facts["source_sha256"]
        start, stop = facts["start_mjd"], facts["stop_mjd"]
        near = None if elements or tles is None else near_sets(tles, start)
        found.setdefault(sha256, []).append(Exposed(facts["obs_id"], facts, record(lake, sha256), elements, near))
        if orbits_used(start, stop, elements, near) != used.get(facts["obs_id"], frozenset()):
            pending.add(sha256)
    return [found[sha256] for sha256 in sorted(pending)]


def placed_by(lake: Lake) -> dict[str, frozenset[tuple[str, float]]]:
    """Of each exposure whose place is told, by which orbits."""
    if "cosmic_rays.positions" not in lake.snapshot.tables:
        return {}
    rows = lake.table("cosmic_rays.positions", ["obs_id", "orbit_source", "elements_mjd"]).pl().unique()
    found: dict[str, set[tuple[str, float]]] = {}
    for obs_id, source, epoch in rows.iter_rows():
        found.setdefault(obs_id, set()).add((source, epoch))
    return {obs_id: frozenset(orbits) for obs_id, orbits in found.items()}


def position_rows(exposures_of_file: list[Exposed]) -> list[Derived]:
    """Where Hubble was during the exposures of a file; no rows where nothing tells it."""
    found = []
    for one in exposures_of_file:
        f = one.facts
        if columns := position_columns(f["instrument"], f["start_mjd"], f["stop_mjd"], one.elements, one.tles):
            found.append((one.obs_id, columns))
    rows = positions_joined(found) if found else tables.POSITIONS.arrow.empty_table()
    return [Derived(tables.POSITIONS, rows, exposures_of_file[0].source)]


def columns_of(rows: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    """Rows as columns."""
    return {name: [row[name] for row in rows] for name in rows[0]}


def hit_columns(images: Images) -> dict[str, Any]:
    """Hits of some images, their pixels as lists."""
    shared = [{n: v for n, v in place.items() if n != "integration_s"} for place, _ in images]
    return joined([(common, measured.hits) for common, (_, measured) in zip(shared, images, strict=True)])
