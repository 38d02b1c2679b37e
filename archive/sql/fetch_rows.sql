-- The next rows of the cursor: few, because each may have 64 KiB of properties.
fetch 200 from archived_rows
