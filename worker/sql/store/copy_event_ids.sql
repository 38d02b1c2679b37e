-- Claims identities that are assumed to be new. If one is not, the statement fails. copy.rs writes the
-- columns in this order.
copy event_ids (project_id, event_id, day) from stdin (format binary)
