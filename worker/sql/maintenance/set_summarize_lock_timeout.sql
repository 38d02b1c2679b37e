-- A setting of the current transaction. If a session waits for an automatic vacuum for longer than a second
-- (deadlock_timeout), PostgreSQL cancels the vacuum.
select set_config('lock_timeout', '500ms', true) as lock_timeout
