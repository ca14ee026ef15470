#!/bin/sh
# Pins what pyproject.toml asks for, for every supported Python at once; --check only compares.
set -eu
lock() { # FOLDER of the lock files, whose pins are kept where they still fit
    set -- "$1" uv pip compile --quiet --universal --python-version 3.11 --no-annotate --no-header pyproject.toml
    folder=$1; shift
    "$@" -o "$folder/requirements.txt"
    "$@" --group pyproject.toml:dev -c "$folder/requirements.txt" -o "$folder/requirements-dev.txt"
}
if [ "${1:-}" != --check ]; then
    lock .
    exit
fi
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
cp requirements.txt requirements-dev.txt "$fresh"
lock "$fresh"
for file in requirements.txt requirements-dev.txt; do
    diff -u "$file" "$fresh/$file" || { echo "$file is not in step with pyproject.toml: run make lock." >&2; exit 1; }
done
