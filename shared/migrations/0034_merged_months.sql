-- Rows that come into the partitions of a month while they are being merged into one.

create function note_late_row() returns trigger language plpgsql as $$
begin
    execute format('insert into %I select ($1).*', tg_argv[0]) using new;
    return null;
end
$$;
comment on function note_late_row is 'Trigger of a partition that is being merged: copies a new row into the table that the argument names.';
