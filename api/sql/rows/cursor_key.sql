-- The key that signs cursors, the same for every replica.
select key
from cursor_keys
