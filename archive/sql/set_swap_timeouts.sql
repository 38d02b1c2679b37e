-- Settings of the current transaction. Everybody who reads or writes events waits while the swap waits for a lock.
select set_config('lock_timeout', '100ms', true) as lock_timeout
