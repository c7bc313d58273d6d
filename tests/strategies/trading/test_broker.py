from bus.messages import Tick
from strategies.trading.broker import PaperBroker
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


def test_orders_of_one_symbol_fill_in_the_order_of_their_acceptance_and_others_wait():
    broker = PaperBroker()
    first, second, other = order(order_id="1"), order(order_id="2"), order(order_id="3", symbol="Y")
    for each in (first, second, other):
        broker.place(each)
    matches = broker.match(Tick("X", 1001, last=5.0))
    assert [("1", 5.0, "filled"), ("2", 5.0, "filled")] == [
        (match.order.order_id, match.price, match.done) for match in matches
    ]
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
