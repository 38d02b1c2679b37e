-- The owner of events, as a name for statements.
select quote_ident(pg_get_userbyid(relowner)) as "owner!"
from pg_class
where oid = 'events'::regclass
