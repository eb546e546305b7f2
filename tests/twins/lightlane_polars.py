"""The filters of `sql/lightlane/` a second time, in Polars; chance comes in as columns `rank_hash` and `draw`."""

import polars as pl

CHIP = ("obs_id", "detector_id")
COLUMNS = ("obs_id", "event_id", "detector_id", "arrival_s", "wavelength_nm", "wavelength_bin", "is_good")


def events(photons: pl.DataFrame) -> pl.DataFrame:
    """Photons as a chain sees them."""
    return photons.with_columns(
        wavelength_bin=pl.lit(None, pl.Int32),
        is_good=pl.all_horizontal("is_good_time", "is_good_grade", "is_good_status"),
    ).select(COLUMNS)


def chip_good_times(photons: pl.DataFrame, good_times: pl.DataFrame) -> pl.DataFrame:
    """Merged good times of each chip that photons fell on."""
    chips = photons.select("obs_id", pl.col("detector_id").fill_null(-1)).unique()
    has_own = chips.join(good_times, on=CHIP, how="semi").with_columns(table=pl.col("detector_id"))
    has_none = chips.join(good_times, on=CHIP, how="anti").with_columns(table=pl.lit(-1, pl.Int16))
    listed = (
        pl.concat([has_own, has_none])
        .join(good_times.rename({"detector_id": "table"}), on=["obs_id", "table"])
        .filter(pl.col("stop_s") > pl.col("start_s"))
        .sort(*CHIP, "start_s", "stop_s")
    )
    reached = pl.col("stop_s").cum_max().shift(1).over(CHIP)
    island = (pl.col("start_s") > reached).fill_null(True).cum_sum().over(CHIP)
    merged = listed.group_by(*CHIP, island.alias("island")).agg(pl.min("start_s"), pl.max("stop_s"))
    return merged.drop("island").sort(*CHIP, "start_s")


def shifted_events(
    events: pl.DataFrame, photons: pl.DataFrame, observations: pl.DataFrame, good_times: pl.DataFrame
) -> pl.DataFrame:
    """HRC photons with the next row's time."""
    hrc = observations.filter(pl.col("instrument").str.to_uppercase().str.starts_with("HRC"))
    times = chip_good_times(photons, good_times).rename({"detector_id": "chip"}).sort("start_s")
    shifted = (
        events.join(hrc, on="obs_id", how="semi")
        .with_columns(stored_s=pl.col("arrival_s"))
        .with_columns(pl.col("arrival_s").shift(-1).over("obs_id", order_by="event_id"))
        .drop_nulls("arrival_s")
        .with_columns(chip=pl.col("detector_id").fill_null(-1))
        .sort("arrival_s")
        .join_asof(times, left_on="arrival_s", right_on="start_s", by=["obs_id", "chip"], check_sortedness=False)
    )
    is_inside = (pl.col("arrival_s") < pl.col("stop_s")).fill_null(False) & (pl.col("arrival_s") >= pl.col("stored_s"))
    return shifted.with_columns(is_good=pl.col("is_good") & is_inside).select(COLUMNS)


def good_events(events: pl.DataFrame) -> pl.DataFrame:
    """Photons that are good."""
    return events.filter("is_good")


def timed_events(
    events: pl.DataFrame, observations: pl.DataFrame, good_times: pl.DataFrame, from_s: float, until_s: float
) -> pl.DataFrame:
    """Photons between two times after the start."""
    first = good_times.group_by("obs_id").agg(first_s=pl.min("start_s"))
    starts = observations.join(first, on="obs_id", how="left").select(
        "obs_id", zero_s=pl.coalesce("start_s", "first_s")
    )
    elapsed = pl.col("arrival_s") - pl.col("zero_s")
    return events.join(starts, on="obs_id").filter(elapsed >= from_s, elapsed < until_s).select(COLUMNS)


