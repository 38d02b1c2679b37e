-- Gives the schemas of a project a new revision, so that every replica reads them again.
update projects
set schemas_revision = schemas_revision + 1
where id = $1
