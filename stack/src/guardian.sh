# Stops a server when the process that started it is gone, however it went: by kill -9 too.
#
#   sh -c "$(cat guardian.sh)" rollcall-guardian PID SIGNAL SECONDS [SIGNAL SECONDS]...
#
# Standard input is a pipe whose other end only the starting process has. A line means that the
# server was stopped in order, and there is nothing left to do. The end of the pipe without a line
# means that the process died: the server gets each SIGNAL in turn, with SECONDS to end after each.

# What is sent to a terminal's programs is not for the guardian: it must outlive them.
trap '' HUP INT TERM

read -r _ && exit 0

pid=$1
shift

is_running() {
    kill -0 "$pid" 2>/dev/null || return 1
    # One that has ended and that nobody waits for is still listed, in a container without an init
    # for ever; Linux says so with a Z behind the name. Elsewhere there is no such file.
    read -r stat <"/proc/$pid/stat" || return 0
    case $stat in *") Z "*) return 1 ;; esac
}

while [ $# -ge 2 ]; do
    kill -s "$1" "$pid" 2>/dev/null || exit 0
    tenths=$(($2 * 10))
    while [ "$tenths" -gt 0 ]; do
        is_running || exit 0
        sleep 0.1
        tenths=$((tenths - 1))
    done
    shift 2
done
