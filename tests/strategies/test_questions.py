"""What operators ask: a command is answered, also by what it raised; ``inspect`` changes nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bus.messages import Commanded, Inspect, Pause
from strategies.errors import OutOfTurn
from strategies.host import Host
from strategies.outputs import Answered, Fault, Schedule, Update
from tests.strategies.market import T0, Quiet, candle, closed, config, running


def asked(strategy: Quiet, *events: Any) -> tuple[Host, list[Update]]:
    """Return a host that was told these, and what its strategy said."""
    said: list[Update] = []
    host = running(strategy, update=said.append, errors_in_a_row=2)
    for event in events:
        host.handle(event)
    return host, said


def command(name: str, payload: Any = None, request: int = 1) -> Commanded:
    return Commanded(name, json.dumps(payload).encode(), request)


def answers(said: list[Update]) -> list[Answered]:
    return [one for one in said if isinstance(one, Answered)]


class Takes(Quiet):
    """Takes two commands."""

    def on_command(self, name, payload):
        if name == "echo":
            return {"said": payload, "at": self.ctx.now}
        if name == "fail":
            raise ValueError("no such\nsymbol \ud800")
        if name == "odd":
            return object()
        return super().on_command(name, payload)


def test_a_command_is_answered_with_what_the_strategy_returns():
    _, said = asked(Takes(), command("echo", [1, "x", None], request=7))
    assert [Answered(7, b'{"said":[1,"x",null],"at":%d}' % T0)] == said


def test_what_a_command_raises_is_its_answer_and_told_in_the_log():
    _, said = asked(Takes(), command("fail", request=7))
    (answer,) = answers(said)
    assert (7, b"", "ValueError: no such") == (answer.request, answer.data, answer.why[:19])
    answer.why.encode()  # it can be sent
    assert ["on_command"] == [one.callback for one in said if isinstance(one, Fault)]


def test_an_unknown_command_is_answered_and_is_no_error_of_the_strategy():
    host, said = asked(Takes(), command("dance"))
    assert [Answered(1, why="NotImplementedError: Takes takes no command 'dance'")] == said
    assert 0 == host.errors


def test_an_answer_that_is_no_json_is_told_by_its_kind():
    _, said = asked(Takes(), command("odd"))
    assert "JsonRefused: the answer is a object" in answers(said)[0].why.replace("strategies.errors.", "")


def test_commands_that_raise_never_end_a_strategy():
    host, said = asked(Takes(), *(command("fail", request=n) for n in range(1, 100)))
    assert 99 == len(answers(said))
    assert "running" == host.phase


def test_a_payload_that_is_no_json_never_reaches_the_strategy():
    _, said = asked(Takes(), Commanded("echo", b"[1", 1))
    assert "the payload is not JSON" in answers(said)[0].why


def test_a_paused_strategy_is_told_commands_and_stays_paused():
    host, said = asked(Takes(), Pause("lunch"), command("echo"))
    assert 1 == len(answers(said))
    assert "paused" == host.phase


def test_before_its_welcome_a_strategy_is_asked_nothing():
    host = Host(Takes(), config())
    host.initialize()
    for event in (command("echo"), Inspect(1)):
        with pytest.raises(OutOfTurn):
            host.handle(event)


# ---- inspect --------------------------------------------------------------------------------------
class Shows(Quiet):
    """Shows something, and tries to change what it may not."""

    def __init__(self, attempt: str = "") -> None:
        self.attempt = attempt

    def on_candle_complete(self, timeframe, candle, data):
        self.ctx.kv["drawn"] = self.ctx.rng.random()

    def inspect(self):
        if self.attempt == "draw":
            self.ctx.rng.random()
            self.ctx.kv["drawn"] = self.ctx.kv["new"] = 0
        if self.attempt == "timer":
            self.ctx.schedule("t", every=60)
        if self.attempt == "indicator":
            self.ctx.indicator("SMA", "1m", 5)
        if self.attempt == "list":
            return [1]
        return {"drawn": self.ctx.kv.get("drawn"), "size": 2}


def drawn(*events: Any, attempt: str = "draw") -> tuple[dict[str, Any], list[Update]]:
    host, said = asked(Shows(attempt), *events)
    return host.ctx.kv, said


def test_inspect_shows_a_mapping_as_json():
    _, said = asked(Shows(), Inspect(3))
    assert [Answered(3, b'{"drawn":null,"size":2}')] == said


def test_an_indicator_that_is_not_warm_is_shown_as_not_known():
    class Averages(Quiet):
        def initialize(self, config):
            self.average = self.ctx.indicator("SMA", "1m", 3)

        def inspect(self):
            return {"average": self.average.value}

    _, said = asked(Averages(), Inspect(3))
    assert [Answered(3, b'{"average":null}')] == said


def test_inspect_draws_and_writes_nothing_that_lasts():
    plain, _ = drawn(closed(candle(0)), closed(candle(1)))
    looked, _ = drawn(Inspect(1), closed(candle(0)), Inspect(2), closed(candle(1)), Inspect(3))
    assert plain == looked


@pytest.mark.parametrize(
    ("attempt", "line"),
    [
        ("timer", "schedule('t') in inspect, which looks and changes nothing"),
        ("indicator", "indicator('SMA') in inspect, which looks and changes nothing"),
        ("list", "inspect returned list, not a mapping"),
    ],
)
def test_inspect_that_would_change_something_is_refused(attempt, line):
    _, said = drawn(Inspect(1), attempt=attempt)
    assert answers(said)[0].why.endswith(line)
    assert [] == [one for one in said if isinstance(one, Schedule)]


def test_after_inspect_timers_can_be_set_again():
    host, said = asked(Shows("timer"), Inspect(1))
    host.ctx.schedule("t", every=60)
    assert ["t"] == [one.name for one in said if isinstance(one, Schedule)]
