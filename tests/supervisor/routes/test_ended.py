"""What is remembered of orders that have ended."""

from supervisor.routes.ended import Ended
from supervisor.routes.route import Answer
from tests.supervisor.routes.route_world import order


def cancelled(filled: float) -> Answer:
    return Answer(status="cancelled", filled=filled, average_price=1.0)


def test_only_what_has_filled_beyond_what_was_known_is_late():
    ended = Ended()
    ended.keep(order("a", filled=-2.0), None)
    ended.keep(order("b"), cancelled(3.0))
    assert [None, None, None] == [
        ended.late("a", cancelled(2.0)), ended.late("b", cancelled(3.0)), ended.late("c", cancelled(3.0)),
    ]  # fmt: skip
    assert 2.0 == ended.late("a", cancelled(2.5)).filled
    assert None is ended.late("a", cancelled(2.5))


def test_only_so_many_are_remembered_the_last_ones():
    ended = Ended(most=2)
    for name in ("a", "b", "a", "c"):
        ended.keep(order(name), cancelled(0.0))
    assert [None, "a", "c"] == [
        known and known.order.order_id for known in (ended.late(name, cancelled(1.0)) for name in "bac")
    ]
