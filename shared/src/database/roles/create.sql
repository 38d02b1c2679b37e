-- Creates the roles that are missing in this server. They cannot log in.
do $$
declare
    missing text;
begin
    for missing in
        select name
        from unnest(array['rollcall_api', 'rollcall_worker', 'rollcall_reader']) as wanted (name)
        where not exists (select from pg_roles where rolname = name)
        order by name
    loop
        execute format('create role %I nologin', missing);
    end loop;

    -- Tables can be given only to a role that one is a member of, and later migrations must still be allowed to change
    -- them. A superuser counts as a member of every role.
    if not pg_has_role(current_user, 'rollcall_worker', 'member') then
        execute format('grant rollcall_worker to %I', current_user);
    end if;
end
$$
