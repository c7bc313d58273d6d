"""Every command of docs/operations.md that is marked so, in order, on a host with stratd installed."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from tests.host.life import all_run
from tests.host.report import Report
from tests.host.service import STRATD, UNIT, active, main_pid, must, processes, prop, row, run, stratd, until

PAGE = Path(__file__).resolve().parents[2] / "docs" / "operations.md"
BLOCK = re.compile(r"^<!-- run in tests/host -->\n```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def check(report: Report) -> None:
    """Run each block, and see what it is there for."""
    run("systemctl", "reset-failed", UNIT)
    report.check("operations: the service runs", lambda: must("systemctl", "start", UNIT))
    for script in BLOCK.findall(PAGE.read_text("utf-8")):
        title = script.splitlines()[0]
        report.check(f"operations: {title}", lambda script=script: _block(script))


def _block(script: str) -> str:
    run("systemctl", "reset-failed", UNIT)  # more starts here in five minutes than StartLimitBurst= allows
    must("bash", "-e", "-c", script)
    seen = [look() for word, look in EFFECTS.items() if word in script]
    assert seen, "nothing says what this block is there for"
    return "; ".join(filter(None, seen))


def _all_back() -> str:
    until("the service is up, and every deployment runs", lambda: active() and all_run())
    return f"daemon {main_pid()}"


def _secret() -> str:
    _all_back()
    file = Path("/run/credentials") / UNIT / "REDIS_PASSWORD"
    assert file.read_text().strip() == "a-password-of-redis"
    return "the daemon was given it"


def _address() -> str:
    _all_back()
    assert "192.0.2.32/28" in prop("IPAddressAllow")
    return prop("IPAddressAllow")


def _processors() -> str:
    _all_back()
    status = Path(f"/proc/{main_pid()}/status").read_text()
    return re.search(r"Cpus_allowed_list:\s+0\n", status)[0].strip()  # type: ignore[index]  # None raises, too


def _backed_up() -> str:
    _all_back()
    # What comes after a backup is what a restored one must not know.
    stratd("start", "later", "--strategy", "sleeper", "--symbol", "EURUSD", "--timeframe", "1m")
    return " ".join(must("tar", "-tf", "/var/backups/stratd.tar").split())


def _restored() -> str:
    _all_back()
    assert row("later") == {}
    return "what was there, and nothing later"


def _gone() -> str:
    assert processes() == {}
    left = [
        path for path in ("/opt/stratd", "/etc/systemd/system/stratd.service", STRATD) if Path(path).exists()
    ]
    kept = [path for path in ("/etc/stratd/stratd.toml", "/var/lib/stratd/journal.db") if Path(path).exists()]
    assert (left, len(kept)) == ([], 2), (left, kept)
    assert run("systemctl", "cat", UNIT).returncode != 0
    return f"kept: {', '.join(kept)}"


EFFECTS: dict[str, Callable[[], str]] = {
    "stratd doctor": _all_back,
    "stratd.redis_password": _secret,
    "IPAddressAllow": _address,
    "storage backup": _backed_up,
    "storage restore": _restored,
    "CPUAffinity": _processors,
    "uninstall": _gone,
}
"""What each block is for, by a word of it."""
