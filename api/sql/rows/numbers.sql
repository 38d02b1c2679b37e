-- The numbers of an event type and of a user; null if the name has none.
select
    (select t.id from event_types t where t.project_id = $1 and t.name = $2) as event_type_id,
    (select u.ord from users u where u.project_id = $1 and u.actor = $3) as user_ord
