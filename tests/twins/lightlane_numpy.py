"""The filters of `sql/lightlane/` a third time, in NumPy, one observation or chip after the other.

A table is a dict of arrays. An unknown wavelength is NaN; an unknown chip, or no wavelength bin, is -1. Chance comes
in as arrays `rank_hash`, `draw` and `share_draw`.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = dict[str, NDArray[Any]]
COLUMNS = ("obs_id", "event_id", "detector_id", "arrival_s", "wavelength_nm", "wavelength_bin", "is_good")


def kept(rows: Rows, which: NDArray[Any]) -> Rows:
    """Rows under a mask, or at places."""
    return {name: rows[name][which] for name in COLUMNS}


def chips(rows: Rows) -> Iterator[tuple[str, int, NDArray[Any]]]:
    """Observation, chip, and the places of its rows."""
    for obs_id, chip in sorted(set(zip(rows["obs_id"].tolist(), rows["detector_id"].tolist(), strict=True))):
        yield obs_id, chip, np.flatnonzero((rows["obs_id"] == obs_id) & (rows["detector_id"] == chip))


def events(photons: Rows) -> Rows:
    """Photons as a chain sees them."""
    is_good = photons["is_good_time"] & photons["is_good_grade"] & photons["is_good_status"]
    no_bin = np.full(len(is_good), -1)
    return {name: {**photons, "wavelength_bin": no_bin, "is_good": is_good}[name] for name in COLUMNS}


def good_spans(good_times: Rows, obs_id: str, chip: int) -> list[tuple[float, float]]:
    """Good times of one chip, merged: its own if there are any, else those of all."""
    here = good_times["obs_id"] == obs_id
    own = here & (good_times["detector_id"] == chip)
    which = own if own.any() else here & (good_times["detector_id"] == -1)
    spans: list[tuple[float, float]] = []
    for start, stop in sorted(zip(good_times["start_s"][which], good_times["stop_s"][which], strict=True)):
        if stop <= start:
            continue
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(stop, spans[-1][1]))
        else:
            spans.append((start, stop))
    return spans


def shifted_events(events: Rows, photons: Rows, observations: Rows, good_times: Rows) -> Rows:
    """HRC photons with the next row's time."""
    found = []
    for obs_id, instrument in zip(observations["obs_id"], observations["instrument"], strict=True):
        if str(instrument).upper().startswith("HRC"):
            own = np.flatnonzero(events["obs_id"] == obs_id)
            own = own[np.argsort(events["event_id"][own])]
            rows = kept(events, own[:-1])
            rows["arrival_s"] = events["arrival_s"][own[1:]]
            rows["is_good"] &= rows["arrival_s"] >= events["arrival_s"][own[:-1]]
            found.append(rows)
    rows = joined(found, events)
    for obs_id, chip, own in chips(rows):
        time = rows["arrival_s"][own]
        inside = [(start <= time) & (time < stop) for start, stop in good_spans(good_times, obs_id, chip)]
        rows["is_good"][own] &= np.any(inside, axis=0) if inside else False
    return rows


def joined(tables: list[Rows], like: Rows) -> Rows:
    """Tables one under the other."""
    empty = {name: like[name][:0] for name in COLUMNS}
    return {name: np.concatenate([t[name] for t in [empty, *tables]]) for name in COLUMNS}


def good_events(events: Rows) -> Rows:
    """Photons that are good."""
    return kept(events, events["is_good"])


def timed_events(events: Rows, observations: Rows, good_times: Rows, from_s: float, until_s: float) -> Rows:
    """Photons between two times after the start."""
    keep = np.zeros(len(events["event_id"]), bool)
    for obs_id, stated in zip(observations["obs_id"], observations["start_s"], strict=True):
        starts = good_times["start_s"][good_times["obs_id"] == obs_id]
        zero = stated if np.isfinite(stated) else starts.min() if len(starts) else np.nan
        elapsed = events["arrival_s"] - zero
        keep |= (events["obs_id"] == obs_id) & (elapsed >= from_s) & (elapsed < until_s)
    return kept(events, keep)


def banded_events(events: Rows, min_nm: float, max_nm: float) -> Rows:
    """Photons in a band."""
    wavelength = events["wavelength_nm"].astype(np.float64)
    return kept(events, (wavelength >= min_nm) & (wavelength < max_nm))


