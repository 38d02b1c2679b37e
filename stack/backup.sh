#!/bin/sh
# Copies everything that Rollcall keeps into a new folder, while it runs:
#
#   sh stack/backup.sh FOLDER
#
#   recovery-point  a time; nothing that was accepted before it is missing
#   jetstream.tar   the streams: events that wait to be stored, and dead letters
#   postgres.dump   the database: everything else
#
# nats-server is stopped while its files are copied, because otherwise they would change meanwhile. For these seconds the
# API answers 503, and clients send their events again. Workers and queries go on.
#
# The order matters. An event leaves the streams after it was committed in PostgreSQL, so the streams are copied first:
# what was accepted before that is in their copy, in the dump, or in both, and what is in both is stored once. In the
# other order, events that are stored between the two copies would be in neither.
#
# Without further settings, this is for Docker Compose; stack/servers.sh says how to use it elsewhere.
set -eu
# The dump contains hashes of keys, and everything about everybody.
umask 077

[ $# -eq 1 ] || { echo 'usage: sh stack/backup.sh FOLDER' >&2; exit 2; }
folder=$1
# shellcheck source=stack/servers.sh
. "$(dirname "$0")/servers.sh"
need DATABASE_URL NATS_STOP NATS_START

[ ! -e "$folder" ] || fail "$folder exists already"
# Only a complete backup has its name.
partial=$folder.partial
mkdir "$partial" || fail "$partial cannot be made; if it is of a backup that was broken off, remove it"

# Whatever goes wrong, nats-server is started again.
is_nats_stopped=no
finish() {
    if [ "$is_nats_stopped" = yes ]; then start_nats; fi
    rm -rf "$partial"
}
trap finish EXIT
trap 'exit 1' HUP INT TERM

date -u +%Y-%m-%dT%H:%M:%SZ >"$partial/recovery-point"
is_nats_stopped=yes
stop_nats
in_store 'tar -cf - .' >"$partial/jetstream.tar"
start_nats
is_nats_stopped=no
with_postgres pg_dump --format=custom >"$partial/postgres.dump"
mv "$partial" "$folder"
say "$folder has everything that was accepted before $(cat "$folder/recovery-point")"
