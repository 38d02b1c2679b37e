-- Settings of the current transaction. Everybody who reads or writes the table waits while this waits for its first lock and
-- while it holds its locks.
select
    set_config('lock_timeout', '50ms', true) as lock_timeout,
    set_config('statement_timeout', '300ms', true) as statement_timeout
