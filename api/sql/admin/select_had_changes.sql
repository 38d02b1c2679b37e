-- Whether a project has had so many changes within a day: whether the latest but $2 is younger.
select at > now() - interval '1 day' as "is_recent!"
from audit_log
where project_id = $1
order by id desc
limit 1
offset $2