def wavelength_binned_events(events: Rows, min_nm: float, max_nm: float, n_bins: int) -> Rows:
    """Photons in a band with their bins."""
    rows = banded_events(events, min_nm, max_nm)
    wavelength = rows["wavelength_nm"].astype(np.float64)
    place = np.floor((wavelength - min_nm) / (max_nm - min_nm) * n_bins)
    return {**rows, "wavelength_bin": np.minimum(place, n_bins - 1).astype(np.int64)}


def flattened_events(events: Rows, occupied_only: bool, n_bins: int) -> Rows:
    """As many photons in every bin as the poorest has, those first by `rank_hash`."""
    places: list[NDArray[Any]] = []
    for obs_id in np.unique(events["obs_id"]):
        own = np.flatnonzero((events["obs_id"] == obs_id) & (events["wavelength_bin"] >= 0))
        in_bins = [own[events["wavelength_bin"][own] == w] for w in np.unique(events["wavelength_bin"][own])]
        if occupied_only or len(in_bins) >= n_bins:
            poorest = min(map(len, in_bins), default=0)
            for one in in_bins:
                order = np.lexsort((events["event_id"][one], events["rank_hash"][one]))
                places.append(one[order[:poorest]])
    return kept(events, np.concatenate([np.empty(0, np.int64), *places]))


def poissonized_events(events: Rows, photons: Rows, observations: Rows, good_times: Rows, share: float) -> Rows:
    """Photons at times by `draw` in their chip's good time, but where `share_draw` is beyond `share`."""
    found = []
    frames = dict(zip(observations["obs_id"].tolist(), observations["frame_time_s"].tolist(), strict=True))
    first = {(obs_id, chip): photons["arrival_s"][own].min() for obs_id, chip, own in chips(photons)}
    for obs_id, chip, own in chips(events):
        spans = good_spans(good_times, obs_id, chip)
        frame_s = frames.get(obs_id, np.nan)
        times = _on_frames if np.isfinite(frame_s) else _within
        drawn = times(events["draw"][own], spans, first[obs_id, chip], frame_s)
        if drawn is not None:
            rows = kept(events, own)
            rows["arrival_s"] = np.where(events["share_draw"][own] < share, drawn, rows["arrival_s"])
            found.append(rows)
    return joined(found, events)


def _within(draw: NDArray[Any], spans: list[tuple[float, float]], first_s: float, frame_s: float) -> Any:
    if not spans:
        return None
    start, stop = np.array(spans).T
    ends = np.cumsum(stop - start)
    mark = draw * ends[-1]
    place = np.searchsorted(ends, mark, side="right")
    return stop[place] - (ends[place] - mark)


def _on_frames(draw: NDArray[Any], spans: list[tuple[float, float]], first_s: float, frame_s: float) -> Any:
    """Every frame of every span is listed, and one of them picked."""
    frames = []
    for start, stop in spans:
        around = first_s + frame_s * np.arange((start - first_s) // frame_s - 1, (stop - first_s) // frame_s + 2)
        frames.extend(around[(around >= start) & (around < stop)])
    return np.array(frames)[np.floor(draw * len(frames)).astype(np.int64)] if frames else None


def wavelength_counts(events: Rows, n_bins: int) -> dict[str, list[int]]:
    """Photons in each bin of each observation that has any."""
    counted = {}
    for obs_id in np.unique(events["obs_id"]):
        own = events["wavelength_bin"][events["obs_id"] == obs_id]
        counted[str(obs_id)] = [int((own == w).sum()) for w in range(n_bins)]
    return counted


def light_curve(time_s: NDArray[Any], spans: list[tuple[float, float]], bin_s: float) -> tuple[list[int], list[float]]:
    """Photons and good time of each bin, from the first good time to the last."""
    n_bins = int(np.ceil((spans[-1][1] - spans[0][0]) / bin_s))
    counts, exposures = [], []
    inside = np.any([(start <= time_s) & (time_s < stop) for start, stop in spans], axis=0)
    for k in range(n_bins):
        low, high = spans[0][0] + k * bin_s, spans[0][0] + (k + 1) * bin_s
        counts.append(int((inside & (time_s >= low) & (time_s < high)).sum()))
        exposures.append(sum(max(0.0, min(stop, high) - max(start, low)) for start, stop in spans))
    return counts, exposures
