"""``stratd command``, ``inspect`` and ``state save``: what a strategy answers, and how a refusal ends."""

from __future__ import annotations

import pytest

from supervisor.schema.questions import InspectView
from tests.supervisor.fake_daemon import make_row

pytestmark = pytest.mark.system


@pytest.fixture
def daemon(daemon):
    daemon.rows = {"first": make_row("first", "running"), "second": make_row("second", "stopped")}
    return daemon


def test_a_command_prints_what_was_answered(served, stratd):
    ended = stratd("command first echo '{\"bias\":0.5}'")
    assert (0, '{\n  "bias": 0.5\n}\n', "") == (ended.code, ended.out, ended.err)
    assert "first: echo: done\n" == stratd("command first echo").out
    found = stratd("command first echo 7 --json").json
    assert {"deployment_id": "first", "name": "echo", "answer": 7} == found


def test_a_refusal_is_one_line_and_a_code(served, stratd):
    ended = stratd("command first dance")
    assert (2, "stratd: dance: NotImplementedError: Fake takes no command 'dance'\n") == (
        ended.code,
        ended.err,
    )
    ended = stratd("command second echo")
    assert (1, 1) == (ended.code, ended.err.count("\n"))
    assert ended.err.startswith("stratd: second does not run, it is stopped")
    assert 4 == stratd("inspect nobody").code


def test_what_is_no_json_never_leaves_the_command(served, stratd, daemon):
    ended = stratd("command first echo EURUSD")
    assert (2, 1) == (ended.code, ended.err.count("\n"))
    assert "[JSON] 'EURUSD': is no JSON" in ended.err
    assert [] == daemon.calls


def test_what_a_strategy_shows_has_no_control_characters(served, stratd, daemon, monkeypatch):
    async def inspect(deployment_id: str, *, patience: float) -> InspectView:
        return InspectView(deployment_id=deployment_id, at=1, shown={"a\x1b[31m": "b\x07ü"})

    assert '{\n  "bias": 0.5,\n  "armed": true\n}\n' == stratd("inspect first").out
    monkeypatch.setattr(daemon, "inspect", inspect)
    assert '{\n  "a\\u001b[31m": "b\\u0007\\u00fc"\n}\n' == stratd("inspect first").out
    assert {"a\x1b[31m": "b\x07ü"} == stratd("inspect first --json").json["shown"]


def test_a_state_is_saved_on_demand(served, stratd):
    assert "first: checkpoint 7, 3 bytes\n" == stratd("state save first").out
    assert 7 == stratd("state save first --json").json["seq"]
    assert 1 == stratd("state save second").code
