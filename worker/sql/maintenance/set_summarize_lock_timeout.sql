-- A setting of the current transaction. A session that waits for vacuum for longer than a second
-- (deadlock_timeout) would cancel the vacuum.
select set_config('lock_timeout', '500ms', true) as lock_timeout
