import pytest

from bus.messages import TICK_LATE, TICK_OUT_OF_SESSION, Tick
from strategies.trading.broker import PaperBroker, execution
from strategies.trading.orders import Order


def order(quantity=1.0, *, order_id="o1", symbol="X", deployment_id="d", leg="", seq=1):
    return Order(
        order_id=order_id,
        signal_id="s",
        deployment_id=deployment_id,
        account_id="A",
        symbol=symbol,
        quantity=quantity,
        reduce_only=False,
        leg=leg,
        data_as_of=1000,
        accepted_at=2000,
        seq=seq,
    )


@pytest.mark.parametrize(
    ("quantity", "tick", "price"),
    [
        (1.0, Tick("X", 1001, last=100.0, bid=99.0, ask=101.0), 101.0),
        (-1.0, Tick("X", 1001, last=100.0, bid=99.0, ask=101.0), 99.0),
        (1.0, Tick("X", 1001, bid=101.0, ask=99.0), 101.0),  # crossed: nobody earns the spread
        (-1.0, Tick("X", 1001, bid=101.0, ask=99.0), 99.0),
        (1.0, Tick("X", 1001, last=100.0), 100.0),
        (-1.0, Tick("X", 1001, last=100.0), 100.0),
        (1.0, Tick("X", 1001, bid=99.0), None),  # a bid says nothing of what a buyer pays
        (-1.0, Tick("X", 1001, ask=101.0), None),
        (1.0, Tick("X", 1000, last=100.0), 100.0),  # the next bar may open where the signal's closed
        (1.0, Tick("X", 999, last=100.0), None),
        (1.0, Tick("X", 1001, last=100.0, flags=TICK_OUT_OF_SESSION), None),
        (1.0, Tick("X", 1001, last=100.0, flags=TICK_LATE), 100.0),
    ],
)
def test_a_tick_fills_a_market_order_at_the_price_of_its_side(quantity, tick, price):
    assert execution(order(quantity), tick) == price


def test_orders_of_one_symbol_fill_in_the_order_of_their_acceptance_and_others_wait():
    broker = PaperBroker()
    first, second, other = order(order_id="1"), order(order_id="2"), order(order_id="3", symbol="Y")
    for each in (first, second, other):
        broker.place(each)
    assert broker.match(Tick("X", 1001, last=5.0)) == [(first, 5.0), (second, 5.0)]
    assert broker.match(Tick("Z", 1001, last=5.0)) == []


def test_an_order_waits_until_it_is_removed():
    broker = PaperBroker()
    broker.place(order())
    assert broker.waits("X")
    broker.remove("d", "X", "o1")
    assert not broker.waits("X")
    assert broker.everything() == []


def test_pending_sums_buys_and_sells_apart_for_one_deployment_only():
    broker = PaperBroker()
    for index, quantity in enumerate([1.0, 2.0, -4.0]):
        broker.place(order(quantity, order_id=str(index)))
    broker.place(order(50.0, deployment_id="other"))
    assert broker.pending("d", "X") == (3.0, -4.0, 3)
    assert broker.pending("d", "Y") == (0.0, 0.0, 0)


def test_a_cancel_means_the_orders_of_its_leg_or_all():
    broker = PaperBroker()
    first, second = order(order_id="1", leg="a"), order(order_id="2", leg="b")
    broker.place(first)
    broker.place(second)
    assert broker.cancellable("d", "X", "b") == [second]
    assert broker.cancellable("d", "X", "") == [first, second]


def test_everything_is_listed_by_acceptance():
    broker = PaperBroker()
    broker.place(order(order_id="late", symbol="A", seq=9))
    broker.place(order(order_id="early", symbol="B", seq=2))
    assert [each.order_id for each in broker.everything()] == ["early", "late"]
