-- Removes the counts of messages that have left the queue: their sequence is lower than that of the first
-- message, or they were published before the stream was created.
delete from troubled_messages
where sequence < $1
   or published_ns < $2
