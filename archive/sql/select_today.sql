-- Today in UTC.
select (now() at time zone 'UTC')::date as "today!: jiff_sqlx::Date"
