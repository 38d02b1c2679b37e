-- The key that signs cursors. All replicas use the same key.
select key
from cursor_keys
