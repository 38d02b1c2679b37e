-- Counts a beginning whose end is not known yet.
insert into troubled_messages (sequence, published_ns, begun, refusals)
values ($1, $2, 1, 0)
on conflict (sequence, published_ns) do update
set begun = troubled_messages.begun + 1
returning begun, refusals
