# How backup.sh and restore.sh reach the servers. It is read by them and does nothing by itself.
#
# Without NATS_STORE_DIR, the servers are those of Docker Compose in this checkout. With it, they are any others, and
# these variables say where:
#
#   NATS_STORE_DIR  folder of nats-server's streams, its store_dir
#   DATABASE_URL    the database, as a user who may read or restore everything in it
#   NATS_STOP       command that stops nats-server and returns when it has stopped; only for backup.sh
#   NATS_START      command that starts it again; only for backup.sh
#
# pg_dump and pg_restore must not be older than the server.

say() { printf '%s: %s\n' "$(basename "$0" .sh)" "$*" >&2; }
fail() {
    say "$*"
    exit 1
}

# in_store COMMAND: runs a shell command in the folder of the streams. nats-server must have stopped.
in_store() {
    if [ -n "${NATS_STORE_DIR:-}" ]; then
        (cd "$NATS_STORE_DIR" && sh -c "$1")
    else
        docker compose run --rm --no-deps -T --workdir /data --entrypoint sh nats -c "$1"
    fi
}

# with_postgres PROGRAM ARGUMENTS...: runs a client program of PostgreSQL on the database.
with_postgres() {
    program=$1
    shift
    if [ -n "${NATS_STORE_DIR:-}" ]; then
        "$program" --dbname="$DATABASE_URL" "$@"
    else
        docker compose exec -T postgres "$program" --username=rollcall --dbname=rollcall "$@"
    fi
}

stop_nats() { if [ -n "${NATS_STORE_DIR:-}" ]; then sh -c "$NATS_STOP"; else docker compose stop nats; fi; }
start_nats() { if [ -n "${NATS_STORE_DIR:-}" ]; then sh -c "$NATS_START"; else docker compose start nats; fi; }

# Says what is missing before anything is done: need NAME...
need() {
    if [ -z "${NATS_STORE_DIR:-}" ]; then return 0; fi
    for name in "$@"; do
        eval "[ -n \"\${$name:-}\" ]" || fail "$name is not set; stack/servers.sh says what it is for"
    done
}
