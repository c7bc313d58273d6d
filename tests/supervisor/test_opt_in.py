"""Who may trade live: a table of refusals, each by its rule."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from bus.messages import Position
from strategies.trading.accounts import AccountTerms
from strategies.trading.orders import Order
from supervisor.errors import Refused
from supervisor.life import State
from supervisor.opt_in import Held, OptIns, judge, judge_change, judge_new, judge_paper
from supervisor.store.tables import Deployment

FUND = AccountTerms(name="fund", live=True, route="gateway")
OPEN = OptIns(enabled=True, accounts={"fund": FUND, "play": AccountTerms(name="play")})
PAPER = Deployment(
    id="ma",
    strategy="ma",
    version="1.0.0",
    account="play",
    mode="paper",
    symbols=["EURUSD"],
    timeframes=["1m"],
    parameters={},
    risk={},
    memory=1,
    cpu=0.5,
    created_at=1,
    updated_at=1,
)
LIVE = replace(PAPER, account="fund", mode="live")


def refusal(call, *args, **how) -> str:
    with pytest.raises(Refused) as caught:
        call(*args, **how)
    return caught.value.rule


def position(symbol: str = "EURUSD", quantity: float = 1.0, *, live: bool = False) -> Position:
    return Position(deployment_id="ma", symbol=symbol, quantity=quantity, average_price=1.0, live=live)


def order(route: str = "") -> Order:
    return Order(
        order_id="o1",
        signal_id="s1",
        deployment_id="ma",
        account_id="play",
        symbol="EURUSD",
        quantity=1.0,
        reduce_only=False,
        leg="",
        data_as_of=1,
        accepted_at=1,
        seq=1,
        route=route,
    )


def test_live_needs_the_configuration_the_account_and_a_word():
    judge(LIVE, None, OPEN, confirmed=True)
    assert "live_unconfirmed" == refusal(judge, LIVE, None, OPEN, confirmed=False)
    shut = OptIns(enabled=False, accounts=OPEN.accounts)
    assert "live_disabled" == refusal(judge, LIVE, None, shut, confirmed=True)
    for account in ("play", "nobody"):
        wanted = replace(LIVE, account=account)
        assert "account_not_live" == refusal(judge, wanted, None, OPEN, confirmed=True)


def test_the_word_is_asked_for_where_it_becomes_live_or_gets_other_money_and_not_again():
    judge(replace(LIVE, memory=2), LIVE, OPEN, confirmed=False)
    assert "live_unconfirmed" == refusal(judge, LIVE, PAPER, OPEN, confirmed=False)
    other = OptIns(enabled=True, accounts={"fund": FUND, "more": replace(FUND, name="more")})
    moved = replace(LIVE, account="more")
    assert "live_unconfirmed" == refusal(judge, moved, LIVE, other, confirmed=False)


def test_the_question_names_whose_money_it_is_and_which_way_it_goes():
    with pytest.raises(Refused, match=r"ma would trade the real money of account fund, by route gateway"):
        judge(LIVE, PAPER, OPEN, confirmed=False)


def test_nothing_trades_on_paper_for_an_account_of_real_money():
    paper = replace(PAPER, account="fund")
    assert "paper_on_live_account" == refusal(judge, paper, None, OPEN, confirmed=True)
    assert "paper_on_live_account" == refusal(judge_paper, paper, OPEN)
    judge_paper(PAPER, OPEN)
    judge_paper(replace(PAPER, account="nobody"), OPEN)
    judge_paper(LIVE, OPEN)


@pytest.mark.parametrize("state", State)
def test_the_mode_changes_only_at_rest(state):
    for wanted, known in ((LIVE, PAPER), (PAPER, LIVE)):
        if state in (State.STOPPED, State.REGISTERED):
            judge_change(wanted, known, state, Held())
        else:
            assert "not_stopped" == refusal(judge_change, wanted, known, state, Held())


@pytest.mark.parametrize(("wanted", "known"), [(LIVE, PAPER), (PAPER, LIVE)])
def test_the_mode_changes_only_with_nothing_of_the_other_one(wanted, known):
    was_live = known.mode == "live"
    here, there = "gateway" if was_live else "", "" if was_live else "gateway"
    for held in (Held([position(live=was_live)]), Held((), [order(here)])):
        assert "held_otherwise" == refusal(judge_change, wanted, known, State.STOPPED, held)
    kept = Held([position(live=not was_live), position("GBPUSD", 0.0, live=was_live)], [order(there)])
    judge_change(wanted, known, State.STOPPED, kept)
    judge_change(known, known, State.RUNNING, Held([position(live=was_live)]))


def test_what_an_earlier_one_of_that_id_holds_for_another_account_is_not_got_by_its_name():
    theirs, flat = replace(position(), account_id="fund"), replace(position(quantity=0.0), account_id="fund")
    for held in (Held([theirs]), Held([flat], [replace(order(), account_id="fund")])):
        assert "held_otherwise" == refusal(judge_new, PAPER, held)
        with pytest.raises(Refused) as caught:
            judge_new(PAPER, held)
        assert not {"fund", "EURUSD"} & set(str(caught.value).split())
    mine = replace(position(), account_id="play")
    for held in (Held(), Held([flat]), Held([mine, flat], [order()])):
        judge_new(PAPER, held)
