#!/usr/bin/env bash
# Installs the programs that some tests drive, where that is possible: as root, with apt-get. It never fails: a test whose
# program is missing is skipped with a line that says so.
set -uo pipefail

# command:package
wanted=(chromium:chromium curl:curl git:git)

missing=()
for pair in "${wanted[@]}"; do
    command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
done
[ "${#missing[@]}" -gt 0 ] || exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "zeren: not installed: ${missing[*]}; the tests that need them are skipped"
    exit 0
fi

echo "zeren: installing ${missing[*]} for the tests"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}"; } </dev/null >"$log" 2>&1; then
    echo "zeren: could not install them; the tests that need them are skipped:"
    tail -n 5 "$log"
fi
exit 0
