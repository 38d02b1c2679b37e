-- Rows that come into the partitions of a month while these are being merged into one. A column that is added to events or
-- event_ids must be added to these tables as well.

create table events_late (like events);
comment on table events_late is 'Copies of the rows that came into the partitions of a month since its rows were copied. Empty unless a merge is running or was interrupted.';

create table event_ids_late (like event_ids);
comment on table event_ids_late is 'The same of event_ids.';

-- Not one function with the name of the table as its argument: the statement would be planned for every row.
create function note_late_event() returns trigger language plpgsql as $$
begin
    insert into events_late values (new.*);
    return null;
end
$$;
comment on function note_late_event is 'Trigger of partitions that are being merged.';

create function note_late_event_id() returns trigger language plpgsql as $$
begin
    insert into event_ids_late values (new.*);
    return null;
end
$$;
comment on function note_late_event_id is 'Trigger of partitions that are being merged.';
