-- An end without a result.
update troubled_messages
set begun = greatest(begun - 1, 0)
where sequence = $1
  and published_ns = $2
