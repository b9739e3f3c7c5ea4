#!/usr/bin/env bash
# Serves the Xianning 2023 plan from a database in .demo/, and prints requests to try. Run again, it goes on with what is there.
set -euo pipefail
cd "$(dirname "$0")/.."

port=${PORT:-8000}
address=http://127.0.0.1:$port
zeren=.venv/bin/zeren
key_file=.demo/key

# The demo's own database, whatever the caller's environment says: it must never meet one that is in use.
export ZEREN_DATABASE_URL=sqlite:///.demo/zeren.db
# Quiet, so that the printed requests stay in sight.
export ZEREN_LOG_LEVEL=${ZEREN_LOG_LEVEL:-warning}

# Prints the status of GET $1 sent with the key $2, "closed" where nothing listens, or "unclear" for an answer that is not HTTP.
# Not every machine has curl, and a proxy that the environment names must not be asked for an address on this machine.
get_status() {
    .venv/bin/python - "$port" "$1" "${2:-}" <<'PYTHON'
import http.client
import sys

port, path, key = sys.argv[1:]
connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=5)
try:
    connection.connect()
except OSError:
    print("closed")
    sys.exit()
try:
    connection.request("GET", path, headers={"Authorization": f"Bearer {key}"} if key else {})
    print(connection.getresponse().status)
except (OSError, http.client.HTTPException):
    print("unclear")
PYTHON
}

# The database holds only a hash of a key, so the demo keeps its own, readable by its owner alone.
make_key() {
    (umask 077 && "$zeren" key create demo --scope read --scope report --unit 市教育局 >"$key_file.new")
    mv "$key_file.new" "$key_file"
}

print_requests() {
    local bearer
    bearer="Authorization: Bearer $(cat "$key_file")"
    cat <<EOT

Zeren serves $address (the API's documentation: $address/docs). Ctrl-C ends it.

For the examples of the README:
export ZEREN=$address/api/v1 KEY='$bearer'

What 市教育局 answers for:
curl -H '$bearer' -G $address/api/v1/assignments --data-urlencode unit=市教育局

One target:
curl -H '$bearer' $address/api/v1/targets/xianning-2023.58

Post a value:
curl -H '$bearer' -H 'Content-Type: application/json' $address/api/v1/values -d '{"indicator":"xianning-2023.58.1","period":"2023-06","value":46.8}'

EOT
}

# Waits until process $1 answers, sees that the key is one the database knows, and prints the requests.
announce() {
    while [ "$(get_status /readyz)" != 200 ]; do
        kill -0 "$1" 2>/dev/null || return 0
        sleep 0.2
    done
    if [ ! -s "$key_file" ] || [ "$(get_status '/api/v1/plans?limit=1' "$(cat "$key_file")")" = 401 ]; then
        make_key
    fi
    print_requests
}

if [ "$(get_status /livez)" != closed ]; then
    echo "zeren: port $port is in use, perhaps by another demo; end that, or choose one: make demo PORT=8001" >&2
    exit 1
fi

mkdir -p .demo
chmod 700 .demo
"$zeren" migrate
"$zeren" seed

(announce $$ &)
# In this process's place, so that Ctrl-C or a signal to it reaches the server itself and leaves nothing behind.
exec "$zeren" serve --host 127.0.0.1 --port "$port"
