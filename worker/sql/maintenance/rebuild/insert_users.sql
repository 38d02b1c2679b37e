-- The activity of the users of a project from its rows, in the order of keys.
insert into user_activity (project_id, ord, first_seen, last_seen, events)
select $1, user_ord, min(occurred_at), max(occurred_at), count(*)
from events
where project_id = $1
group by user_ord
order by user_ord
