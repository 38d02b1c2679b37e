-- The session that holds an advisory lock of this database. Anybody may see as much of another user's session.
select session.pid as "pid!", session.usename::text as "user", session.application_name
from pg_locks held
join pg_stat_activity session on session.pid = held.pid
where held.locktype = 'advisory'
  and held.database = (select oid from pg_database where datname = current_database())
  and held.classid = 0
  and held.objid::bigint = $1
  and held.objsubid = 1
  and held.granted
