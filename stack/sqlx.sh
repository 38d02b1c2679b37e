#!/bin/sh
# Refreshes .sqlx: starts a private PostgreSQL, applies the migrations, and has the compiler check
# every statement against it. The macros of sqlx write the results into SQLX_OFFLINE_DIR.
set -eu

cd "$(dirname "$0")/.."
data=$(mktemp -d)
cleanup() {
    exec 3>&-
    wait
    rm -rf "$data"
}
trap cleanup EXIT
trap 'exit 1' HUP INT TERM

SQLX_OFFLINE=true cargo build --quiet -p rollcall-stack
mkfifo "$data/stdin"
"${CARGO_TARGET_DIR:-target}"/debug/rollcall-stack <"$data/stdin" >"$data/out" &
# The servers stop when this end of the pipe is closed.
exec 3>"$data/stdin"
servers=$!
until grep -q READY "$data/out"; do
    kill -0 "$servers" # ends this script when the servers could not start
    sleep 0.1
done
DATABASE_URL=$(sed -n 's/^DATABASE_URL=//p' "$data/out")
export DATABASE_URL

for migration in shared/migrations/*.sql; do
    psql --quiet --single-transaction --set ON_ERROR_STOP=1 --dbname "$DATABASE_URL" --file "$migration"
done

rm -rf .sqlx
mkdir .sqlx
touch api/src/lib.rs worker/src/lib.rs archive/src/lib.rs
SQLX_OFFLINE=false SQLX_OFFLINE_DIR="$PWD/.sqlx" cargo check --quiet -p rollcall-api -p rollcall-worker -p rollcall-archive
echo "$(find .sqlx -name '*.json' | wc -l) statements checked"
