-- Counts a refusal, which is also an end. A first delivery was not counted as begun.
insert into troubled_messages (sequence, published_ns, begun, refusals)
values ($1, $2, 0, 1)
on conflict (sequence, published_ns) do update
set begun = greatest(troubled_messages.begun - 1, 0),
    refusals = troubled_messages.refusals + 1
returning refusals
