#!/bin/sh
# Puts a backup that backup.sh has made onto empty servers:
#
#   sh stack/restore.sh FOLDER
#
# PostgreSQL must run, and nats-server, the API and the workers must not. It overwrites nothing: if the database has a
# table, or the folder of the streams a stream, it says so and changes nothing. Afterwards `rollcall migrate` makes roles
# and grants, and then everything can be started. Docker Compose does both with `docker compose up`.
#
# Without further settings, this is for Docker Compose; stack/servers.sh says how to use it elsewhere.
set -eu

[ $# -eq 1 ] || { echo 'usage: sh stack/restore.sh FOLDER' >&2; exit 2; }
folder=$1
# shellcheck source=stack/servers.sh
. "$(dirname "$0")/servers.sh"
need DATABASE_URL

for file in recovery-point jetstream.tar postgres.dump; do
    [ -r "$folder/$file" ] || fail "$folder/$file cannot be read, so this is no complete backup"
done
count="select count(*) from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')"
tables=$(with_postgres psql --no-psqlrc --quiet --tuples-only --no-align --command="$count" </dev/null)
[ "$tables" = 0 ] || fail "the database is not empty: it has $tables tables"
in_store '[ ! -e jetstream ]' </dev/null || fail "the folder of the streams is not empty, or nats-server has been started"

# Owners and privileges are left to `rollcall migrate`, because the roles may not exist here. All tables or none.
with_postgres pg_restore --no-owner --no-privileges --single-transaction <"$folder/postgres.dump"
# A dump contains no statistics, without which queries are planned badly.
with_postgres psql --no-psqlrc --quiet --command=analyze </dev/null
in_store 'tar -xf -' <"$folder/jetstream.tar"
say "restored everything that was accepted before $(cat "$folder/recovery-point"); now run \`rollcall migrate\` and start the services"
