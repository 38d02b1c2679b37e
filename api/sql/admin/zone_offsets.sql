-- How far the clocks of a time zone are ahead of UTC, twice a month from 1970 until two years from now. Changes of
-- clocks are weeks apart, so zones that differ at all differ at one of these instants.
select
    extract(epoch from instant)::bigint as "at_secs!",
    extract(epoch from (instant at time zone $1::text) - (instant at time zone 'UTC'))::int as "offset_secs!"
from generate_series(
    timestamptz '1970-01-01 00:00:00+00',
    now() + interval '2 years',
    interval '15 days'
) as instant
order by instant
