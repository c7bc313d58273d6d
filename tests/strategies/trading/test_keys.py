"""What is remembered of accepted signals, for how long, and how much of it one deployment may fill."""

from __future__ import annotations

import pytest

from strategies.trading import caps, keys
from strategies.trading.keys import Keys
from strategies.trading.ttl import KEY_LIFE
from tests.strategies.trading.trading_world import T0, grant, running_core, signal, tick, verdicts

DAY = KEY_LIFE + 1


def known(remembered: Keys, symbol: str, *names: bytes) -> list[bool]:
    return [remembered.known("d", symbol, name) for name in names]


def test_a_key_is_forgotten_by_the_clock_of_its_own_symbol():
    remembered = Keys()
    remembered.remember("d", "X", b"old", 0)
    remembered.remember("d", "RECORDED", b"of 2019", 0)
    remembered.remember("d", "X", b"new", DAY)
    assert [False, True] == known(remembered, "X", b"old", b"new")
    assert [True] == known(remembered, "RECORDED", b"of 2019")
    assert not remembered.known("other", "X", b"new")


def test_what_is_too_old_to_matter_makes_room_before_anybody_is_refused(monkeypatch):
    monkeypatch.setattr(keys, "MOST_KEYS", 4)
    remembered = Keys()
    for number, symbol in enumerate(("X", "X", "Y", "RECORDED")):
        remembered.remember("d", symbol, bytes([number]), number)
    assert 4 == remembered.count("d", lambda _: KEY_LIFE)
    assert 2 == remembered.count("d", {"X": DAY + 1, "Y": KEY_LIFE, "RECORDED": 7}.__getitem__)
    assert 0 == remembered.count("nobody", lambda _: 0)


@pytest.fixture
def few(monkeypatch):
    for module in (keys, caps):
        monkeypatch.setattr(module, "MOST_KEYS", 3)


def test_a_deployment_that_has_too_much_accepted_bars_itself_alone_and_until_it_is_old(few):
    core = running_core(grant("d"), grant("e"))
    core.on_tick(tick(100.0), T0)

    def sent(to: str, intent: str, key: int, now: int = T0) -> list[str]:
        one = signal(intent, key=key, leg=str(key), data_as_of=now, generated_at=now)
        return verdicts(core.on_signals(to, 1, [one], now))

    assert [["accepted"]] * 3 == [sent("d", "enter_long", key) for key in range(3)]
    assert ["remembered"] == sent("d", "enter_long", 3)
    assert ["duplicate"] == sent("d", "enter_long", 2), "nothing was forgotten"
    assert ["accepted"] == sent("e", "enter_long", 3)
    core.on_tick(tick(100.0, ts=T0 + DAY), T0 + DAY)
    assert ["accepted"] == sent("d", "enter_long", 4, T0 + DAY)
