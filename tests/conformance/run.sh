#!/usr/bin/env bash
# Lets tools that were not written for Rollcall call a running service:
# run.sh PYTHON_FOLDER PROGRAM S3. The first has what requirements.txt names, the second is `rollcall`, and the third
# `rollcall-s3`, which starts a server that speaks S3.
set -euo pipefail

python=$1
program=$2
s3=$3
here=$(dirname "${BASH_SOURCE[0]}")
work=target/conformance
export API_KEY=conformance-key
# Schemathesis has several requests under way, and a refusal because of that is no finding.
export QUESTIONS_PER_PROJECT=64 DATABASE_MAX_CONNECTIONS=32

port=$("$python/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
url=http://127.0.0.1:$port
mkdir -p "$work"
LOG_LEVEL=warn "$program" dev --ephemeral --listen "127.0.0.1:$port" >"$work/service.log" 2>&1 &
service=$!
trap 'kill "$service" 2>/dev/null; wait "$service" 2>/dev/null || true' EXIT
for _ in $(seq 600); do
    curl --silent --fail "$url/health/ready" >/dev/null && break
    kill -0 "$service" || { cat "$work/service.log" >&2; exit 1; }
    sleep 0.1
done

echo "conformance: a generated client calls every GET"
rm -rf "$work/client"
"$python/bin/openapi-python-client" generate --path docs/openapi.json --meta none \
    --config "$here/client.yaml" --output-path "$work/client/rollcall_client"
PYTHONPATH="$work/client" "$python/bin/python" "$here/client.py" "$url" docs/openapi.json

echo "conformance: the SDK of the Model Context Protocol calls every tool"
"$python/bin/python" "$here/mcp_tools.py" "$url" "$API_KEY"
echo "conformance: gql sends every GraphQL query and subscribes"
"$python/bin/python" "$here/graphql_client.py" "$url" "$API_KEY"

echo "conformance: polars, pyarrow and DuckDB read what was archived"
rm -rf "$work/archive"
coproc BUCKET { exec "$s3" events; }
while read -r line <&"${BUCKET[0]}" && [ "$line" != READY ]; do
    case $line in
    ARCHIVE_URL=*) export BUCKET_URL=${line#*=} ;;
    *) export "${line?}" ;;
    esac
done
database=$(grep --only-matching --max-count=1 'postgres://[^ ]*' "$work/service.log")
DATABASE_URL=$database "$python/bin/python" "$here/archive.py" "$url" "$API_KEY" "$PWD/$program" "$PWD/$work/archive"
eval "exec ${BUCKET[1]}>&-"

echo "conformance: schemathesis sends random requests"
# It has the key of the installation and calls every operation, also those that change projects, keys and dead letters.
# What is left out, and why:
#   positive_data_acceptance  Not every request that fits the schemas is right: no schema says that `from` comes before
#                             `to`, or that an event needs a user or a session. So a refusal counts as no failure.
#   /live                     The answer is a stream that does not end.
#   stateful                  The description has no links between operations, so there is nothing to follow.
PYTHONPATH="$here" SCHEMATHESIS_HOOKS=hooks "$python/bin/schemathesis" run "$url/openapi.json" \
    --header "X-API-Key: $API_KEY" --exclude-checks positive_data_acceptance \
    --exclude-path-regex '^/live$' --phases examples,coverage,fuzzing --max-examples "${EXAMPLES:-50}" \
    --seed "${SEED:-1}" --continue-on-failure --request-timeout 60
