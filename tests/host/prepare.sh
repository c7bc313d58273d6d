#!/bin/sh
# Installs stratd from the folder of wheels, without a network; in qemu's root at native speed (vmtest.sh -P), else
# at the beginning of guest.sh. Nothing is started here: there may be no systemd yet.
set -eu
cd "$VMTEST_DIR"
release=/opt/stratd/releases/0.1.0
python3 -m venv "$release"
"$release/bin/pip" install --quiet --disable-pip-version-check --no-index -f wheelhouse stratd
"$release/bin/stratd" systemd install --no-start
cp -r main/tests/host/strategies/. /etc/stratd/strategies/
printf '[feeds.main]\nendpoint = "tcp://127.0.0.1:5555"\n' > /etc/stratd/stratd.toml
