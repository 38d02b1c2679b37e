-- Grants what the roles lack. Only what is missing, because every grant makes all sessions plan their statements anew.
do $$
declare
    missing record;
begin
    if not has_schema_privilege('rollcall_worker', current_schema(), 'create') then
        -- For partitions.
        execute format('grant create on schema %I to rollcall_worker', current_schema());
    end if;
    for missing in
        with roles (role) as (
            select unnest(array['rollcall_api', 'rollcall_worker', 'rollcall_reader'])
        )
        select role
        from roles
        where not has_schema_privilege(role, current_schema(), 'usage')
        order by role
    loop
        execute format('grant usage on schema %I to %I', current_schema(), missing.role);
    end loop;

    for missing in
        with wanted (role, privileges, tables) as (
            values
                -- Answers.
                (
                    'rollcall_api',
                    'select',
                    'projects api_keys cursor_keys event_types users event_ids events event_counts event_counts_delta event_hours '
                    'active_users active_users_delta active_user_spans earlier_users sessions sessions_delta user_activity user_activity_delta '
                    'worker_reports event_log archived_days'
                ),
                -- Whether the schema is up to date.
                ('rollcall_api', 'select', '_sqlx_migrations'),
                ('rollcall_worker', 'select', '_sqlx_migrations'),
                -- Administration. Nobody changes or deletes what the audit log says.
                ('rollcall_api', 'insert update', 'projects api_keys'),
                ('rollcall_api', 'select insert', 'audit_log'),
                ('rollcall_api', 'select insert update delete', 'event_schemas'),
                -- Sessions of the dashboard. To lock rows that it removes, the API needs the right to update them.
                ('rollcall_api', 'select insert update delete', 'web_sessions'),
                -- Storing and compaction.
                ('rollcall_worker', 'select', 'projects'),
                ('rollcall_worker', 'select insert', 'event_types users'),
                (
                    'rollcall_worker',
                    'select insert update delete',
                    'event_counts event_counts_delta event_hours active_users active_users_delta active_user_spans '
                    'sessions sessions_delta user_activity user_activity_delta troubled_messages worker_reports archived_days events_late event_ids_late'
                ),
                ('rollcall_reader', 'select', 'event_log')
        ),
        single as (
            -- one row for each role, privilege and table that exists
            select role, privilege, to_regclass(name) as relation
            from wanted
            cross join string_to_table(privileges, ' ') as privilege
            cross join string_to_table(tables, ' ') as name
            where to_regclass(name) is not null
        )
        select role, relation, string_agg(privilege, ', ' order by privilege) as privileges
        from single
        where not has_table_privilege(role, relation, privilege)
        group by role, relation
        order by relation, role
    loop
        execute format('grant %s on %s to %I', missing.privileges, missing.relation, missing.role);
    end loop;

    -- The counters of the dictionaries, and from when on events are kept.
    if not has_column_privilege('rollcall_worker', 'projects', 'next_user_ord', 'update')
        or not has_column_privilege('rollcall_worker', 'projects', 'next_event_type_id', 'update')
        or not has_column_privilege('rollcall_worker', 'projects', 'event_type_count', 'update')
        or not has_column_privilege('rollcall_worker', 'projects', 'kept_from', 'update')
    then
        grant update (next_user_ord, next_event_type_id, event_type_count, kept_from) on projects to rollcall_worker;
    end if;
end
$$
