#!/bin/sh
# Resolve pyproject.toml into the two locks, for every supported Python at once, with hashes.
# run.txt is resolved under the constraint of dev.txt, so that what is tested is what is installed.
set -eu
cd "$(dirname "$0")/.."
UV=${UV:-uv}
command -v "$UV" >/dev/null || { echo "stratd: locking needs uv; see its documentation, or UV=/path/to/uv" >&2; exit 1; }
compile() { "$UV" pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --no-header "$@"; }
compile pyproject.toml --group dev -o requirements/dev.txt
compile pyproject.toml --constraint requirements/dev.txt -o requirements/run.txt
