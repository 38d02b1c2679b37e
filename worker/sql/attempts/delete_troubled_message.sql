delete from troubled_messages
where sequence = $1
  and published_ns = $2
