-- Moves the first day whose events a project keeps.
update projects
set kept_from = $2
where id = $1
