-- Whether there is a project of this name.
select exists (select from projects where name = $1) as "exists!"
