"""What a caller with an account sees and moves, over every method of the port."""

from __future__ import annotations

import asyncio
import inspect
import json
import string
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.api.bound import DECISIONS, bound
from supervisor.api.caller import Caller, asking
from supervisor.api.port import DaemonPort
from supervisor.errors import NotFound, Refused
from supervisor.schema import ActionResult, EventView, Selection, StartRequest
from supervisor.schema.running import ExecuteRequest
from supervisor.streaming.message import Subscription
from tests.supervisor.fake_daemon import AT, FakeDaemon, make_row, signal
from tests.supervisor.fake_money import latch

METHODS = {name for name, _ in inspect.getmembers(DaemonPort, inspect.isfunction) if name[0] != "_"}


@pytest.fixture
def fake() -> Iterator[FakeDaemon]:
    """Return a daemon of two accounts, asked by a key that is bound to one of them, "mine"."""
    fake = FakeDaemon()
    for name, account in (("eurusd", "mine"), ("gold", "theirs"), ("golden", "mine")):
        fake.rows[name] = make_row(name).model_copy(update={"account": account})
    fake.max_concurrent = 10
    token = asking.set(Caller(name="m", scopes=frozenset({"read", "trade"}), account="mine", key="k"))
    yield fake
    asking.reset(token)


def run(call):
    return asyncio.run(call)


def test_every_method_of_the_port_has_a_decision_and_nothing_else_has():
    assert sorted(METHODS) == sorted(DECISIONS)


def test_a_method_without_a_decision_is_closed(fake, monkeypatch):
    monkeypatch.delitem(DECISIONS, "feeds")
    with pytest.raises(Refused, match="account_binding"):
        run(bound(fake).feeds())


def test_who_is_bound_to_nothing_sees_all(fake):
    asking.set(Caller(name="root"))
    assert [row.id for row in run(bound(fake).deployments())] == ["eurusd", "gold", "golden"]


def test_a_list_holds_its_own_only(fake):
    assert [row.id for row in run(bound(fake).deployments())] == ["eurusd", "golden"]
    assert [one.name for one in run(bound(fake).accounts())] == []


@pytest.mark.parametrize("name", ["gold", "nothing"])
def test_what_is_of_others_is_answered_as_what_is_unknown(fake, name):
    port = bound(fake)
    for ask in (
        lambda: port.describe(name),
        lambda: port.checkpoints(name),
        lambda: port.state(name, None),
        lambda: port.restore_state(name, 1),
        lambda: port.clear_state(name),
        lambda: port.logs(name, n=1, follow=False),
        lambda: port.signals(name, after=None, n=1, follow=False),
        lambda: port.rearm(name, reason="", by="m"),
        lambda: port.positions(name, None),
        lambda: port.orders(name, None, ended=True, n=1),
        lambda: port.trades(name, None, after=None, n=1),
    ):
        with pytest.raises(NotFound) as refused:
            run(ask())
        assert (refused.value.name, "gold" in refused.value.near) == (name, False)


def test_accounts_of_others_are_unknown(fake):
    port = bound(fake)
    for ask in (
        lambda: port.account("default"),
        lambda: port.pause_account("default", reason="", by="m"),
        lambda: port.kill_account("default", reason="", by="m"),
        lambda: port.rearm_account("default", reason="", by="m"),
        lambda: port.positions(None, "default"),
    ):
        with pytest.raises(NotFound, match=r"no account 'default'$"):
            run(ask())
    assert fake.calls == []


@given(
    ids=st.lists(st.sampled_from(["eurusd", "gold", "golden", "silver"]), max_size=6),
    everything=st.booleans(),
    verb=st.sampled_from(["stop", "pause", "resume", "restart", "reset_failed", "remove"]),
)
def test_no_verb_touches_a_deployment_of_others(ids, everything, verb):
    fake = FakeDaemon()
    for name, account in (("eurusd", "mine"), ("gold", "theirs"), ("golden", "mine")):
        fake.rows[name] = make_row(name).model_copy(update={"account": account, "state": "stopped"})
    before = fake.rows["gold"]
    selection = Selection(all=True) if everything or not ids else Selection(ids=ids)
    told = {} if verb in {"reset_failed", "remove"} else {"reason": "", "now": False, "wait": True}
    token = asking.set(Caller(name="m", account="mine", key="k"))
    try:
        result: ActionResult = run(getattr(bound(fake), verb)(selection, **told))
    finally:
        asking.reset(token)
    asked = ["eurusd", "golden"] if everything or not ids else list(dict.fromkeys(ids))
    assert fake.rows["gold"] == before
    assert [one.id for one in result.outcomes] == asked
    assert {one.id for one in result.outcomes if one.problem is None} == {"eurusd", "golden"} & set(asked)


def test_all_of_another_account_is_unknown(fake):
    with pytest.raises(NotFound, match="no account 'theirs'"):
        run(bound(fake).stop(Selection(account="theirs"), reason="", now=False, wait=True))


def test_a_new_deployment_becomes_its_own(fake):
    run(bound(fake).start(StartRequest(id="new", strategy="crossover")))
    assert fake.calls[-1][1].account == "mine"


def test_a_start_for_another_account_or_of_a_taken_id_is_refused(fake):
    port = bound(fake)
    with pytest.raises(Refused, match="bound to the account 'mine', not 'theirs'"):
        run(port.start(StartRequest(id="new", strategy="crossover", account="theirs")))
    with pytest.raises(Refused, match="choose another"):
        run(port.start(StartRequest(id="gold", strategy="crossover")))
    with pytest.raises(NotFound, match="no deployment 'gold'"):
        run(port.start(StartRequest(id="gold")))
    assert fake.calls == []


