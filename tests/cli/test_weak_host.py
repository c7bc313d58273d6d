"""The command line on hosts whose kernel refuses layers of the sandbox (tests/supervisor/weak_host.py)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.confine.survey import NEEDED
from supervisor.survey import take
from tests.supervisor.rig import Rig
from tests.waiting import wait_until

pytestmark = pytest.mark.system
ROOT = Path(__file__).resolve().parents[2]


class WeakHost:
    """A host without ``layers``, and a configuration on it."""

    def __init__(self, rig: Rig, layers: str) -> None:
        self.rig = rig
        self._command = [sys.executable, "-m", "tests.supervisor.weak_host", layers]
        at = {"STRATD_CONFIG": str(rig.base / "stratd.toml"), "STRATD_API__PORT": "0"}
        self._environ = {**os.environ, **at}
        self.log = rig.base / "daemon.log"
        rig.load()

    def stratd(self, line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self._line(line.split()), capture_output=True, text=True, check=False, timeout=60, cwd=ROOT,
            env=self._environ,
        )  # fmt: skip

    def serve(self) -> subprocess.Popen[bytes]:
        with self.log.open("wb") as log:
            return subprocess.Popen(self._line(["serve"]), stderr=log, cwd=ROOT, env=self._environ)

    def up(self) -> bool:
        # To ask costs a process each time: not before there is anybody to ask.
        return (self.rig.base / "run" / "api.sock").exists() and self.stratd("status").returncode == 0

    def _line(self, words: list[str]) -> list[str]:
        return [*self._command, sys.executable, "-m", "cli.main", *words]


@pytest.fixture
def rig() -> Iterator[Rig]:
    rig = Rig()
    yield rig
    rig.remove()


@pytest.mark.parametrize(
    "layers",
    [
        "namespaces",
        "mounts",
        "landlock",
        "namespaces,landlock",
        "mounts,landlock",
        "seccomp",
        "namespaces,landlock,seccomp",
    ],
)
def test_doctor_says_what_such_a_kernel_refuses_and_whose_code_may_run(rig, layers):
    here, off = take(), set(layers.split(","))
    setting = "bare" if off & {"namespaces", "mounts"} else here.setting
    off |= {layer.name for layer in here.layers if not layer.active}
    missing = [name for name in NEEDED[setting] if name in off]
    ended = WeakHost(rig, layers).stratd("doctor --json")
    report = json.loads(ended.stdout)
    assert (report["missing"], ended.returncode) == (missing, 1 if missing else 0)
    verdict = report["verdict"]
    assert (verdict["setting"], off - set(verdict["without"])) == (setting, set())
    assert [name for name in missing if name not in verdict["refusal"]] == []
    assert bool(verdict["refusal"]) == bool(missing)
    views = [view for view in report["sandbox"] if view["state"] == "missing"]
    assert [view["name"] for view in views if not view["detail"]] == []


def test_a_stranger_runs_bare_where_landlock_and_seccomp_hold(rig):
    if not {"landlock", "seccomp"} <= {layer.name for layer in take().layers if layer.active}:
        assert os.environ.get("CI") != "true", "CI must have Landlock and seccomp"
        pytest.skip("this host has no Landlock, or no seccomp")
    host = WeakHost(rig, "mounts")
    daemon = host.serve()
    try:
        wait_until(host.up, timeout=60, what="the daemon")
        started = host.stratd("start a --strategy idle")
        assert (started.returncode, started.stderr) == (0, ""), host.log.read_text()
        pid = json.loads(host.stratd("ps --json").stdout)[0]["pid"]
        confined = Path(f"/proc/{pid}/status").read_text()
        # One filter is the weak host's own, which everything on it has.
        assert ("Seccomp_filters:\t2" in confined, "CapEff:\t0000000000000000" in confined) == (True, True)
        validated = host.stratd(f"validate {rig.base}/strategies/idle")
        assert (validated.returncode, validated.stderr) == (0, "")
    finally:
        daemon.terminate()
        assert daemon.wait(60) == 0


def test_a_daemon_there_refuses_a_stranger_by_name_and_runs_what_is_answered_for(rig):
    host = WeakHost(rig, "namespaces,landlock")
    daemon = host.serve()
    try:
        wait_until(host.up, timeout=60, what="the daemon")
        refused = host.stratd("start a --strategy idle")
        assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (5, "", 1)
        for told in ("refused by sandbox: ", "missing: landlock (", "lsm=landlock", "stratd start a --trust"):
            assert told in refused.stderr
        trusted = host.stratd("start a --strategy idle --trust")
        assert (trusted.returncode, trusted.stderr) == (0, ""), host.log.read_text()
        assert "trusted" in host.stratd("ps").stdout
        assert "landlock" in host.stratd("describe a").stdout
        shipped = "--strategy moving_average_crossover --symbol EURUSD --timeframe 1m --timeframe 5m"
        assert host.stratd(f"start b {shipped}").returncode == 0
        validated = host.stratd(f"validate {rig.base}/strategies/idle")
        assert (validated.returncode, "stratd validate" in validated.stderr) == (5, True)
        assert "only trusted code runs" in host.stratd("status").stdout
    finally:
        daemon.terminate()
        assert daemon.wait(60) == 0
