-- Who was active in a whole week or month: the union of its days, kept ready for the questions about weeks and months.
--
-- A change of a day removes the unions that contain it, whoever makes the change; workers unite the days again.

create table active_user_spans (
    project_id int not null,
    first_day date not null,
    last_day date not null,
    users_count int,
    bitmap bytea,
    lacking_since timestamptz not null default now(),
    primary key (project_id, first_day, last_day),
    check ((users_count is null) = (bitmap is null))
);
comment on table active_user_spans is 'Who was active in a week or month, over all event types: the union of active_users.';
comment on column active_user_spans.first_day is 'A Monday, or the first day of a month, in the project''s time zone.';
comment on column active_user_spans.last_day is 'The Sunday, or the last day of the month.';
comment on column active_user_spans.users_count is 'The cardinality of the bitmap.';
comment on column active_user_spans.bitmap is 'A roaring bitmap of users.ord; null if a day has changed since the days were united.';
comment on column active_user_spans.lacking_since is 'Since when there has been no bitmap, or was not when it was made.';
alter table active_user_spans alter column bitmap set storage external;
create index active_user_spans_lacking on active_user_spans (last_day) where bitmap is null;
comment on index active_user_spans_lacking is 'Workers find what is to be united.';

create function active_user_spans_of(project_id int, day date)
returns table (project_id int, first_day date, last_day date) language sql immutable as $$
    values
        (project_id, date_trunc('week', day::timestamp)::date, date_trunc('week', day::timestamp)::date + 6),
        (project_id, date_trunc('month', day::timestamp)::date, (date_trunc('month', day::timestamp) + interval '1 month - 1 day')::date)
$$;
comment on function active_user_spans_of is 'The week and the month that contain a day.';

create function forget_active_user_spans() returns trigger language plpgsql set search_path from current as $$
declare
    changed active_users := case when tg_op = 'DELETE' then old else new end;
begin
    insert into active_user_spans as spans (project_id, first_day, last_day)
    select * from active_user_spans_of(changed.project_id, changed.day)
    on conflict (project_id, first_day, last_day) do update
    set users_count = null,
        bitmap = null,
        lacking_since = now()
    where spans.bitmap is not null;
    return null;
end
$$;
comment on function forget_active_user_spans is 'Trigger of active_users.';

create function forget_all_active_user_spans() returns trigger language plpgsql set search_path from current as $$
begin
    delete from active_user_spans;
    return null;
end
$$;
comment on function forget_all_active_user_spans is 'Trigger of active_users.';

create trigger forget_active_user_spans
after insert or update on active_users
for each row when (new.event_type_id = 0)
execute function forget_active_user_spans();

create trigger forget_active_user_spans_of_deleted_days
after delete on active_users
for each row when (old.event_type_id = 0)
execute function forget_active_user_spans();

create trigger forget_all_active_user_spans
after truncate on active_users
for each statement
execute function forget_all_active_user_spans();

insert into active_user_spans (project_id, first_day, last_day)
select distinct spans.*
from active_users
cross join lateral active_user_spans_of(active_users.project_id, active_users.day) as spans
where active_users.event_type_id = 0;
