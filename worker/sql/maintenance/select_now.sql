-- The clock that all workers share.
select now() as "now!: jiff_sqlx::Timestamp"
