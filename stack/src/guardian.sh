# Stops a server when the process that started it is gone, even if kill -9 ended
# that process.
#
#   sh -c "$(cat guardian.sh)" rollcall-guardian PID SIGNAL SECONDS [SIGNAL SECONDS]...
#
# Standard input is a pipe whose other end only the starting process holds. A line on it means that
# the starting process has stopped the server, so nothing is left to do. If the pipe ends without a
# line, the process has died: this script sends the server each SIGNAL in turn and waits up to
# SECONDS after each.

# The guardian ignores the signals that a terminal sends, because it must outlive the programs of
# the terminal.
trap '' HUP INT TERM

read -r _ && exit 0

pid=$1
shift

is_running() {
    kill -0 "$pid" 2>/dev/null || return 1
    # A process that has ended stays listed as a zombie until its parent waits for it, which in a
    # container without an init is for ever. On Linux, /proc shows the state Z after the name; other
    # systems have no such file.
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