def banded_events(events: pl.DataFrame, min_nm: float, max_nm: float) -> pl.DataFrame:
    """Photons in a band."""
    wavelength = pl.col("wavelength_nm").cast(pl.Float64)
    return events.filter(wavelength >= min_nm, wavelength < max_nm)


def wavelength_binned_events(events: pl.DataFrame, min_nm: float, max_nm: float, n_bins: int) -> pl.DataFrame:
    """Photons in a band with their bins."""
    place = (pl.col("wavelength_nm").cast(pl.Float64) - min_nm) / (max_nm - min_nm) * n_bins
    binned = place.floor().clip(upper_bound=n_bins - 1).cast(pl.Int32)
    return banded_events(events, min_nm, max_nm).with_columns(wavelength_bin=binned)


def flattened_events(events: pl.DataFrame, occupied_only: bool, n_bins: int) -> pl.DataFrame:
    """As many photons in every bin as the poorest has, those first by `rank_hash`."""
    bins = ("obs_id", "wavelength_bin")
    place = pl.struct("rank_hash", "event_id").rank("ordinal").over(bins)
    poorest = pl.len().over(bins).min().over("obs_id")
    n_occupied = pl.col("wavelength_bin").n_unique().over("obs_id")
    is_enough = pl.lit(occupied_only) | (n_occupied >= n_bins)
    return events.drop_nulls("wavelength_bin").filter(place <= poorest, is_enough).select(COLUMNS)


def poissonized_events(
    events: pl.DataFrame,
    photons: pl.DataFrame,
    observations: pl.DataFrame,
    good_times: pl.DataFrame,
    share: float,
) -> pl.DataFrame:
    """Photons at times by `draw` in their chip's good time, but where `share_draw` is beyond `share`."""
    laid = _laid(photons, observations, good_times).rename({"detector_id": "chip"})
    totals = laid.group_by("obs_id", "chip").agg(total=pl.sum("length"))
    aimed = (
        events.with_columns(chip=pl.col("detector_id").fill_null(-1))
        .join(totals, on=["obs_id", "chip"])
        .with_columns(mark=pl.col("draw") * pl.col("total"))
        .sort("mark")
    )
    placed = aimed.join_asof(
        laid.sort("laid_to"),
        left_on="mark",
        right_on="laid_to",
        by=["obs_id", "chip"],
        strategy="forward",
        check_sortedness=False,
    )
    into = pl.col("mark") - (pl.col("laid_to") - pl.col("length"))
    on_frame = pl.col("first_s") + (pl.col("first_frame") + into.floor()) * pl.col("frame_time_s")
    anew = pl.when(pl.col("frame_time_s").is_null()).then(pl.col("start_s") + into).otherwise(on_frame)
    arrival = pl.when(pl.col("share_draw") < share).then(anew).otherwise("arrival_s")
    return placed.with_columns(arrival_s=arrival).select(COLUMNS)


def _laid(photons: pl.DataFrame, observations: pl.DataFrame, good_times: pl.DataFrame) -> pl.DataFrame:
    """Good times with their lengths, in seconds or frames, and the sum of lengths up to each one's end."""
    first = photons.group_by("obs_id", pl.col("detector_id").fill_null(-1)).agg(first_s=pl.min("arrival_s"))
    frame = pl.col("frame_time_s")
    first_frame = ((pl.col("start_s") - pl.col("first_s")) / frame).ceil()
    end_frame = ((pl.col("stop_s") - pl.col("first_s")) / frame).ceil()
    length = pl.when(frame.is_null()).then(pl.col("stop_s") - pl.col("start_s")).otherwise(end_frame - first_frame)
    return (
        chip_good_times(photons, good_times)
        .join(first, on=CHIP)
        .join(observations.select("obs_id", "frame_time_s"), on="obs_id", how="left")
        .with_columns(first_frame=first_frame, length=length)
        .filter(pl.col("length") > 0)
        .with_columns(laid_to=pl.col("length").cum_sum().over(CHIP, order_by="start_s"))
    )
