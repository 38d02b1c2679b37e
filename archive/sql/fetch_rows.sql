-- The next rows of the cursor, some milliseconds of work.
fetch 2000 from archived_rows
