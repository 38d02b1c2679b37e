-- Waits until nobody else makes a project, and holds the others off until the end of the transaction.
select pg_advisory_xact_lock(7051) is null as is_void
