-- Counts a delivery as started. Repeating the statement for the same delivery counts once.
insert into troubled_messages as troubled (sequence, published_ns, begun_by)
values ($1, $2, array[$3::uuid])
on conflict (sequence, published_ns) do update
set begun_by = case when $3 = any(troubled.begun_by) then troubled.begun_by else troubled.begun_by || $3 end
returning
    begun + cardinality(begun_by) as "begun!",
    refusals + cardinality(refused_by) as "refusals!"
