"""Start, hang, crash, reload and stop of the service."""

from __future__ import annotations

import os
import pwd
import signal
from pathlib import Path

from tests.host.report import Report
from tests.host.service import (
    STRETCH,
    UNIT,
    active,
    ask,
    journal,
    main_pid,
    must,
    own_group,
    processes,
    prop,
    row,
    rows,
    run,
    stratd,
    until,
)

CONFIG = Path("/etc/stratd/stratd.toml")
LEFT = Path("/dev/shm/left-by-the-service")
SLOW = Path("/run/systemd/system/stratd.service.d/slow.conf")
CREDENTIALS = Path("/etc/credstore")
SECRET = "host-test-secret-0123456789abcdef"  # noqa: S105 - of this test alone


def stretch_unit() -> None:
    """Give the service its time to start on a host that is slow: emulated, or busy."""
    if STRETCH > 2:
        SLOW.parent.mkdir(parents=True, exist_ok=True)
        usual = 90  # TimeoutStartSec= of the unit
        SLOW.write_text(f"[Service]\nTimeoutStartSec={usual * min(STRETCH, 10):.0f}\n")
        must("systemctl", "daemon-reload")


def begin(report: Report) -> None:
    """Start the service and its feed, with three deployments that nothing is wrong with."""
    report.check("start returns after READY=1", lambda: must("systemctl", "start", UNIT))
    report.check("active by notify, with a watchdog", _is_active)
    report.check("a feed as a service of its own", _feed)
    report.check("three deployments run", _deploy)


def _is_active() -> str:
    assert (prop("ActiveState"), prop("SubState"), prop("Type")) == ("active", "running", "notify")
    assert prop("WatchdogUSec") == "10s"
    return prop("StatusText")


def _feed() -> str:
    must("systemctl", "start", "stratd-feed@EURUSD.service")
    until("the feed is healthy", lambda: ask("feeds")[0]["state"] == "healthy")
    return prop("ActiveState", "stratd-feed@EURUSD.service")


def _deploy() -> str:
    for number in range(3):
        stratd("start", f"calm-{number}", "--strategy", "sleeper", "--symbol", "EURUSD", "--timeframe", "1m")
    until("ticks arrive", lambda: all(row(f"calm-{number}").get("ticks", 0) > 0 for number in range(3)))
    return ", ".join(str(row(f"calm-{number}")["pid"]) for number in range(3))


def credentials(report: Report) -> None:
    """See that secrets come as files, by no other way, and reach the settings."""
    report.check("credentials reach the settings, and nobody else reads them", _credentials)


def write_credentials() -> None:
    """Put secrets where an operator puts them, before the service starts."""
    CREDENTIALS.mkdir(mode=0o700, exist_ok=True)
    database = CREDENTIALS / "stratd.database_url"
    database.touch(0o600)
    database.write_text("sqlite:////var/lib/stratd/from-credential.db\n")
    (CREDENTIALS / "stratd.service_api_key").write_text(f"{SECRET}\n")


def _credentials() -> str:
    assert Path("/var/lib/stratd/from-credential.db").stat().st_size > 0
    pid = main_pid()
    folder = Path("/run/credentials") / UNIT
    assert oct(folder.stat().st_mode & 0o077) == "0o0", folder.stat()
    everything = [Path(f"/proc/{one}/environ").read_bytes() for one in processes()]
    assert SECRET.encode() not in b"".join(everything)
    assert SECRET not in must("systemctl", "show", UNIT) + journal()
    return f"{len(list(folder.iterdir()))} files for pid {pid}"


def hang(report: Report) -> None:
    """Stop the main loop: only systemd's watchdog can tell."""
    report.check("a main loop that is stopped is killed by the watchdog, all comes back", _hang)


def crash(report: Report) -> None:
    """Kill the daemon: everything under it has to go, and to come back."""
    report.check("kill -9 of the daemon: every deployment back, no process left over", _crash)


def _hang() -> str:
    # WatchdogSec=10, and TimeoutAbortSec=5 for a process that cannot take SIGABRT.
    detail = _comes_back_after(signal.SIGSTOP)
    assert "Watchdog timeout" in journal()
    return detail


def _crash() -> str:
    return _comes_back_after(signal.SIGKILL)


def _comes_back_after(number: signal.Signals) -> str:
    until("every deployment runs", all_run)
    before, pid, restarts = processes(), main_pid(), int(prop("NRestarts"))
    assert len(before) >= 9, before  # daemon, engine, zygote, and two a deployment
    os.kill(pid, number)
    until("systemd starts it again", lambda: main_pid() not in {0, pid} and active())
    until("every deployment runs", all_run)
    # A pid alone is no identity, but none of these can have been given away again in so short a time.
    left = {pid: line for pid, line in processes().items() if pid in before}
    assert left == {}, left
    assert int(prop("NRestarts")) == restarts + 1
    return f"{len(before)} processes gone, {len(processes())} anew"


def all_run() -> bool:
    """Whether the three deployments run."""
    found = rows()
    return all(found.get(f"calm-{number}", {}).get("state") == "running" for number in range(3))


def reload(report: Report) -> None:
    """Change the settings while everything runs."""
    report.check("reload: a wrong file changes nothing and says why", _reload_wrong)
    report.check("reload: a right one is taken, no cell is touched", _reload_right)


def _reload(text: str, kind: str) -> str:
    last = ask_events()[-1]["seq"]
    CONFIG.write_text(text)
    must("systemctl", "reload", UNIT)

    def told() -> list[str]:
        return [one["detail"] for one in ask_events() if one["seq"] > last and one["kind"] == kind]

    return until(f"the event {kind}", told)[0]


def ask_events() -> list[dict[str, object]]:
    """Return the last events."""
    import json

    return [json.loads(line) for line in stratd("events", "-n", "50", "--json").splitlines()]


def _reload_wrong() -> str:
    good, pid = CONFIG.read_text(), main_pid()
    try:
        detail = _reload(good + "\n[limits]\nmax_concurrent = 0\n", "reload_refused")
    finally:
        CONFIG.write_text(good)
    assert (main_pid(), active()) == (pid, True)
    return detail


def _reload_right() -> str:
    before = [row(f"calm-{number}")["pid"] for number in range(3)]
    detail = _reload(CONFIG.read_text() + "\n[limits]\nmax_concurrent = 7\n", "reloaded")
    assert before == [row(f"calm-{number}")["pid"] for number in range(3)]
    assert ask("status")["max_concurrent"] == 7
    return detail


def end(report: Report) -> None:
    """Stop the service: nothing may be left."""
    report.check("stop leaves no process and no control group", _stop)
    report.check("what was wanted when it stopped runs after the next start", _again)
    report.check("hardening: RemoveIPC", _no_memory_left)


def _stop() -> str:
    before, group = processes(), own_group()
    must("systemctl", "stop", UNIT)
    assert (processes(), prop("Result")) == ({}, "success")
    assert not group.exists()
    return f"{len(before)} processes, Result=success"


def _again() -> str:
    must("systemctl", "start", UNIT)
    until("every deployment runs", all_run)
    run("systemctl", "stop", "stratd-feed@EURUSD.service")
    LEFT.touch()
    os.chown(LEFT, pwd.getpwnam("stratd").pw_uid, -1)
    must("systemctl", "stop", UNIT)
    assert processes() == {}
    return ""


def _no_memory_left() -> str:
    """See that RemoveIPC= takes what was left in memory that all users share."""
    until("systemd cleared it", lambda: not LEFT.exists())
    return ""
