-- Who was active on days whose bitmaps were deleted. It is read after the bitmaps, because they are added to it in the
-- transaction that deletes them.
select bitmap
from earlier_users
where project_id = $1
