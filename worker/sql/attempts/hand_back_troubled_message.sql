-- Removes a started delivery from the count: it ended without a result.
update troubled_messages
set begun_by = array_remove(begun_by, $3)
where sequence = $1
  and published_ns = $2
