-- Adds violations to the counts of schemas, and puts the samples before those that are there. A schema that was changed
-- meanwhile has another number.
with
-- What to add.
counted as (
    select id, violations, last, samples
    from unnest($1::bigint[], $2::bigint[], $3::timestamptz[], $4::jsonb[]) as counted (id, violations, last, samples)
),
-- The schemas, locked in one order, so that replicas do not deadlock.
locked as (
    select id
    from event_schemas
    where id = any($1)
    order by id
    for no key update
)
update event_schemas s
set
    violations = s.violations + counted.violations,
    last_violation_at = greatest(s.last_violation_at, counted.last),
    samples = (
        select coalesce(jsonb_agg(newest.sample order by newest.place), '[]')
        from (
            select sample, place
            from jsonb_array_elements(counted.samples || s.samples) with ordinality as all_samples (sample, place)
            order by place
            limit $5
        ) newest
    )
from counted
join locked on locked.id = counted.id
where s.id = counted.id
