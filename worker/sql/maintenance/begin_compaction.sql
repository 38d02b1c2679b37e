-- One compactor of a kind at a time in the whole installation; the lock ends with the transaction.
-- So do the settings. Statistics of tables that fill and empty within seconds are always wrong, so
-- deltas are found through their index whatever the planner believes, and nothing is compiled on
-- account of the costs that it then sees.
select
    pg_try_advisory_xact_lock($1) as "locked!",
    set_config('enable_seqscan', 'off', true) as enable_seqscan,
    set_config('enable_bitmapscan', 'off', true) as enable_bitmapscan,
    set_config('jit', 'off', true) as jit
