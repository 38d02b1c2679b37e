-- The users of Docker Compose, for psql: one for each service, and one for whoever reads events with other tools. Each
-- belongs to a role that `rollcall migrate` makes, and the role says what it may do. Passwords come from the environment.
-- Running this again changes the passwords to the current ones, and nothing else.

\getenv api_password POSTGRES_API_PASSWORD
\getenv worker_password POSTGRES_WORKER_PASSWORD
\getenv reader_password POSTGRES_READER_PASSWORD

-- Without a password there is no such user.
create temporary view wanted as
select name, role, password
from (
    values
        ('api', 'rollcall_api', :'api_password'),
        ('worker', 'rollcall_worker', :'worker_password'),
        ('reader', 'rollcall_reader', :'reader_password')
) as users (name, role, password)
where password <> '';

select format('create role %I', name)
from wanted
where not exists (select from pg_roles where rolname = name)
order by name
\gexec

select format('alter role %I login password %L', name, password)
from wanted
order by name
\gexec

select format('grant %I to %I', role, name)
from wanted
where not pg_has_role(name, role, 'member')
order by name
\gexec
