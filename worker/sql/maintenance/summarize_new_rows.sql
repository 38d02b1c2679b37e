-- Brings one filter up to date with the rows written since the last time; returns how many ranges of
-- pages were new. Pages that are not summarized are read by every search.
select brin_summarize_new_values($1::oid::regclass) as "ranges!"
