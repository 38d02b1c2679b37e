-- Which deliveries were counted, so that counting one twice changes nothing.
--
-- A statement that its client gave up may be committed all the same, and is then sent again.

alter table troubled_messages
    alter column begun set default 0,
    alter column refusals set default 0,
    add column begun_by uuid[] not null default '{}',
    add column refused_by uuid[] not null default '{}';
comment on column troubled_messages.begun is 'Beginnings that workers of older versions counted. Not written any more.';
comment on column troubled_messages.refusals is 'Likewise, refusals.';
comment on column troubled_messages.begun_by is 'Deliveries that were begun and whose end nobody has told: each is a worker that died, but for those at work.';
comment on column troubled_messages.refused_by is 'Deliveries of which PostgreSQL refused rows.';
