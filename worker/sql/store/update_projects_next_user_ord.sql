-- Reserves consecutive numbers for new actors; returns the first number after them.
update projects
set next_user_ord = next_user_ord + $2
where id = $1
returning next_user_ord
