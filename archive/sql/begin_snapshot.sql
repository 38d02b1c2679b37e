-- Begins a transaction that sees one state of the database and changes nothing.
begin isolation level repeatable read read only;
-- Nobody waits for the archive: it takes one processor of the server and leaves the others.
set local max_parallel_workers_per_gather = 0
