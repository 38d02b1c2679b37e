-- What follows the table's name in the definitions of a table's indexes, other than its primary key: a partition that has the
-- same indexes is attached without building any.
select substring(pg_get_indexdef(i.indexrelid) from ' (USING .*)$') as "definition!"
from pg_index i
where i.indrelid = to_regclass($1)
  and not i.indisprimary
order by i.indexrelid
