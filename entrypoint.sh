#!/bin/sh
# Settings, database and migrations first, so that no half-working server starts; then the command itself.
set -eu
if [ -n "${PROMETHEUS_MULTIPROC_DIR:-}" ]; then
    # A counter file of a process that is gone would be counted for ever.
    rm -rf "$PROMETHEUS_MULTIPROC_DIR"
    mkdir -p "$PROMETHEUS_MULTIPROC_DIR"
fi
case "$*" in *"manage.py migrate"*) skip=--skip-migrations ;; *) skip= ;; esac
python -m deploy.preflight --wait "${DATABASE_WAIT_SECONDS:-60}" $skip
exec "$@"
