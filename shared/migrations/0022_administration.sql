-- Limits of projects and keys.
alter table projects
    add column requests_per_second int check (requests_per_second > 0),
    add column events_per_second int check (events_per_second > 0);
alter table api_keys
    add column requests_per_second int check (requests_per_second > 0),
    add column events_per_second int check (events_per_second > 0);
