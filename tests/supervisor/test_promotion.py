"""The confirmation before real money: good for one thing, once, and for five minutes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from supervisor.errors import Refused
from supervisor.promotion import GOOD_FOR, check, confirmation, settings_hash
from supervisor.store.tables import Deployment

KEY, NOW = b"k" * 32, 1000.0
PAPER = Deployment(
    id="eurusd", strategy="crossover", version="1.0.0", account="fund", mode="paper", symbols=["EURUSD"],
    timeframes=["1m"], parameters={"fast": 5}, memory=2**28, cpu=0.5, created_at=1, updated_at=1,
)  # fmt: skip
CHANGES = {
    "id": "gold", "strategy": "other", "version": "1.0.1", "account": "spare", "mode": "live",
    "symbols": ["XAUUSD"], "timeframes": ["5m"], "parameters": {"fast": 6}, "risk": {"max_drawdown": 5.0},
    "memory": 2**29, "cpu": 1.0, "trusted_path": "/x", "schedule": {"windows": []},
    "created_at": 2, "updated_at": 2,
}  # fmt: skip


def test_it_holds_for_five_minutes_and_no_longer():
    given_ = confirmation(KEY, PAPER, "fund", NOW)
    check(given_, KEY, PAPER, "fund", NOW)
    check(given_, KEY, PAPER, "fund", NOW + GOOD_FOR)
    with pytest.raises(Refused, match="confirmation_expired"):
        check(given_, KEY, PAPER, "fund", NOW + GOOD_FOR + 0.1)


def test_every_setting_is_named_by_the_hash():
    assert set(CHANGES) == set(Deployment.__struct_fields__)


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_it_is_spent_by_any_change_of_the_deployment(name):
    given_ = confirmation(KEY, PAPER, "fund", NOW)
    changed = replace(PAPER, **{name: CHANGES[name]})
    assert settings_hash(changed) != settings_hash(PAPER)
    with pytest.raises(Refused, match="confirmation_invalid"):
        check(given_, KEY, changed, "fund", NOW)


def test_it_is_for_one_account_and_of_one_process():
    given_ = confirmation(KEY, PAPER, "fund", NOW)
    for key, account in ((KEY, "spare"), (b"x" * 32, "fund")):
        with pytest.raises(Refused, match="confirmation_invalid"):
            check(given_, key, PAPER, account, NOW)


@given(st.text(max_size=100) | st.from_regex(r"[0-9.]{1,20}\.[0-9a-f]{64}", fullmatch=True))
def test_anything_else_is_refused_and_never_an_error(text):
    with pytest.raises(Refused, match="confirmation_invalid"):
        check(text, KEY, PAPER, "fund", NOW)


@given(st.floats(1e-3, 1e7), st.floats(1e-3, 1e7))
def test_a_later_end_cannot_be_written_in(now, longer):
    until, _, code = confirmation(KEY, PAPER, "fund", now).rpartition(".")
    later = f"{float(until) + longer:.3f}"
    if later == until:
        return
    forged = f"{later}.{code}"
    with pytest.raises(Refused):
        check(forged, KEY, PAPER, "fund", now)
