-- Counts of messages that have left the queue: by their number, or with the stream that they were in.
delete from troubled_messages
where sequence < $1
   or published_ns < $2
