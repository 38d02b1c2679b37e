-- Begins a transaction that sees one state of the database and changes nothing.
begin isolation level repeatable read read only;
-- Nobody waits for an export: it takes one processor of the server and leaves the others.
set local max_parallel_workers_per_gather = 0;
-- All rows of the cursor are fetched; by default, PostgreSQL plans for the first tenth.
set local cursor_tuple_fraction = 1
