-- The schemas of a project in one state of the database, with their revision. Those that the caller has compiled come
-- without their text. If the project has none, there is one row with the revision alone.
select
    p.schemas_revision,
    s.id as "id?",
    s.event_type as "event_type?",
    s.mode as "mode?",
    case when s.id = any($2::bigint[]) then null else s.schema::text end as "schema?"
from projects p
left join event_schemas s on s.project_id = p.id
where p.id = $1
