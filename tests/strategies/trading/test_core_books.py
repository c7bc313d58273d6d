"""Books in the core: what is configured counts when a fill is entered, and never again."""

import msgspec

from strategies.trading.accounts import AccountTerms
from strategies.trading.core import Core
from strategies.trading.instruments import Instrument, Instruments
from strategies.trading.setup import Setup
from tests.strategies.trading.trading_world import SECOND, T0, grant, running_core, signal, tick


def setup(multiplier, currency, account="USD"):
    known = {
        "X": Instrument(symbol="X", multiplier=multiplier, currency=currency),
        "EURUSD": Instrument(symbol="EURUSD", base="EUR", currency="USD"),
    }
    return Setup(instruments=Instruments(known), accounts={"A": AccountTerms(name="A", currency=account)})


def traded(*steps, number=1):
    """A core and its records after ``steps``: a setup to go by, or (intent, units, price of the fill)."""
    core, records = running_core(), []
    for step in steps:
        if isinstance(step, Setup):
            core.configure(step)
            continue
        intent, units, price = step
        now, number = T0 + number * SECOND, number + 1
        size = {} if intent == "exit_all" else {"quantity": units}
        asked = signal(intent, number, data_as_of=now, reference_price=None, **size)
        asked = msgspec.structs.replace(asked, reference_price=core._world.prices.price("X"))
        for out in (core.on_signals("d", 1, [asked], now), core.on_tick(tick(price, ts=now + 1), now + 1)):
            records += out.records
    return core, records


STEPS = (
    setup(50.0, "EUR"), ("enter_long", 2.0, 100.0), ("enter_long", 1.0, 103.0), ("exit_long", 1.0, 102.0),
    setup(7.0, "CHF"), ("exit_long", 1.0, 104.0), ("exit_all", 1.0, 105.0), ("enter_short", 3.0, 104.0),
)  # fmt: skip


def test_a_holding_is_of_the_terms_of_its_opening_until_it_is_flat():
    core, _ = traded(*STEPS)
    (held,) = core.positions("d")
    assert (-3.0, "CHF", 7.0, 0.0) == (held.quantity, held.currency, held.multiplier, held.realised)
    settled = core.snapshot().settled
    assert [("EUR", 50.0 * (102.0 + 104.0 + 105.0 - 100.0 - 100.0 - 103.0))] == [
        (one.currency, one.realised) for one in settled
    ]


def test_what_is_configured_now_changes_nothing_of_what_was():
    lived, records = traded(*STEPS)
    for now in (Setup(), setup(3.0, "JPY", "EUR")):
        replayed = Core(setup=now)
        replayed.restore(records)
        assert msgspec.msgpack.encode(lived.snapshot()) == msgspec.msgpack.encode(replayed.snapshot())
    half = Core(setup=setup(3.0, "JPY"))
    half.restore(records[:7])
    whole = Core()
    whole.restore([half.snapshot(), *records[7:]])
    assert lived.snapshot() == whole.snapshot()


def test_removing_a_deployment_leaves_the_money_of_its_account_as_it_was():
    core, _ = traded(setup(50.0, "EUR"), ("enter_long", 2.0, 100.0), ("exit_all", 2.0, 101.0))
    core.attach(grant("e"))
    before = core._world.money(("account", "A"))
    core.forget("d", T0 + 99 * SECOND)
    assert [] == core.positions("d")
    assert before == core._world.money(("account", "A"))
    core.on_tick(tick(1.25, "EURUSD", T0 + 100 * SECOND), T0 + 100 * SECOND)
    assert 125.0 == core._world.money(("account", "A")).profit
