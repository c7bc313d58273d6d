"""Every check, in the order in which a host would live through them; ``python3 -m tests.host`` as root."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.host import attacks, hardening, hidden, life, limits, operations, package, sockets, upgrade
from tests.host.report import Report
from tests.host.service import STRETCH, has_groups, must, run


def main() -> int:
    """Check everything; return the exit status."""
    system = Path("/etc/os-release").read_text().partition('PRETTY_NAME="')[2].partition('"')[0]
    systemd = must("systemctl", "--version").split()[1]
    kernel = Path("/proc/sys/kernel/osrelease").read_text().strip()
    print(
        f"## {system}, kernel {kernel}, systemd {systemd}, control groups of version 2: {has_groups()}; "
        f"{STRETCH:.1f} times slower than usual"
    )
    report = Report(_last_words)
    if package.given():
        package.check(report)
        return report.close()
    life.write_credentials()
    life.stretch_unit()
    life.begin(report)
    life.credentials(report)
    limits.check(report)
    hidden.begin(report)
    life.hang(report)
    hidden.end(report)
    life.crash(report)
    life.reload(report)
    hardening.check(report)
    attacks.check(report)
    upgrade.check(report)
    life.end(report)
    sockets.check(report)
    operations.check(report)
    return report.close()


def _last_words() -> str:
    return run("journalctl", "--no-pager", "-n", "25", "-u", "stratd.service").stdout


if __name__ == "__main__":
    sys.exit(main())
