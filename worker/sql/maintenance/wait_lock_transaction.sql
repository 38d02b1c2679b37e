-- Waits for an advisory lock, within lock_timeout, and holds it until the end of the transaction.
select pg_advisory_xact_lock($1) is null as is_void
