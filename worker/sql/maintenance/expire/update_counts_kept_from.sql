-- Moves the first day whose counts a project keeps.
update projects
set counts_kept_from = $2
where id = $1
