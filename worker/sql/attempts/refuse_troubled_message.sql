-- Counts a delivery as refused, and no longer as started. Repeating the statement for the same
-- delivery counts once.
insert into troubled_messages as troubled (sequence, published_ns, refused_by)
values ($1, $2, array[$3::uuid])
on conflict (sequence, published_ns) do update
set begun_by = array_remove(troubled.begun_by, $3),
    refused_by = case when $3 = any(troubled.refused_by) then troubled.refused_by else troubled.refused_by || $3 end
returning refusals + cardinality(refused_by) as "refusals!"
