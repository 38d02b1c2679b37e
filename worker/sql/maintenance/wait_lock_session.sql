-- Waits for an advisory lock, within lock_timeout, and holds it until it is given back or the connection closes.
select pg_advisory_lock($1) is null as is_void
