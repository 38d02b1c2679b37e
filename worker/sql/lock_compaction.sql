-- One compactor at a time in the whole installation; the lock ends with the transaction.
select pg_try_advisory_xact_lock(7031) as "locked!"
