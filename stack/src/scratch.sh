# Removes a temporary folder when the process that made it is gone, however it went: by kill -9 too.
#
#   sh -c "$(cat scratch.sh)" rollcall-scratch FOLDER
#
# Standard input is a pipe whose other end only that process has. A line means that the folder is gone
# already. The end of the pipe without a line means that the process ended without removing it. Servers
# with their data in it are stopped by their own guardians.

# What is sent to a terminal's programs is not for this one: it must outlive them.
trap '' HUP INT TERM

read -r _ && exit 0

folder=$1

is_running() {
    kill -0 "$1" 2>/dev/null || return 1
    # See guardian.sh: one that has ended may still be listed.
    read -r stat <"/proc/$1/stat" || return 0
    case $stat in *") Z "*) return 1 ;; esac
}

serves() {
    for file in "$folder"/pid "$folder"/*/pid "$folder"/*/*/pid; do
        read -r pid 2>/dev/null <"$file" && is_running "$pid" && return 0
    done
    return 1
}

# Longer than the guardians take. If a server still runs then, the next run stops it and removes the folder.
tenths=300
while [ "$tenths" -gt 0 ]; do
    # What the server's last processes write meanwhile is removed in the next round.
    ! serves && rm -rf -- "$folder" && exit 0
    sleep 0.1
    tenths=$((tenths - 1))
done
