-- The owner of a table, as a name for statements.
select quote_ident(pg_get_userbyid(relowner)) as "owner!"
from pg_class
where oid = to_regclass($1)
