#!/bin/sh
# A tour of Rollcall with curl: it sends events in every shape, sends some of them again, and runs the
# three queries.
#
#   make run                      # in another terminal
#   sh example/walkthrough.sh
#
# ROLLCALL_URL and API_KEY set the address and the key. The exit status is 0 only if every answer is as
# expected, so this script is also a test.
set -eu

url=${ROLLCALL_URL:-http://127.0.0.1:8000}
key=${API_KEY:-secret-key}
answer=$(mktemp)
trap 'rm -f "$answer" "$answer.gz" "$answer.ndjson"' EXIT

# call EXPECTED_STATUS CURL_ARGUMENTS...: sends a request, shows the answer and checks the status.
call() {
    expected=$1
    shift
    status=$(curl --silent --show-error --output "$answer" --write-out '%{http_code}' -H "X-API-Key: $key" "$@")
    printf '   %s %s\n' "$status" "$(head -c 400 "$answer")"
    if [ "$status" != "$expected" ]; then
        echo "expected $expected" >&2
        exit 1
    fi
}

# post EXPECTED_STATUS BODY [CURL_ARGUMENTS...]: sends events as JSON.
post() {
    status_wanted=$1
    body=$2
    shift 2
    call "$status_wanted" -H 'Content-Type: application/json' "$@" --data-binary "$body" "$url/events"
}

# query PATH_AND_QUERY: queries the rollups and then the rows; both answers must be the same.
query() {
    call 200 "$url$1"
    from_rollups=$(cat "$answer")
    call 200 "$url$1&source=events" >/dev/null
    if [ "$from_rollups" != "$(cat "$answer")" ]; then
        echo "rollups and rows differ" >&2
        exit 1
    fi
}

echo '1. Is the service ready?'
call 200 "$url/health/ready"

echo '2. One event. The service answers 202 once the event is durable.'
post 202 '{"event_id":"tour-1","event_type":"tour_signup","user_id":"ada","occurred_at":"2025-10-01T09:00:00Z"}'

echo '3. A batch in an envelope. Field names of other SDKs, unknown fields and integer ids are accepted.'
post 202 '{"events":[
  {"messageId":"tour-2","event":"tour_login","userId":"ada","timestamp":"2025-10-02T09:00:00+02:00","plan":"free"},
  {"event_id":"tour-3","type":"tour_login","user_id":42,"ts":1759395600,"metadata":{"channel":"email"}}]}'

echo '4. One event per line (NDJSON).'
printf '%s\n%s\n' \
    '{"event_id":"tour-4","event_type":"tour_login","user_id":"ada","occurred_at":"2025-10-08T09:00:00Z"}' \
    '{"event_id":"tour-5","event_type":"tour_login","user_id":"bob","occurred_at":"2025-10-08T10:00:00Z"}' >"$answer.ndjson"
call 202 -H 'Content-Type: application/x-ndjson' --data-binary "@$answer.ndjson" "$url/events"

echo '5. The same lines again, compressed: nothing is stored twice.'
gzip -c "$answer.ndjson" >"$answer.gz"
rm -f "$answer.ndjson"
call 202 -H 'Content-Type: application/x-ndjson' -H 'Content-Encoding: gzip' --data-binary "@$answer.gz" "$url/events"

echo '6. An invalid event: the whole batch is refused, and the answer names the field and the rule.'
post 422 '[{"event_type":"tour_login","user_id":"ada"},{"event_type":"tour_login"}]'

echo '7. An event without an id, sent twice with the same Idempotency-Key: it is stored once.'
for _ in 1 2; do
    post 202 '{"event_type":"tour_checkout","user_id":"bob","occurred_at":"2025-10-15T10:00:00Z"}' -H 'Idempotency-Key: tour-order-77'
done

echo '8. A worker stores the events, usually within milliseconds.'
tries=0
until curl --silent -H "X-API-Key: $key" "$url/stats/top-events?from=2025-10-15&to=2025-10-15&limit=100" | grep -q tour_checkout; do
    tries=$((tries + 1))
    if [ "$tries" -gt 150 ]; then
        echo 'not stored after 30 seconds' >&2
        exit 1
    fi
    sleep 0.2
done

echo '9. The queries: daily active users, top events, and retention.'
query '/stats/dau?from=2025-10-01&to=2025-10-03&event_type=tour_login'
query '/stats/top-events?from=2025-10-01&to=2025-10-31&limit=5'
query '/stats/retention?start_date=2025-10-01&cohorts=2&windows=2&event_type=tour_login'

echo 'Every answer was as expected.'
