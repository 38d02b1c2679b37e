-- Of the next $4 users of a project with a number above $3, deletes the activity of those who were last seen before $2,
-- and returns the last of these numbers; no row if there is none left. One who has a delta was seen since. The entries
-- of the dictionary stay, because no number is given twice.
with next as (
    select ctid, ord, last_seen
    from user_activity
    where project_id = $1
      and ord > $3
    order by ord
    limit $4
),
gone as (
    select next.ctid
    from next
    where next.last_seen < $2
      and not exists (
          select
          from user_activity_delta d
          where d.project_id = $1
            and d.first_ord <= next.ord
            and d.last_ord >= next.ord
            and next.ord = any (d.ords)
      )
),
deleted as (
    delete from user_activity
    where ctid = any (array(select ctid from gone))
    returning ord
)
select max(next.ord) as "last!", (select count(*) from deleted) as "deleted!"
from next
having count(*) > 0
