-- Pixels hit in each square of a chip; squares never hit are no rows.
-- `y_px` and `x_px` are the first row and column of a square.
--
-- grain   one row per instrument, chip, y_px, x_px
-- reads   hits, measured_exposures
-- param   $bin_px = 16        side of a square  [pix]  at least 1
-- param   $darks_only = true  leave out what was exposed to light

with pixels as (
    select
        exposures.instrument,
        hits.chip,
        unnest(hits.pixels_y) as y,
        unnest(hits.pixels_x) as x
    from hits
    inner join measured_exposures as exposures on hits.obs_id = exposures.obs_id
    where exposures.is_dark or not $darks_only
)

select
    instrument,
    chip,
    cast(y // $bin_px * $bin_px as integer) as y_px,
    cast(x // $bin_px * $bin_px as integer) as x_px,
    count(*) as n_pixels_hit
from pixels
group by instrument, chip, y_px, x_px
