-- Adds the rows that were written since the last run to one filter; returns how many ranges of pages were
-- new. Every search reads the pages that the filter does not cover.
select brin_summarize_new_values($1::oid::regclass) as "ranges!"
