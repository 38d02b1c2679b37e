-- What workers must remember of deliveries across crashes, and what they tell about themselves.

create table troubled_messages (
    sequence bigint not null,
    published_ns bigint not null,
    begun int not null,
    refusals int not null,
    primary key (sequence, published_ns)
);
comment on table troubled_messages is 'Messages that were delivered more than once or refused. The queue counts deliveries, and hands out again for many innocent reasons; only what is counted here costs a message its retries. Empty when all is well.';
comment on column troubled_messages.sequence is 'Sequence in the stream of accepted events; with the time of publishing, because a stream that is made anew counts from 1.';
comment on column troubled_messages.begun is 'Times that a worker began with it and has not said how it ended: each is a worker that died, but for the one at work.';
comment on column troubled_messages.refusals is 'Times that PostgreSQL refused rows of it.';

create table worker_reports (
    worker_id uuid primary key,
    started_at timestamptz not null,
    reported_at timestamptz not null,
    events_stored bigint not null,
    events_per_second real not null,
    last_error text,
    last_error_at timestamptz
);
comment on table worker_reports is 'How every worker is doing, by its own word, renewed every two seconds. Serves /pipeline.';
comment on column worker_reports.events_stored is 'Events stored for the first time since the worker started.';
