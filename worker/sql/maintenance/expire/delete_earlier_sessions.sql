-- Of the next $4 sessions of a project whose last event is between $3 and $2, deletes those without a delta, which have
-- had no event since; returns the time of the last of them. No row if there is none left.
with next as (
    select ctid, session_id, last_event_at
    from sessions
    where project_id = $1
      and last_event_at < $2
      and last_event_at >= $3
    order by last_event_at, session_id
    limit $4
),
gone as (
    select next.ctid
    from next
    where not exists (
        select
        from sessions_delta d
        where d.project_id = $1
          and d.first_session_id <= next.session_id
          and d.last_session_id >= next.session_id
          and next.session_id = any (d.session_ids)
    )
),
deleted as (
    delete from sessions
    where ctid = any (array(select ctid from gone))
    returning session_id
)
select
    max(next.last_event_at) as "last!: jiff_sqlx::Timestamp",
    (select count(*) from deleted) as "deleted!"
from next
having count(*) > 0
