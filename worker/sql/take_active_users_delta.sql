-- Takes every delta of a few days away, to be folded into the base in the same transaction.
delete from active_users_delta
where (project_id, event_type_id, day) in (
    select distinct project_id, event_type_id, day
    from active_users_delta
    order by project_id, event_type_id, day
    limit $1
)
returning project_id, event_type_id, day as "day: jiff_sqlx::Date", bitmap
