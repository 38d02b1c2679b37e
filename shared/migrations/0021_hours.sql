-- What trends by hour need: how many events each hour had.
--
-- Workers of the version before write no hours, but they need no guard of their own: migration 0013, which no
-- version without this one has, makes them wait until they are replaced. Workers of this version store
-- nothing before this is done, because columns of the deltas are missing. So no events are stored between the
-- rows that are added up here and the first deltas.
set local statement_timeout = 0;

create table event_hours (
    project_id int not null,
    event_type_id int not null,
    day date not null,
    hour smallint not null,
    utc_offset int not null,
    n bigint not null,
    primary key (project_id, event_type_id, day, hour, utc_offset)
    -- Room for new versions of rows. No index has a column that changes, so a fold touches no index.
) with (fillfactor = 80);
comment on table event_hours is 'How many events of a type an hour had. Together with event_counts_delta it says the same as the rows of events. Serves trends by hour.';
comment on column event_hours.event_type_id is 'A number of event_types; 0 stands for all types together.';
comment on column event_hours.day is 'The day in the project''s time zone.';
comment on column event_hours.hour is 'The hour of the local clock, from 0 to 23.';
comment on column event_hours.utc_offset is 'How many seconds the local clock was ahead of UTC. Where clocks are put back, two hours of a day differ in nothing else.';

alter table event_counts_delta add column hour smallint, add column utc_offset int;
comment on column event_counts_delta.hour is 'As in event_hours. Null in deltas from before there were hours; their events are in event_hours already.';
comment on column event_counts_delta.utc_offset is 'As in event_hours; null together with hour.';

insert into event_hours (project_id, event_type_id, day, hour, utc_offset, n)
with local as (
    select
        e.project_id,
        e.event_type_id,
        e.occurred_at at time zone p.time_zone as at,
        e.occurred_at at time zone 'UTC' as utc
    from events e
    join projects p on p.id = e.project_id
),
counted as (
    select
        project_id,
        event_type_id,
        at::date as day,
        extract(hour from at)::smallint as hour,
        extract(epoch from at - utc)::int as utc_offset,
        count(*) as n
    from local
    group by 1, 2, 3, 4, 5
)
select project_id, coalesce(event_type_id, 0), day, hour, utc_offset, sum(n)::bigint
from counted
group by grouping sets (
    (project_id, event_type_id, day, hour, utc_offset),
    (project_id, day, hour, utc_offset)
);
