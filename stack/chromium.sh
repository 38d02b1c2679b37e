#!/bin/sh
# Installs what the browser tests drive, unless it is on this machine already: Chromium and its driver, both of the same
# version, from the system's package manager. `make test` and `make screenshots` call it; `make run` does not need it.
#
# If both are installed, it changes nothing and needs no network. The installation needs root, for which it uses sudo.
set -eu

say() { printf 'chromium: %s\n' "$*" >&2; }
fail() {
    say "$*"
    exit 1
}

# The names under which distributions have the two programs; tests/src/browser.rs looks for the same ones.
has_chromium() {
    for program in chromium chromium-browser google-chrome; do
        command -v "$program" >/dev/null 2>&1 && return 0
    done
    return 1
}
has_driver() {
    command -v chromedriver >/dev/null 2>&1 || [ -x /usr/lib/chromium-browser/chromedriver ]
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null 2>&1; then
        sudo "$@"
    else
        fail "Chromium or its driver is missing, and installing them needs root: run as root: $*"
    fi
}

install() {
    say "installing Chromium and its driver"
    if command -v apt-get >/dev/null 2>&1; then
        as_root apt-get update -qq
        # Ubuntu has both only as snaps, which its packages of these names install.
        if apt-cache show chromium-driver >/dev/null 2>&1; then driver=chromium-driver; else driver=chromium-chromedriver; fi
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium "$driver" ||
            as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium-browser "$driver"
    elif command -v dnf >/dev/null 2>&1; then
        as_root dnf install -y chromium chromedriver
    elif command -v brew >/dev/null 2>&1; then
        brew install --cask chromium chromedriver
    else
        fail "Chromium is missing and this system has none of apt-get, dnf and brew: install chromium and chromedriver by hand"
    fi
}

{ has_chromium && has_driver; } || install
{ has_chromium && has_driver; } || fail "Chromium or chromedriver is still missing: install both by hand"
