-- For how many days some project keeps its events at most; null if one keeps them for ever, or there is none.
select case when bool_and(retention_days is not null) then max(retention_days) end as retention_days
from projects
