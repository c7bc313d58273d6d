#!/bin/sh
# What runs in a freshly booted Debian 12 as root: installs stratd if that is not done yet, then checks everything.
cd "$VMTEST_DIR" || exit 125
# A container's image forbids packages to start and to stop services; a host does not.
[ ! -e stratd.deb ] || rm -rf /etc/stratd /var/lib/stratd /usr/sbin/policy-rc.d
# An overlay of a developer's machine has what he left there (vmtest.sh -r host); it is thrown away afterwards.
[ -e /opt/stratd ] || [ -e stratd.deb ] || { rm -rf /etc/stratd /var/lib/stratd; sh main/tests/host/prepare.sh || exit 1; }
systemctl daemon-reload
cd main || exit 125
exec python3 -m tests.host
