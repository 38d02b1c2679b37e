-- The users of a batch, or up to 1,000 of them, as one row of arrays.
insert into user_activity_delta (
    project_id, first_ord, last_ord, users, ords, first_seens, last_seens, events
)
values ($1, $2, $3, $4, $5, $6, $7, $8)
