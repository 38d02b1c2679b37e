-- Changes of all projects, latest first, before the last one of the page before.
select
    a.id,
    a.at as "at: jiff_sqlx::Timestamp",
    a.by_key_id,
    a.request_id,
    a.action,
    p.name as project,
    a.key_id,
    a.before,
    a.after
from audit_log a
join projects p on p.id = a.project_id
where a.id < $1
order by a.id desc
limit $2
