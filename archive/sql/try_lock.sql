-- Takes an advisory lock until the connection closes; false if another session holds it.
select pg_try_advisory_lock($1) as "locked!"
