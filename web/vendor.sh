#!/bin/sh
# Fetches the libraries of the dashboard into assets/vendor, and axe-core into tests/assets. For maintainers, after
# they have changed a version below; it needs npm and network. The results are committed, so nobody else needs either.
#
# Browsers resolve only relative addresses without an import map, so the names of packages in imports are replaced.
# uPlot is published minified only as a script, so a line that exports it is appended.
set -eu

PREACT=11.2.0
SIGNALS=2.11.4
SIGNALS_CORE=1.14.5
HTM=3.1.1
UPLOT=1.6.32
AXE=4.14.1

here=$(cd "$(dirname "$0")" && pwd)
vendor=$here/assets/vendor
tests=$here/../tests/assets
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fetch() { # package, version, name of the folder
    (cd "$work" && npm pack --silent "$1@$2" >/dev/null && mkdir "$3" && tar -xzf ./*.tgz -C "$3" --strip-components=1 && rm ./*.tgz)
}

relative() { # file of the package, file of ours
    sed -e 's|from"preact/hooks"|from"./hooks.js"|g' -e 's|from"preact"|from"./preact.js"|g' \
        -e 's|from"@preact/signals-core"|from"./signals_core.js"|g' -e '/^\/\/# sourceMappingURL=/d' "$work/$1" >"$vendor/$2"
}

fetch preact "$PREACT" preact
fetch @preact/signals "$SIGNALS" signals
fetch @preact/signals-core "$SIGNALS_CORE" signals_core
fetch htm "$HTM" htm
fetch uplot "$UPLOT" uplot
fetch axe-core "$AXE" axe

mkdir -p "$vendor" "$tests"
relative preact/dist/preact.mjs preact.js
relative preact/hooks/dist/hooks.mjs hooks.js
relative signals/dist/signals.mjs signals.js
relative signals_core/dist/signals-core.mjs signals_core.js
relative htm/dist/htm.mjs htm.js
{ cat "$work/uplot/dist/uPlot.iife.min.js"; echo; echo 'export default uPlot;'; } >"$vendor/uplot.js"
cp "$work/axe/axe.min.js" "$tests/axe.min.js"
cp "$work/axe/LICENSE" "$tests/axe.LICENSE"

# The licences travel with the files.
{
    for library in preact signals signals_core htm uplot; do
        echo "==== $library"
        cat "$work/$library/LICENSE"
        echo
    done
} >"$vendor/LICENSES"

{
    echo "# Written by web/vendor.sh: the packages from npm, and the SHA-256 of each file as it is here."
    echo "preact $PREACT MIT"
    echo "@preact/signals $SIGNALS MIT"
    echo "@preact/signals-core $SIGNALS_CORE MIT"
    echo "htm $HTM Apache-2.0"
    echo "uplot $UPLOT MIT"
    (cd "$vendor" && sha256sum ./*.js LICENSES | sed 's|\./||')
} >"$vendor/VERSIONS"
(cd "$tests" && { echo "# Written by web/vendor.sh"; echo "axe-core $AXE MPL-2.0"; sha256sum axe.min.js axe.LICENSE; } >axe.VERSIONS)
