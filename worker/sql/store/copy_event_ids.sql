-- Claims identities that are thought to be new; one that is not fails the statement. The columns are
-- written by copy.rs in this order.
copy event_ids (project_id, event_id, day) from stdin (format binary)
