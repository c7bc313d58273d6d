"""Orders among orders, entries and exits, what the engine is told; with a route that does as it is told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest
from msgspec.structs import replace

from supervisor.routes.order import begin
from supervisor.routes.post import report
from supervisor.routes.route import Answer, NotTaken, Refused, Unreachable
from tests.supervisor.routes.route_world import FakeRoute, World, leave, order
from tests.waiting import turn, until

SILENCE = Unreachable("timed out")
BUSY = NotTaken("429", busy=True, retry_after=0.0)
DOWN = NotTaken("cannot connect")
HOUR = 3600 * 10**9


def live(scenario: Callable[[World, FakeRoute], Awaitable[None]], **changes: object) -> FakeRoute:
    route = FakeRoute()

    async def run() -> None:
        async with World(route, **changes) as world:
            await asyncio.wait_for(scenario(world, route), 60)

    asyncio.run(run())
    assert route.closed
    return route


async def called(route: FakeRoute, what: str, order_id: str = "o1", times: int = 1) -> None:
    async def there() -> bool:
        return route.calls.count((what, order_id)) >= times

    await until(there, what=f"{what} of {order_id} {times} times, after {route.calls}")


def test_an_order_told_again_after_a_restart_is_asked_for_first():
    async def scenario(world: World, route: FakeRoute):
        route.states["o1"] = Answer(status="filled", filled=10.0, average_price=5.0)
        world.take(order(), again=True)
        assert 10.0 == (await world.until("filled")).filled

    assert [("query", "o1")] == live(scenario).calls


def test_one_that_never_arrived_is_sent_under_its_id():
    async def scenario(world: World, route: FakeRoute):
        world.take(order(), again=True)
        await world.until("working")

    assert [("query", "o1"), ("send", "o1")] == live(scenario).calls[:2]


def test_an_old_entry_that_never_arrived_is_barred_and_rejected_and_an_old_exit_is_sent():
    async def scenario(world: World, route: FakeRoute):
        world.take(order(accepted_at=time.time_ns() - HOUR), again=True)
        world.take(leave(accepted_at=time.time_ns() - HOUR), again=True)
        assert "not taken within 20 s" in (await world.until("rejected")).detail
        await world.until("working", "o2")

    route = live(scenario)
    assert [("query", "o1"), ("cancel", "o1")] == [call for call in route.calls if call[1] == "o1"]


def test_an_order_that_had_filled_partly_is_never_sent_though_the_other_end_has_forgotten_it():
    async def scenario(world: World, route: FakeRoute):
        world.take(order(filled=4.0), again=True)
        await world.until("unknown")
        assert ["order_lost"] == [kind for kind, _ in world.events]
        await called(route, "query", times=3)

    assert [] == live(scenario).did("send")


def test_an_engine_that_comes_back_is_told_again_what_it_may_have_missed():
    async def scenario(world: World, route: FakeRoute):
        world.take(order())
        await world.until("working")
        world.take(order(), again=True)
        assert ["working", "working"] == world.statuses()

    assert 1 == len(live(scenario).did("send"))


def test_the_engine_is_told_once_of_what_does_not_change():
    async def scenario(world: World, route: FakeRoute):
        world.take(order())
        await called(route, "query", times=5)
        assert ["working"] == world.statuses()

    live(scenario)


def test_an_exit_passes_an_entry_that_nobody_answers():
    async def scenario(world: World, route: FakeRoute):
        route.sends = [asyncio.Event()]
        world.take(order())
        await called(route, "send")
        world.take(leave())
        await world.until("working", "o2")
        assert [] == world.statuses("o1")

    live(scenario, timeout=15.0)


@pytest.mark.parametrize("first", [order(), leave("o1", seq=1)])
def test_an_entry_waits_for_what_was_accepted_before_it(first):
    async def scenario(world: World, route: FakeRoute):
        answers = asyncio.Event()
        route.sends = [answers]
        world.take(first)
        await called(route, "send")
        world.take(order("o2", seq=2))
        world.take(order("other", seq=3, symbol="Y"))
        await world.until("working", "other")
        assert ("send", "o2") not in route.calls
        answers.set()
        await world.until("working", "o2")

    live(scenario, timeout=15.0)


def test_an_entry_behind_one_in_doubt_is_rejected_once_its_patience_is_over():
    async def scenario(world: World, route: FakeRoute):
        route.sends, route.queries = [SILENCE], [SILENCE] * 10_000
        world.take(order())
        await world.until("unknown")
        world.take(order("o2", seq=2))
        assert "order o1 before it is not answered" == (await world.until("rejected", "o2")).detail

    route = live(scenario, patience=0.05, failures=10**9)
    assert ("send", "o2") not in route.calls


def test_while_a_route_is_cut_off_entries_are_rejected_and_exits_open_it_again():
    async def scenario(world: World, route: FakeRoute):
        route.down = DOWN
        world.take(leave())
        await called(route, "send", "o2", times=3)
        world.take(order("o3", seq=3, symbol="Y"))
        detail = (await world.until("rejected", "o3")).detail
        assert "the route gateway is cut off: cannot connect" == detail
        assert "the route gateway is cut off" in world.problem
        assert 1 == world.courier.rejected
        route.down = None
        await world.until("working", "o2")
        assert "" == world.problem
        world.take(order("o4", seq=4, symbol="Y"))
        await world.until("working", "o4")

    route = live(scenario)
    assert ("send", "o3") not in route.calls


def test_half_open_one_entry_tries_and_its_answer_closes_it():
    async def scenario(world: World, route: FakeRoute):
        route.sends = [DOWN, DOWN, DOWN]
        world.take(order())
        await world.until("rejected")

        async def taken() -> bool:
            world.take(order(f"n{len(world.reports)}", seq=9, symbol="Y"))
            await turn()
            return any(one.status == "working" for one in world.reports)

        await until(taken, what="an entry after the cool-down")

    live(scenario, cool_down=0.05)


def test_a_gateway_that_asks_for_patience_is_not_cut_off():
    async def scenario(world: World, route: FakeRoute):
        route.sends = [BUSY] * 20
        world.take(order())
        await world.until("working")
        assert [] == world.events

    assert 21 == len(live(scenario).did("send"))


def test_an_entry_that_is_not_taken_in_time_is_rejected_with_the_reason():
    async def scenario(world: World, route: FakeRoute):
        route.sends = [DOWN] * 10_000
        world.take(order())
        assert "not taken within 0.05 s (cannot connect)" == (await world.until("rejected")).detail

    live(scenario, patience=0.05, failures=10**9)


def test_a_refused_exit_is_rejected():
    async def scenario(world: World, route: FakeRoute):
        route.sends = [Refused("market closed")]
        world.take(leave())
        assert "market closed" == (await world.until("rejected", "o2")).detail

    assert 1 == len(live(scenario).calls)


def test_a_cancellation_before_it_was_sent_ends_it_here():
    async def scenario(world: World, route: FakeRoute):
        answers = asyncio.Event()
        route.sends = [answers]
        world.take(order())
        await called(route, "send")
        waiting = order("o2", seq=2)
        world.take(waiting)
        world.take(waiting, cancel=True)
        await world.until("cancelled", "o2")

    assert [] == [call for call in live(scenario, timeout=15.0).calls if call[1] == "o2"]


def test_a_cancellation_of_what_a_daemon_before_this_one_sent_reaches_the_other_end():
    async def scenario(world: World, route: FakeRoute):
        route.states["o1"] = Answer(status="working")
        world.take(order(), cancel=True)
        await world.until("cancelled")

    assert [] == live(scenario).did("send")


def test_what_comes_unasked_counts_at_once():
    async def scenario(world: World, route: FakeRoute):
        world.take(order())
        await world.until("working")
        route.told("o1", Answer(status="working", filled=float("nan")))
        route.told("nobody", Answer(status="filled", filled=1.0, average_price=1.0))
        route.told("o1", Answer(status="filled", filled=10.0, average_price=7.0))
        assert 7.0 == (await world.until("filled")).average_price

    assert 1 == len(live(scenario, poll_first=60.0, poll_most=60.0).did("send"))


def test_what_fills_after_its_order_has_ended_is_told_once():
    async def scenario(world: World, route: FakeRoute):
        world.take(order())
        await world.until("working")
        route.told("o1", Answer(status="cancelled", filled=4.0, average_price=7.0))
        await world.until("cancelled")
        await until(lambda: leaves(world), what="the order is let go")
        for filled in (4.0, 3.0, 6.0, 6.0):
            route.told("o1", Answer(status="cancelled", filled=filled, average_price=7.0))
        [(kind, detail)] = world.events
        assert ("fill_after_end", True) == (kind, "6 filled, it had ended with 4" in detail)

    async def leaves(world: World) -> bool:
        return not world.courier.open

    live(scenario, poll_first=60.0, poll_most=60.0)


def test_a_gateway_that_says_retry_at_once_is_asked_at_our_own_pace():
    async def scenario(world: World, route: FakeRoute):
        route.sends = [BUSY] * 1_000
        world.take(order())
        await called(route, "send")
        for _ in range(50):
            await turn()

    assert 1 == len(live(scenario, wait_first=60.0, wait_most=60.0).did("send"))


def test_orders_that_work_are_asked_for_at_their_pace_however_many_there_are():
    async def scenario(world: World, route: FakeRoute):
        for number in range(5):
            world.take(order(f"o{number}", seq=number))
        for number in range(5):
            await world.until("working", f"o{number}")
        for _ in range(50):
            await turn()

    assert 5 == len(live(scenario, poll_first=60.0, poll_most=60.0).calls)


@pytest.mark.parametrize("wrong", [ValueError("with a secret"), KeyError("secret")])
def test_a_kind_of_route_that_fails_otherwise_has_not_answered(wrong):
    async def scenario(world: World, route: FakeRoute):
        route.sends = [wrong]
        world.take(order())
        unknown = await world.until("unknown")
        assert f"the route failed with {type(wrong).__name__}" == unknown.detail
        await world.until("working")

    assert 2 == len(live(scenario).did("send"))


def test_sums_that_cannot_be_are_asked_for_again():
    async def scenario(world: World, route: FakeRoute):
        route.states["o1"] = Answer(status="filled", filled=10.0)
        world.take(order())
        assert "no sums" in (await world.until("unknown")).detail
        route.states["o1"] = Answer(status="filled", filled=10.0, average_price=3.0)
        await world.until("filled")

    assert 1 == len(live(scenario).did("send"))


def test_only_so_many_entries_are_under_way_and_exits_always():
    async def scenario(world: World, route: FakeRoute):
        world.take(order())
        world.take(order("o3", seq=3, symbol="Y"))
        assert "1 orders are under way by the route gateway" == (await world.until("rejected", "o3")).detail
        world.take(leave())
        await world.until("working", "o2")

    live(scenario, most=1)


def test_entries_that_hang_leave_room_for_exits():
    async def scenario(world: World, route: FakeRoute):
        route.sends = [asyncio.Event(), asyncio.Event()]
        for number in range(6):
            world.take(order(f"h{number}", seq=number, symbol=f"S{number}"))
        await called(route, "send", "h1")
        world.take(leave())
        await world.until("working", "o2")
        assert 3 == len(route.did("send"))

    live(scenario, at_once=2, timeout=15.0)


def test_stopping_leaves_an_order_that_is_being_sent_as_it_is():
    async def scenario(world: World, route: FakeRoute):
        route.sends = [asyncio.Event()]
        world.take(order())
        await called(route, "send")

    assert 1 == len(live(scenario, timeout=15.0).calls)


def test_nothing_is_told_of_an_order_that_is_not_there_yet():
    assert None is report(order(), begin("o1", 10.0, again=False))
    assert "unknown" == report(order(), begin("o1", 10.0, again=True)).status
    told = report(leave(), replace(begin("o2", 10.0, again=True), lost=True, answer=Answer(status="working")))
    assert "unknown" == told.status
