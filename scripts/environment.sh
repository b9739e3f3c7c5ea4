#!/usr/bin/env bash
# Makes the virtual environment .venv from the lock files and leaves it alone when it is already right.
#   scripts/environment.sh runtime    what the service needs (make demo)
#   scripts/environment.sh dev        and what the tests and the tools need
# Every package is checked against a hash, the build backend too: it comes from requirements-build.lock and builds without
# isolation, because pip takes no hashes for what it puts into an isolated build.
set -euo pipefail
cd "$(dirname "$0")/.."

purpose=${1:-}
python=${PYTHON:-python3}
venv=.venv

fail() {
    printf 'zeren: %s\n' "$*" >&2
    exit 1
}

case $purpose in
    runtime | dev) ;;
    *) fail "usage: scripts/environment.sh runtime|dev" ;;
esac

check_python() {
    command -v "$python" >/dev/null || fail "$python is not installed; Python 3.11 or newer is needed"
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        fail "Python 3.11 or newer is needed, $python is $("$python" --version 2>&1); name another: make PYTHON=python3.11 ..."
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "$python cannot make virtual environments; install its venv module (on Debian the package python3-venv)"
}

# What the environment depends on, in one line.
fingerprint() {
    { cat requirements-build.lock pyproject.toml "$@" && "$venv/bin/python" --version; } | cksum
}

# $1: name of the stamp, the rest: lock files. The stamp is written last, so that an interrupted installation starts again.
install() {
    local stamp="$venv/zeren-$1.stamp"
    shift
    if [ -f "$stamp" ] && [ "$(fingerprint "$@")" = "$(cat "$stamp")" ]; then
        return
    fi
    echo "zeren: installing $* into $venv"
    local lock pip=("$venv/bin/python" -m pip --disable-pip-version-check --quiet install)
    for lock in requirements-build.lock "$@"; do
        "${pip[@]}" --require-hashes --requirement "$lock"
    done
    "${pip[@]}" --no-deps --no-build-isolation --editable .
    fingerprint "$@" >"$stamp"
}

# Programs in .venv name their interpreter by its full path, so one that was copied with its folder is no use.
is_whole() {
    grep -qF "$(pwd -P)/$venv" "$venv/bin/activate" 2>/dev/null && "$venv/bin/python" -c "import pip" 2>/dev/null
}

check_python
is_whole || "$python" -m venv --clear "$venv"

# What the tests need includes what the service needs, at the same versions.
if [ "$purpose" = runtime ] && [ ! -f "$venv/zeren-dev.stamp" ]; then
    install runtime requirements.lock
else
    install dev requirements.lock requirements-dev.lock
fi
