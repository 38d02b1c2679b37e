-- Settings of the current transaction, which locks what others need. Whoever comes meanwhile queues behind it, so it
-- waits for a lock only for a moment, and each of its statements may take only a moment.
select
    set_config('lock_timeout', '80ms', true) as lock_timeout,
    set_config('statement_timeout', '200ms', true) as statement_timeout
