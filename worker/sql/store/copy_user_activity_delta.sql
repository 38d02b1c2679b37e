-- The users of a batch in PostgreSQL's binary format. copy.rs writes the columns in this order.
copy user_activity_delta (
    project_id, first_ord, last_ord, users, ords, first_seens, last_seens, events
) from stdin (format binary)
