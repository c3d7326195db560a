#!/bin/sh
# Pulls the newest models, then starts the server:
#
#     ./start.sh uvicorn main:app --host 0.0.0.0 --port "$PORT"
#
# If the hub is unreachable, or if its newest release is refused, the server starts with the last good release. If there
# is none, the start fails.
set -eu
PATH="$PWD/program/installed/bin:$PATH"
model-sync hf-pull --offline-ok || model-sync verify
exec "$@"
