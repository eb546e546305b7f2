-- Times that are good on every chip that photons fell on, by which a rate over chips is divided.
-- A chip without any good time has no good photon to divide, and does not count. An observation without
-- photons was exposed all the same: there every table counts. Lengths sum to `good_time_s` of `observations`.
--
-- grain   one row per obs_id, start_s
-- reads   chip_good_times

with chips as (
    select
        obs_id,
        count(distinct detector_id) as n_chips
    from chip_good_times
    group by obs_id
),

edges as (
    select
        obs_id,
        start_s as edge_s,
        1 as step
    from chip_good_times
    union all
    select
        obs_id,
        stop_s as edge_s,
        -1 as step
    from chip_good_times
),

steps as (
    select
        obs_id,
        edge_s,
        sum(step) as step
    from edges
    group by obs_id, edge_s
),

stretches as (
    select
        obs_id,
        edge_s as start_s,
        lead(edge_s) over (partition by obs_id order by edge_s) as stop_s,
        sum(step) over (partition by obs_id order by edge_s) as n_good
    from steps
)

select
    stretches.obs_id,
    stretches.start_s,
    stretches.stop_s
from stretches
inner join chips on stretches.obs_id = chips.obs_id
where stretches.n_good = chips.n_chips
