-- The tables of events and identities that workers do not own, as names for statements, and what a merge of months has left
-- that was interrupted before a backup. Parents come first, because that is the order in which everybody locks them.
with parents as (
    select unnest(array['events', 'event_ids']::regclass[]) as oid
),
tables as (
    select oid, true as is_parent from parents
    union all
    select child.inhrelid, false
    from pg_inherits child
    join parents on parents.oid = child.inhparent
    union all
    select leftover.oid, false
    from parents
    join pg_class parent on parent.oid = parents.oid
    join pg_class leftover on leftover.relnamespace = parent.relnamespace
        and leftover.relkind = 'r'
        and leftover.relname ~ ('^' || parent.relname || '_[0-9]{8}_[0-9]{8}_(merging|merged)$')
        and not leftover.relispartition
)
select tables.oid::regclass::text
from tables
join pg_class on pg_class.oid = tables.oid
where pg_class.relowner <> 'rollcall_worker'::regrole
order by tables.is_parent desc, pg_class.relname
