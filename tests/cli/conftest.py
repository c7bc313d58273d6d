"""A served fake daemon, and command lines run against it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from cli.main import run
from tests.supervisor.fake_daemon import FakeDaemon, Served, make_row


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str

    @property
    def json(self) -> object:
        """Stdout as exactly one document."""
        return json.loads(self.out)


Run = Callable[..., Ended]


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    """One server for all of a module, over a daemon that is made anew for each."""
    with Served(FakeDaemon()) as one:
        yield one


@pytest.fixture
def daemon(server: Served) -> FakeDaemon:
    fake = server.daemon
    fake.renew()
    fake.rows = {
        "eurusd": make_row("eurusd"),
        "gold": make_row("gold", "backoff", symbols=["XAUUSD"], cause="hang"),
        "idle": make_row("idle", "stopped"),
    }
    return fake


@pytest.fixture
def served(server: Served, daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch) -> Served:
    monkeypatch.setenv("STRATD_RUNTIME_DIR", str(server.folder))
    return server


@pytest.fixture
def stratd(capsys: pytest.CaptureFixture[str]) -> Run:
    def command(line: str) -> Ended:
        capsys.readouterr()
        code = run(shlex.split(line))
        captured = capsys.readouterr()
        return Ended(code, captured.out, captured.err)

    return command
