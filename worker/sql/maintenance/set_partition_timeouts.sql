-- Settings of the current transaction. Attaching a partition gives up on a lock early, since others
-- queue behind it for the default partition; but it may move many rows out of the default partition.
select
    set_config('lock_timeout', '2s', true) as lock_timeout,
    set_config('statement_timeout', '5min', true) as statement_timeout
