#!/bin/sh
# make demo: the whole life of a webhook on this machine in half a minute. Starts the service on a
# temporary directory and two receivers, posts real events, lets one receiver fail until its messages
# are dead, and replays them. Exit status 0 when everything was seen to happen.
set -eu

binary=${1:-build/surehook}
events=${2:-tests/data/events.ndjson}
work=$(mktemp -d)
pids=

cleanup() {
    for pid in $pids; do kill "$pid" 2>/dev/null || true; done
    for pid in $pids; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$work"
}
trap cleanup EXIT INT TERM

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
fail() { printf 'demo: %s\n' "$*" >&2; exit 1; }

# Waits until a command succeeds, 20 s at most.
until_true() {
    tries=0
    until "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ $tries -lt 200 ] || fail "waited in vain for: $*"
        sleep 0.1
    done
}

# The address that a process printed as "listening on http://…" into a file.
address() {
    until_true grep -q '^listening on' "$1"
    sed -n 's/^listening on //p' "$1"
}

# A member of a JSON answer; enough for flat ones.
member() { sed -n "s/.*\"$1\": *\"\\([^\"]*\\)\".*/\\1/p" | head -n 1; }

api() {
    method=$1 path=$2
    shift 2
    curl -sS --fail-with-body -X "$method" "$api/api/v1$path" -H "Authorization: Bearer $token" "$@"
}

endpoint_on() { api POST "/app/$app/endpoint" -d "{\"url\":\"$1/hooks\",\"description\":\"$2\"}" | member id; }
secret_of() { api GET "/app/$app/endpoint/$1/secret" | member key; }
count_in() { grep -c 'signature good' "$1" || true; }
has_arrived() { [ "$(count_in "$1")" -ge "$2" ]; }
dead_in() { api GET "/app/$app/endpoint/$1/dead-letter?limit=250" | grep -o '"msg_[^"]*"' | sort -u | wc -l; }
has_died() { [ "$(dead_in "$1")" -ge "$2" ]; }

# Starts a receiver into a log; its address is printed.
receive() {
    log=$1
    shift
    "$binary" listen "$@" >"$log" 2>&1 &
    pids="$pids $!"
    last=$!
}

say "1. Start the service: one process, one directory"
"$binary" serve --data "$work/data" --listen 127.0.0.1:0 --allow-subnets 127.0.0.0/8 \
    --retry-schedule 200ms,400ms --breaker-attempts 0 --log-level warn >"$work/serve.log" 2>&1 &
pids="$pids $!"
api=$(address "$work/serve.log")
token=$(cat "$work/data/admin.key")
echo "listening on $api; the first admin key is in <data>/admin.key"

say "2. An application with two endpoints"
app=$(api POST /app -d '{"name":"Demo shop","uid":"demo"}' | member id)
receive "$work/probe.log" --listen 127.0.0.1:0
billing_at=$(address "$work/probe.log")
kill "$last"
wait "$last" 2>/dev/null || true
receive "$work/probe.log" --listen 127.0.0.1:0
email_at=$(address "$work/probe.log")
kill "$last"
wait "$last" 2>/dev/null || true
billing=$(endpoint_on "$billing_at" billing)
email=$(endpoint_on "$email_at" e-mail)
receive "$work/billing.log" --listen "${billing_at#http://}" --secret "$(secret_of "$billing")"
receive "$work/email.log" --listen "${email_at#http://}" --secret "$(secret_of "$email")"
email_pid=$last
address "$work/billing.log" >/dev/null
address "$work/email.log" >/dev/null
echo "application $app"
echo "endpoint    $billing  $billing_at  (billing)"
echo "endpoint    $email  $email_at  (e-mail)"

say "3. Post 20 real events; both receivers verify each signature"
head -n 20 "$events" | while IFS= read -r event; do
    printf '%s' "$event" | api POST "/app/$app/msg?with_content=false" --data-binary @- >/dev/null
done
until_true has_arrived "$work/billing.log" 20
until_true has_arrived "$work/email.log" 20
sed -n '2,7p' "$work/billing.log" | cut -c1-150
echo "billing received $(count_in "$work/billing.log"), e-mail $(count_in "$work/email.log"), all with good signatures"

say "4. E-mail breaks: it answers 500 to everything. Ten more events"
kill "$email_pid"
wait "$email_pid" 2>/dev/null || true
receive "$work/broken.log" --listen "${email_at#http://}" --secret "$(secret_of "$email")" --status 500
broken_pid=$last
address "$work/broken.log" >/dev/null
sed -n '21,30p' "$events" | while IFS= read -r event; do
    printf '%s' "$event" | api POST "/app/$app/msg?with_content=false" --data-binary @- >/dev/null
done
until_true has_arrived "$work/billing.log" 30
echo "billing received all $(count_in "$work/billing.log"): one endpoint's trouble is not another's"
until_true has_died "$email" 10
echo "e-mail was tried $(count_in "$work/broken.log") times (first attempt and two retries each); now its dead letters:"
api GET "/app/$app/endpoint/$email/dead-letter?limit=3" | cut -c1-400

say "5. E-mail is well again: replay its dead letters"
kill "$broken_pid"
wait "$broken_pid" 2>/dev/null || true
receive "$work/well.log" --listen "${email_at#http://}" --secret "$(secret_of "$email")"
address "$work/well.log" >/dev/null
api POST "/app/$app/endpoint/$email/dead-letter/replay" -d '{}'
echo
until_true has_arrived "$work/well.log" 10
sed -n '2,5p' "$work/well.log" | cut -c1-150
echo "e-mail received $(count_in "$work/well.log") replayed messages; nothing was lost"