def test_lines_are_its_own_and_the_last_n_are_n(fake):
    fake.journal = [
        EventView(seq=seq, at=AT, kind="up", deployment_id="gold" if seq % 3 else "eurusd")
        for seq in range(1, 31)
    ]
    whose = [("eurusd", "mine"), ("gold", "theirs"), ("eurusd", "theirs"), ("eurusd", None)]
    fake.verdicts = [
        signal(seq, name, "accepted").model_copy(update={"account_id": account})
        for seq, (name, account) in enumerate(whose, 1)
    ]

    async def read():
        port = bound(fake)
        events = [one.seq async for one in await port.events(after=None, n=4, follow=False)]
        later = [one.seq async for one in await port.events(after=20, n=2, follow=False)]
        signals = [one.seq async for one in await port.signals(None, after=None, n=9, follow=False)]
        return events, later, signals

    assert run(read()) == ([21, 24, 27, 30], [21, 24], [1])
    assert fake.followers == 0


def test_very_many_events_of_others_hide_none_of_its_own(fake):
    fake.journal = [
        EventView(seq=seq, at=AT, kind="up", deployment_id="eurusd" if seq in (1, 30_000) else "gold")
        for seq in range(1, 60_001)
    ]

    async def read():
        port = bound(fake)
        newest = [one.seq async for one in await port.events(after=None, n=1, follow=False)]
        return newest, [one.seq async for one in await port.events(after=1, n=1, follow=False)]

    assert run(read()) == ([30_000], [30_000])


def test_what_was_before_a_deployment_was_of_another_one_of_that_id(fake):
    """An id that was removed may be taken by another account; what was recorded under it may not."""
    fake.journal = [EventView(seq=seq, at=AT + seq, kind="died", deployment_id="eurusd") for seq in range(6)]
    fake.births = {"eurusd": AT + 4}

    async def read():
        return [one.seq async for one in await bound(fake).events(after=None, n=9, follow=False)]

    assert [4, 5] == run(read())


def test_candles_are_of_the_symbols_that_it_is_shown(fake):
    fake.rows["gold"] = fake.rows["gold"].model_copy(update={"symbols": ["XAUUSD"]})
    port = bound(fake)
    assert "XAUUSD" not in {one.symbol for one in run(port.symbols())}
    assert [] == run(port.candles("XAUUSD", "1m", before=None, n=1))
    assert fake.calls == []
    run(port.candles("EURUSD", "1m", before=None, n=1))
    assert [("candles", "EURUSD", "1m", None, 1)] == fake.calls


def test_the_status_counts_its_own_and_names_nothing_of_others(fake):
    status = run(bound(fake).status())
    assert (status.deployments, status.running, status.signals.accepted) == ({"running": 2}, 2, 8)
    assert (status.problems, status.state_dir) == ([], "")


def test_latches_of_others_are_not_shown(fake, monkeypatch):
    whole = run(fake.status())
    latches = [latch("mine"), latch("theirs"), latch("gold", scope="deployment")]
    seen = whole.model_copy(update={"latches": latches})

    async def status():
        return seen

    monkeypatch.setattr(fake, "status", status)
    assert [one.name for one in run(bound(fake).status()).latches] == ["mine"]


@given(st.text(string.ascii_lowercase, max_size=8))
def test_an_id_of_its_own_is_found_and_no_other(name):
    fake = FakeDaemon()
    fake.rows["mine"] = make_row("mine").model_copy(update={"account": "a"})
    fake.rows["other"] = make_row("other").model_copy(update={"account": "b"})
    token = asking.set(Caller(name="m", account="a", key="k"))
    try:
        assert run(bound(fake).describe("mine")).id == "mine"
        if name != "mine":
            with pytest.raises(NotFound):
                run(bound(fake).describe(name))
    finally:
        asking.reset(token)


def test_what_deployments_of_others_do_says_nothing_of_a_strategy(fake):
    fake.rows = {"gold": make_row("gold").model_copy(update={"account": "theirs"})}
    assert [row.status for row in run(bound(fake).strategies())] == ["registered"]
    fake.rows["eurusd"] = make_row("eurusd").model_copy(update={"account": "mine"})
    assert [row.status for row in run(bound(fake).strategies())] == ["active"]


def test_what_it_executes_is_its_own(fake):
    asked = ExecuteRequest(strategy_id="crossover", capital_allocation=1000)
    run(bound(fake).execute(asked))
    assert fake.calls[-1][1].account == "mine"
    with pytest.raises(Refused, match="account_binding"):
        run(bound(fake).execute(asked.model_copy(update={"account": "theirs"})))


def test_a_stream_tells_of_its_own_account_only(fake):
    async def work():
        stream = await bound(fake).stream(Subscription(frozenset({"deployments"})), None)
        first = await anext(aiter(stream))
        await fake.hub.close()
        assert [json.loads(data)["id"] for _, _, data in first] == ["eurusd", "golden"]
        with pytest.raises(NotFound):
            await bound(fake).stream(Subscription(frozenset({"deployments"}), "gold"), None)

    run(work())


@pytest.mark.parametrize(
    ("method", "named"),
    [
        ("strategies", ()),
        ("catalogue", ()),
        ("strategy", ("s",)),
        ("strategy_source", ("s",)),
        ("symbols", ()),
    ],
)
def test_what_depends_on_whose_it_is_is_asked_for_its_account(method, named):
    class Told:
        async def answer(self, *args, account=None):
            return args, account

    setattr(Told, method, Told.answer)
    token = asking.set(Caller(name="m", account="mine", key="k"))
    try:
        assert run(getattr(bound(Told()), method)(*named)) == (named, "mine")
    finally:
        asking.reset(token)
