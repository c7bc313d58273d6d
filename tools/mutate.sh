#!/bin/sh
# Change what is committed of one part in every small way, and tell which changes no test notices (mutmut).
# A part is what tests/mutation/PART.cfg names; its survivors are listed with reasons in tests/mutation/README.md.
# It works in a folder of its own, with a mutmut of its own: the lock knows no mutmut, since no test needs it.
set -eu
cd "$(dirname "$0")/.."
PART=${1:?"which part? one of: $(cd tests/mutation && echo *.cfg | sed 's/\.cfg//g')"}
MUTMUT=mutmut==3.8.1
CONFIG=$PWD/tests/mutation/$PART.cfg
PYTHON=$PWD/.venv/bin/python
test -f "$CONFIG" || { echo "stratd: no tests/mutation/$PART.cfg" >&2; exit 1; }
WORK=$(mktemp -d "${TMPDIR:-/tmp}/stratd-mutate-XXXXXX")
trap 'rm -rf "$WORK"' EXIT
git archive HEAD | tar -x -C "$WORK"
cp "$CONFIG" "$WORK/setup.cfg"
"$PYTHON" -m uv pip install -q --python "$PYTHON" --target "$WORK/.mutmut" "$MUTMUT"
cd "$WORK"
mutmut() { PYTHONPATH="$WORK/.mutmut" PYTHONSAFEPATH='' nice -n 10 "$PYTHON" -m mutmut "$@"; }
mutmut run >run.log 2>&1 || { tail -n 40 run.log >&2; exit 1; }
tr '\r' '\n' <run.log | grep '🎉' | tail -n 1
mutmut results | sed -n 's/^ *\([^ ]*\): .*/\1/p' | while read -r name; do mutmut show "$name" | grep '^[-+#]' | grep -v '^[-+][-+]'; done
