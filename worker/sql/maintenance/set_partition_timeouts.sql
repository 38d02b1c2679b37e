-- Settings of the current transaction. The lock timeout is short, because other sessions queue behind a
-- statement that waits to lock the default partition. The statement timeout is long, because many rows may
-- have to be moved out of the default partition.
select
    set_config('lock_timeout', '2s', true) as lock_timeout,
    set_config('statement_timeout', '5min', true) as statement_timeout
