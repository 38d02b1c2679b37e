-- Settings of the current transaction. The statistics of tables that fill and empty within seconds are
-- always wrong, so deltas are found through their index whatever the planner estimates, and JIT
-- compilation, which the same estimates would trigger, is off.
select
    set_config('enable_seqscan', 'off', true) as enable_seqscan,
    set_config('enable_bitmapscan', 'off', true) as enable_bitmapscan,
    set_config('jit', 'off', true) as jit
