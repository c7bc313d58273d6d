"""What a caller with an account sees and moves of single deployments, signals and the account itself."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from supervisor.api.bound import bound
from supervisor.api.caller import Caller, asking
from supervisor.errors import NotFound, Refused
from supervisor.schema import PromoteRequest, SettingsPatch
from tests.supervisor.fake_daemon import FakeDaemon, make_row, signal


@pytest.fixture
def fake() -> Iterator[FakeDaemon]:
    """Return a daemon of two accounts, asked by a key that is bound to one of them, "mine"."""
    fake = FakeDaemon()
    for name, account in (("eurusd", "mine"), ("gold", "theirs")):
        fake.rows[name] = make_row(name, "stopped").model_copy(update={"account": account})
    of = {"eurusd": "mine", "gold": "theirs"}
    fake.verdicts = [
        signal(number, name, "accepted").model_copy(update={"account_id": of[name]})
        for number, name in enumerate(("eurusd", "gold", "eurusd"), 1)
    ]
    token = asking.set(Caller(name="m", scopes=frozenset({"read", "trade"}), account="mine", key="k"))
    yield fake
    asking.reset(token)


QUESTIONS: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "change": ((SettingsPatch(cpu=1.0),), {}),
    "promote": ((PromoteRequest(),), {"by": "m"}),
    "latch": (("lock",), {"reason": "", "by": "m"}),
    "deployment_events": ((), {"after": None, "limit": 10}),
    "incidents": ((), {}),
    "metrics": ((), {}),
    "performance": ((), {}),
    "equity": ((), {"n": 10}),
}
"""Methods that name a deployment first, and what else each is asked with."""


def ask(fake: FakeDaemon, method: str, *args: Any, **asked: Any) -> Any:
    return asyncio.run(getattr(bound(fake), method)(*args, **asked))


@pytest.mark.parametrize("method", sorted(QUESTIONS))
def test_of_others_a_deployment_is_unknown_and_not_near_and_nothing_is_done(fake, method):
    args, named = QUESTIONS[method]
    before = list(fake.calls)
    for name in ("gold", "golf"):
        with pytest.raises(NotFound) as error:
            ask(fake, method, name, *args, **named)
        assert ("deployment", ()) == (error.value.kind, error.value.near)
    assert before == fake.calls
    ask(fake, method, "eurusd", *args, **named)


def test_nobody_is_promoted_to_another_account(fake):
    with pytest.raises(Refused, match="account_binding"):
        ask(fake, "promote", "eurusd", PromoteRequest(account="theirs"), by="m")
    assert [] == fake.calls


def test_signals_are_found_among_its_own(fake):
    every = {"verdict": None, "rule": None, "after": None, "limit": 10}
    for deployment, account in ((None, None), ("eurusd", None), (None, "mine")):
        assert [1, 3] == [one.seq for one in ask(fake, "find_signals", deployment, account, **every)]
    for deployment, account in (("gold", None), (None, "theirs")):
        with pytest.raises(NotFound):
            ask(fake, "find_signals", deployment, account, **every)


def test_one_signal_of_others_is_unknown(fake):
    assert "s1" == ask(fake, "signal", "s1").signal.signal_id
    with pytest.raises(NotFound, match="no signal 's2'"):
        ask(fake, "signal", "s2")


def test_the_schedule_of_another_account_is_neither_shown_nor_changed(fake):
    assert ask(fake, "schedule", "eurusd").inside
    for method, more, asked in (("schedule", (), {}), ("set_schedule", (None,), {"by": "m"})):
        with pytest.raises(NotFound, match="gold"):
            ask(fake, method, "gold", *more, **asked)


@pytest.mark.parametrize("method", ["account_limits", "account_exposure", "account_loss"])
def test_what_binds_another_account_is_not_told(fake, method):
    fake.books["mine"] = fake.books["default"].model_copy(update={"name": "mine"})
    assert "mine" == ask(fake, method, "mine").name
    with pytest.raises(NotFound):
        ask(fake, method, "default")
