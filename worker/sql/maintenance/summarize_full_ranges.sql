-- Adds ranges of pages to the filter of a partition that is written to, from number $2 on, and returns the number
-- of the first range that is left out: the last ranges, which may still get rows. A row that comes into a
-- range which the filter covers changes the filter and compresses it anew; that takes longer than all else that
-- storing the row takes. Every search reads the ranges that are left out.
with filter as (
    select
        i.indexrelid::regclass as name,
        coalesce(
            (select option_value::bigint from pg_options_to_table(c.reloptions) where option_name = 'pages_per_range'),
            128
        ) as pages_per_range,
        pg_relation_size(i.indrelid) / current_setting('block_size')::bigint as pages
    from pg_index i
    join pg_class c on c.oid = i.indexrelid
    where i.indexrelid = $1::oid
),
finished as (
    select
        name,
        pages_per_range,
        -- sessions that write at the same time have up to this many ranges that are not full
        greatest(pages / pages_per_range - 2, 0) as ranges
    from filter
)
select
    finished.ranges as "ranges!",
    count(brin_summarize_range(finished.name, number * finished.pages_per_range)) as "visited!"
from finished
left join lateral generate_series($2::bigint, finished.ranges - 1) as number on true
group by finished.ranges
