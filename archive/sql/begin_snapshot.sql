-- Begins a transaction that sees one state of the database and changes nothing.
begin isolation level repeatable read read only
