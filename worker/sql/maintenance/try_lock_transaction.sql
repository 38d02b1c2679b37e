-- Takes an advisory lock until the end of the transaction; false if another session holds it.
select pg_try_advisory_xact_lock($1) as "locked!"
