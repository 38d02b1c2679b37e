-- Gives an advisory lock of this session back.
select pg_advisory_unlock($1) as "was_held!"
