-- What questions about users need: a rollup of when each was seen and how many events each has, and a
-- function that looks one user up in a bitmap.
--
-- Workers of the version before write no such rollup, but they need no guard of their own: migration 0013,
-- which no version without this one has, makes them wait until they are replaced. Workers of this version
-- store nothing before this is done, because the table of deltas is missing. So no events are stored
-- between the rows that are added up here and the first deltas.
set local statement_timeout = 0;

create table user_activity (
    project_id int not null,
    ord int not null,
    first_seen timestamptz not null,
    last_seen timestamptz not null,
    events bigint not null,
    primary key (project_id, ord)
    -- Room for new versions of rows. No index has a column that changes, so a fold touches no index.
) with (fillfactor = 80);
comment on table user_activity is 'When each user was seen, and how many events each has: one row a user. Together with user_activity_delta it says the same as the rows of events. The primary key serves one user by the number.';
comment on column user_activity.ord is 'The number of the user in users.';
comment on column user_activity.first_seen is 'When the user''s earliest event occurred.';
comment on column user_activity.last_seen is 'When the user''s latest event occurred.';
comment on column user_activity.events is 'How many events the user has.';

create table user_activity_delta (
    project_id int not null,
    first_ord int not null,
    last_ord int not null,
    users int not null,
    ords int[] not null,
    first_seens timestamptz[] not null,
    last_seens timestamptz[] not null,
    events bigint[] not null,
    added_at timestamptz not null default now()
);
comment on table user_activity_delta is 'Users of single batches, not yet folded into user_activity. A row holds up to 1,000 users of a project in arrays of one length, for the same reason as in sessions_delta. To read, unnest the four arrays together, or search ords.';
comment on column user_activity_delta.first_ord is 'The smallest of ords: a reader of one user skips rows whose range does not contain it.';
comment on column user_activity_delta.last_ord is 'The greatest of ords.';
comment on column user_activity_delta.users is 'How many users the row holds.';
comment on column user_activity_delta.ords is 'Each once, in ascending order, so that width_bucket finds one by binary search. The other arrays hold, at the same places, what the columns of user_activity hold, from the events of one batch.';
comment on column user_activity_delta.added_at is 'When its batch was stored; how far behind the compaction is.';
-- A list of users searches ords once for each user: in the row itself, where 1,000 of them fit, that takes
-- a microsecond. To compress the others, which are deleted within seconds, takes longer than to write them.
alter table user_activity_delta
    alter column ords set storage plain,
    alter column first_seens set storage external,
    alter column last_seens set storage external,
    alter column events set storage external;
create index user_activity_delta_by_user on user_activity_delta (project_id, first_ord, last_ord);
comment on index user_activity_delta_by_user is 'Readers take the deltas that may hold a user together with the base.';
create index user_activity_delta_by_age on user_activity_delta (project_id, added_at);
comment on index user_activity_delta_by_age is 'The oldest delta of a project, with which folding begins.';

comment on column event_counts_delta.has_sessions is 'True: the batch has written its sessions and users too. Null in deltas from before there were such rollups.';

insert into user_activity (project_id, ord, first_seen, last_seen, events)
select project_id, user_ord, min(occurred_at), max(occurred_at), count(*)
from events
group by project_id, user_ord;

-- The bitmaps of active_users are in the portable format of roaring bitmaps
-- (https://github.com/RoaringBitmap/RoaringFormatSpec). They are stored outside of their rows and
-- uncompressed, so PostgreSQL reads only the pages that hold the parts which are cut out here: of a bitmap
-- of megabytes, the header and one container of at most 8 KiB.

create function roaring_u16(bytes bytea, place int) returns int
language sql immutable parallel safe
return get_byte(bytes, place) | (get_byte(bytes, place + 1) << 8);
comment on function roaring_u16(bytea, int) is 'The 16-bit number, least significant byte first, that begins at a place counted from 0.';

create function roaring_search(bytes bytea, first_place int, step int, entries int, number int) returns int
language plpgsql immutable parallel safe
as $$
declare
    low int := 0;
    high int := entries;
    middle int;
begin
    while low < high loop
        middle := (low + high) / 2;
        if roaring_u16(bytes, first_place + middle * step) <= number then
            low := middle + 1;
        else
            high := middle;
        end if;
    end loop;
    return low - 1;
end
$$;
comment on function roaring_search(bytea, int, int, int, int) is 'Of ascending 16-bit numbers, step bytes apart, the place of the last that is not greater than the number, counted from 0; -1 if all are greater.';

create function roaring_contains(bitmap bytea, number int) returns boolean
language plpgsql immutable parallel safe
as $$
declare
    head bytea := substr(bitmap, 1, 8);
    has_runs boolean := roaring_u16(head, 0) = 12347;
    containers int;
    keys_at int;
    header bytea;
    found int;
    container_at int;
    low int := number & 65535;
    is_run boolean := false;
    entries int;
    container bytea;
begin
    -- The header: which containers there are, by the upper 16 bits of their numbers, and how full they are.
    if has_runs then
        containers := roaring_u16(head, 2) + 1;
        keys_at := 4 + (containers + 7) / 8;
    elsif roaring_u16(head, 0) = 12346 then
        containers := roaring_u16(head, 4) | (roaring_u16(head, 6) << 16);
        keys_at := 8;
    else
        raise exception 'this is not a roaring bitmap' using errcode = 'data_corrupted';
    end if;
    header := substr(bitmap, 1, keys_at + 8 * containers);
    found := roaring_search(header, keys_at, 4, containers, number >> 16);
    if found < 0 or roaring_u16(header, keys_at + 4 * found) <> number >> 16 then
        return false;
    end if;

    -- Where its container begins. A bitmap with runs and fewer than four containers does not say it.
    if not has_runs or containers >= 4 then
        container_at := roaring_u16(header, keys_at + 4 * containers + 4 * found)
            | (roaring_u16(header, keys_at + 4 * containers + 4 * found + 2) << 16);
    else
        container_at := keys_at + 4 * containers;
        for place in 0 .. found - 1 loop
            entries := roaring_u16(header, keys_at + 4 * place + 2) + 1;
            container_at := container_at + case
                when get_bit(header, 32 + place) = 1 then 2 + 4 * roaring_u16(substr(bitmap, container_at + 1, 2), 0)
                when entries <= 4096 then 2 * entries
                else 8192
            end;
        end loop;
    end if;

    -- The container: runs of numbers, each with its first and how many follow it; up to 4,096 numbers; or
    -- a bit for each of 65,536.
    is_run := has_runs and get_bit(header, 32 + found) = 1;
    entries := roaring_u16(header, keys_at + 4 * found + 2) + 1;
    if is_run then
        entries := roaring_u16(substr(bitmap, container_at + 1, 2), 0);
        container := substr(bitmap, container_at + 3, 4 * entries);
        found := roaring_search(container, 0, 4, entries, low);
        return found >= 0 and low <= roaring_u16(container, 4 * found) + roaring_u16(container, 4 * found + 2);
    elsif entries <= 4096 then
        container := substr(bitmap, container_at + 1, 2 * entries);
        found := roaring_search(container, 0, 2, entries, low);
        return found >= 0 and roaring_u16(container, 2 * found) = low;
    end if;
    return get_bit(substr(bitmap, container_at + 1 + low / 8, 1), low % 8) = 1;
end
$$;
comment on function roaring_contains(bytea, int) is 'Whether a roaring bitmap contains a number.';
