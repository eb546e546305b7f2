-- Rate over the Earth in units of the usual rate, mean of the detectors; rows go from south to north.
--
-- grain   one row per longitude_deg, latitude_deg
-- reads   rates_by_place

select
    longitude_deg,
    latitude_deg,
    sum(relative_rate * n_exposures) / sum(n_exposures) as relative_rate
from rates_by_place
where relative_rate is not null
group by longitude_deg, latitude_deg
order by latitude_deg, longitude_deg
