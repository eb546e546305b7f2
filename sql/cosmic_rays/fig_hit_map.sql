-- Pixels hit over one chip of one detector, the one with most of them unless another is asked for.
--
-- grain   one row per x_px, y_px
-- reads   hit_map
-- param   $detector = ''  detector, that with most pixels hit if empty
-- param   $chip_id = 1         its chip  [1]  at least 1

with busiest as (
    select instrument
    from hit_map
    where chip = $chip_id and ($detector = '' or instrument = upper($detector))
    group by instrument
    order by sum(n_pixels_hit) desc, instrument
    limit 1
)

select
    hit_map.x_px,
    hit_map.y_px,
    hit_map.n_pixels_hit
from hit_map
inner join busiest on hit_map.instrument = busiest.instrument
where hit_map.chip = $chip_id
order by hit_map.x_px, hit_map.y_px
