"""Webhooks without a daemon: tokens, what a path shows, and what an alert is made into."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bus.messages import Level, Trail
from strategies.trading.identity import idempotency_key
from supervisor.alerts import signal_of
from supervisor.api.bound import bound
from supervisor.api.caller import Caller, asking
from supervisor.api.door import caller_of
from supervisor.client import Client, NotFound
from supervisor.errors import NotFound as Unknown
from supervisor.keys import hooks, text
from supervisor.keys.record import KeyRecord
from supervisor.schema.webhooks import AlertRequest
from tests.supervisor.fake_daemon import FakeDaemon, Served, make_row

TOKEN = text.make(bytes(range(text.RANDOM_BYTES)))


def record(*scopes: str) -> KeyRecord:
    return KeyRecord(id="k", name="", scopes=list(scopes), digest="", created_at=1)


def alert(**fields: Any) -> AlertRequest:
    return AlertRequest.model_validate({"id": "a", "symbol": "X", "intent": "enter_long", **fields})


def test_a_path_keeps_the_id_of_its_token_and_nothing_secret():
    assert hooks.shown_in(f"/api/v1/webhooks/{TOKEN}") == (str(TOKEN), f"/api/v1/webhooks/{TOKEN.id}")
    assert hooks.shown_in("/api/v1/signals") is None
    assert hooks.shown_in("/api/v1/webhooks") is None


@given(shown=st.text(max_size=80))
def test_whatever_is_shown_that_is_no_token_is_left_out_of_the_path(shown):
    assert hooks.shown_in(hooks.PATH + shown) == (shown, f"{hooks.PATH}{hooks.NAMELESS}")


def test_a_token_is_for_one_deployment_and_has_no_scope_of_a_route():
    who = caller_of(record(hooks.scope_of("alerts")))
    assert (who.webhook, who.scopes, who.name) == ("alerts", frozenset(), "webhook k")


@pytest.mark.parametrize("scopes", [["read"], ["trade", "webhook:x"], ["webhook:x", "webhook:y"], []])
def test_a_key_that_may_anything_else_is_no_token(scopes):
    assert caller_of(record(*scopes)).webhook == ""


def test_an_alert_becomes_the_signal_that_it_says():
    made = signal_of(
        alert(
            quantity=2.0, stop_loss={"kind": "pct", "value": 1.5}, reason="why", tags={"a": "b"},
            trailing_stop={"kind": "price", "value": 3.0, "activation": 1.0}, ttl_ms=500, leg="x",
        )
    )  # fmt: skip
    assert (made.symbol, made.intent, made.quantity, made.reason) == ("X", "enter_long", 2.0, "why")
    assert (made.stop_loss, made.trailing_stop) == (Level("pct", 1.5), Trail("price", 3.0, 1.0))
    assert (made.timeframe, made.tags, made.ttl_ms, made.leg) == ("alert", {"a": "b"}, 500, "x")


@given(one=st.text(min_size=1, max_size=200), other=st.text(min_size=1, max_size=200))
def test_the_id_of_an_alert_is_its_key(one, other):
    keys = [idempotency_key("d", signal_of(alert(id=name, quantity=1.0))) for name in (one, other)]
    assert (keys[0] == keys[1]) == (one == other)
    assert keys[0] == idempotency_key("d", signal_of(alert(id=one, quantity=9.0)))


@pytest.mark.parametrize(
    "fields",
    [
        {"account_id": "other"},
        {"deployment_id": "other"},
        {"mode": "live"},
        {"timeframe": "1m"},
        {"number": 5},
        {"quantity": 0.0},
        {"quantity": float("nan")},
        {"quantity": "5"},
        {"id": ""},
        {"intent": "buy"},
        {"stop_loss": {"kind": "pct", "value": 1.0, "more": 1}},
        {"tags": {"a": 5}},
    ],
)
def test_what_no_alert_may_say_is_refused_by_its_schema(fields):
    with pytest.raises(ValidationError):
        alert(**fields)


@pytest.fixture
def fake() -> FakeDaemon:
    fake = FakeDaemon()
    fake.rows["alerts"] = make_row("alerts").model_copy(update={"account": "mine"})
    return fake


@pytest.mark.system
def test_the_client_makes_lists_and_revokes(fake):
    with Served(fake) as served, Client(served.path) as client:
        made = client.create_webhook("alerts", name="tv", expires_in="90d")
        assert made.path == f"/api/v1/webhooks/{made.token}"
        assert [one.id for one in client.webhooks()] == [made.id]
        assert client.revoke_webhook(made.id).deployment_id == "alerts"
        with pytest.raises(NotFound):
            client.revoke_webhook(made.id)


def test_a_token_whose_deployment_is_of_another_account_by_now_hands_in_nothing(fake):
    for account, taken in (("mine", True), ("theirs", False)):
        token = asking.set(Caller(name="w", account=account, key="k", webhook="alerts"))
        try:
            if taken:
                assert asyncio.run(bound(fake).take_alert("alerts", alert())).verdict == "accepted"
            else:
                with pytest.raises(Unknown):
                    asyncio.run(bound(fake).take_alert("alerts", alert()))
        finally:
            asking.reset(token)
