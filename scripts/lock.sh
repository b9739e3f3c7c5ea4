#!/usr/bin/env bash
# Writes the lock files: versions and hashes for every platform, and nothing about where the packages were found.
# Pins that still fit are kept; `make lock UPGRADE=1` takes the newest of everything.
set -euo pipefail
cd "$(dirname "$0")/.."

export UV_CUSTOM_COMPILE_COMMAND="make lock"
options=(--quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links)
[ -z "${UPGRADE:-}" ] || options+=(--upgrade)
compile() { .venv/bin/uv pip compile "${options[@]}" "$@" >/dev/null; }

compile pyproject.toml --output-file requirements.lock
compile pyproject.toml --group dev --output-file requirements-dev.lock
compile bench/peers/requirements.in --output-file bench/peers/requirements.lock
.venv/bin/python - <<'PYTHON' | compile - --output-file requirements-build.lock
import tomllib
from pathlib import Path

print(*tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["build-system"]["requires"], sep="\n")
PYTHON
