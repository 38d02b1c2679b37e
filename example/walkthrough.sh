#!/bin/sh
# A tour of Rollcall with curl: send events in every shape, send them again, ask who showed up.
#
#   make run                      # in another terminal
#   sh example/walkthrough.sh
#
# ROLLCALL_URL and API_KEY say where, and with which key. It ends with 0 only if every answer is
# what it should be, so it is a test as well.
set -eu

url=${ROLLCALL_URL:-http://127.0.0.1:8000}
key=${API_KEY:-secret-key}
answer=$(mktemp)
trap 'rm -f "$answer" "$answer.gz" "$answer.ndjson"' EXIT

# call EXPECTED_STATUS CURL_ARGUMENTS...: sends, shows the answer, checks the status.
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

# ask PATH_AND_QUERY: asks the rollups and the rows; both must say the same.
ask() {
    call 200 "$url$1"
    fast=$(cat "$answer")
    call 200 "$url$1&source=events" >/dev/null
    if [ "$fast" != "$(cat "$answer")" ]; then
        echo "rollups and rows differ" >&2
        exit 1
    fi
}

echo '1. Is it there, and ready?'
call 200 "$url/health/ready"

echo '2. One event. The 202 comes once it is durable.'
post 202 '{"event_id":"tour-1","event_type":"tour_signup","user_id":"ada","occurred_at":"2025-10-01T09:00:00Z"}'

echo '3. A batch in an envelope; names from other SDKs, unknown fields and integers as ids are fine.'
post 202 '{"events":[
  {"messageId":"tour-2","event":"tour_login","userId":"ada","timestamp":"2025-10-02T09:00:00+02:00","plan":"free"},
  {"event_id":"tour-3","type":"tour_login","user_id":42,"ts":1759395600,"metadata":{"channel":"email"}}]}'

echo '4. One event a line (NDJSON).'
printf '%s\n%s\n' \
    '{"event_id":"tour-4","event_type":"tour_login","user_id":"ada","occurred_at":"2025-10-08T09:00:00Z"}' \
    '{"event_id":"tour-5","event_type":"tour_login","user_id":"bob","occurred_at":"2025-10-08T10:00:00Z"}' >"$answer.ndjson"
call 202 -H 'Content-Type: application/x-ndjson' --data-binary "@$answer.ndjson" "$url/events"

echo '5. The same lines compressed, and sent again: nothing is doubled.'
gzip -c "$answer.ndjson" >"$answer.gz"
rm -f "$answer.ndjson"
call 202 -H 'Content-Type: application/x-ndjson' -H 'Content-Encoding: gzip' --data-binary "@$answer.gz" "$url/events"

echo '6. A bad event: the batch is refused whole, and the answer names field and rule.'
post 422 '[{"event_type":"tour_login","user_id":"ada"},{"event_type":"tour_login"}]'

echo '7. No ids at hand? With an Idempotency-Key a resend is free all the same.'
for _ in 1 2; do
    post 202 '{"event_type":"tour_checkout","user_id":"bob","occurred_at":"2025-10-15T10:00:00Z"}' -H 'Idempotency-Key: tour-order-77'
done

echo '8. A worker stores them, usually within milliseconds.'
tries=0
until curl --silent -H "X-API-Key: $key" "$url/stats/top-events?from=2025-10-15&to=2025-10-15&limit=100" | grep -q tour_checkout; do
    tries=$((tries + 1))
    if [ "$tries" -gt 150 ]; then
        echo 'not stored after 30 seconds' >&2
        exit 1
    fi
    sleep 0.2
done

echo '9. Who showed up each day? How often did what happen? Who came back?'
ask '/stats/dau?from=2025-10-01&to=2025-10-03&event_type=tour_login'
ask '/stats/top-events?from=2025-10-01&to=2025-10-31&limit=5'
ask '/stats/retention?start_date=2025-10-01&cohorts=2&windows=2&event_type=tour_login'

echo 'Everything answered as it should.'
