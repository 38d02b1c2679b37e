-- One migration at a time changes roles in this database. The number is that of no lock of workers, which count from
-- 7031.
select pg_advisory_xact_lock(7030)
