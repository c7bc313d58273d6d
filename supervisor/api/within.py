"""Decisions on what a caller with an account may: each method of the port is asked through one of them.

Each is called with ``Within``, the daemon's own method, and what that was asked with. Names of others do
not exist: they are answered as unknown ones are, with near names of the account's own.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any, Final, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from supervisor.api.port import DaemonPort
from supervisor.errors import CREATES, MOST_COMPARED, NotFound, Refused, near_matches
from supervisor.problems import problem_of
from supervisor.schema import (
    ActionResult,
    Outcome,
    PromoteRequest,
    Selection,
    StartRequest,
    Status,
    Verdicts,
    View,
)
from supervisor.schema.ops import Readiness
from supervisor.schema.running import ExecuteRequest
from supervisor.streaming.cursor import Cursor
from supervisor.streaming.message import Subscription
from supervisor.streaming.stream import Stream

RULE: Final = "account_binding"

Call: TypeAlias = Callable[..., Awaitable[Any]]


class Within(Struct, frozen=True):
    """The part of the daemon that one account is."""

    port: DaemonPort
    account: str

    async def ids(self) -> list[str]:
        """Return the ids of its deployments."""
        owners = await self.port.owners()
        return sorted(name for name, account in owners.items() if account == self.account)

    async def own(self, deployment_id: str) -> None:
        """Raise ``NotFound`` unless the deployment is its."""
        ids = await self.ids()
        if deployment_id not in ids:
            raise NotFound("deployment", deployment_id, near_matches(deployment_id, ids))

    def is_it(self, account: str) -> None:
        """Raise ``NotFound`` unless ``account`` is it."""
        if account != self.account:
            raise NotFound("account", account, near_matches(account, [self.account]))


Decision: TypeAlias = Callable[..., Awaitable[Any]]
"""Called with ``Within``, the daemon's own method, and what that was asked with."""


async def passes(_within: Within, call: Call, *args: Any, **asked: Any) -> Any:
    """Of no account: strategies, feeds, symbols, the host."""
    return await call(*args, **asked)


async def denied(within: Within, _call: Call, *_args: Any, **_asked: Any) -> Any:
    """Of the daemon as a whole."""
    raise Refused(RULE, f"this key is bound to the account {within.account!r}, and that is of the daemon")


async def one_deployment(within: Within, call: Call, deployment_id: str, *args: Any, **asked: Any) -> Any:
    """Of the deployment that is named first."""
    await within.own(deployment_id)
    return await call(deployment_id, *args, **asked)


async def own_stream(within: Within, call: Call, wanted: Subscription, last: Cursor | None) -> Stream:
    """What happens to its own deployments, and to the feeds."""
    if wanted.deployment_id:
        await within.own(wanted.deployment_id)
    stream: Stream = await call(replace(wanted, account=within.account), last)
    return stream


async def one_account(within: Within, call: Call, name: str, *args: Any, **asked: Any) -> Any:
    """Of the account that is named first."""
    within.is_it(name)
    try:
        return await call(name, *args, **asked)
    except NotFound as error:  # nothing is known of it yet: then no near names, which are of others
        raise NotFound(error.kind, error.name) from None


async def listed(within: Within, call: Call, *args: Any, **asked: Any) -> Any:
    """A list of rows, each of an account."""
    return [row for row in await call(*args, **asked) if _account_of(row) == within.account]


async def ledger(
    within: Within, call: Call, deployment_id: str | None, account: str | None, **asked: Any
) -> Any:
    """Rows of one deployment, of an account, or of all: all is its own account."""
    if deployment_id is not None:
        await within.own(deployment_id)
    if account is not None:
        within.is_it(account)
    try:
        rows = await call(deployment_id, within.account if deployment_id is None else None, **asked)
    except NotFound as error:
        raise NotFound(error.kind, error.name) from None
    return [row for row in rows if _account_of(row) == within.account]


async def selected(within: Within, call: Call, selection: Selection, **asked: Any) -> ActionResult:
    """A verb for some, for an account, or for all: all is its own."""
    if selection.account is not None:
        within.is_it(selection.account)
    ids = await within.ids()
    asked_for = list(dict.fromkeys(selection.ids)) or ids
    mine = [name for name in asked_for if name in ids]
    result: ActionResult = ActionResult()
    if mine:
        result = await call(Selection(ids=mine), **asked)
    done = {outcome.id: outcome for outcome in result.outcomes}
    compared = [name for name in asked_for if name not in done][:MOST_COMPARED]
    return ActionResult(
        outcomes=[done.get(name) or _unknown(name, ids if name in compared else []) for name in asked_for]
    )


def _unknown(name: str, near: list[str]) -> Outcome:
    return Outcome(id=name, problem=problem_of(NotFound("deployment", name, near_matches(name, near))))


async def started(within: Within, call: Call, request: StartRequest, **asked: Any) -> Any:
    """A start: of its own, or of a new one, which becomes its own."""
    if request.account not in (None, within.account):
        raise Refused(RULE, f"this key is bound to the account {within.account!r}, not {request.account!r}")
    owners = await within.port.owners()
    if owners.get(request.id, within.account) != within.account:
        if request.strategy is None:
            ids = await within.ids()
            raise NotFound("deployment", request.id, near_matches(request.id, ids), CREATES)
        # Two cannot have one id, so this much is told: that it is taken.
        raise Refused(RULE, f"the id {request.id!r} cannot be used with this key; choose another")
    if request.id not in owners:
        if request.strategy is None:
            ids = await within.ids()
            raise NotFound("deployment", request.id, near_matches(request.id, ids), CREATES)
        request = request.model_copy(update={"account": within.account})
    return await call(request, **{**asked, "account": within.account})


async def promoted(
    within: Within, call: Call, deployment_id: str, request: PromoteRequest, **asked: Any
) -> Any:
    """From paper to live: of its own, for the account that it is."""
    await within.own(deployment_id)
    if request.account not in (None, within.account):
        raise Refused(RULE, f"this key is bound to the account {within.account!r}, not {request.account!r}")
    return await call(deployment_id, request, **asked)


async def found_signals(
    within: Within, call: Call, deployment_id: str | None, account: str | None, **asked: Any
) -> list[Any]:
    """Signals of one deployment, of an account, or of all: all is its own account."""
    if deployment_id is not None:
        await within.own(deployment_id)
    if account is not None:
        within.is_it(account)
    try:
        rows = await call(deployment_id, within.account if deployment_id is None else None, **asked)
    except NotFound as error:
        raise NotFound(error.kind, error.name) from None
    return [row for row in rows if row.account_id == within.account]


async def own_signal(within: Within, call: Call, signal_id: str) -> Any:
    """One signal, of its own."""
    chain = await call(signal_id)
    if chain.signal.account_id != within.account:
        raise NotFound("signal", signal_id)
    return chain


async def own_answer(within: Within, call: Call, signal_id: str, **asked: Any) -> Any:
    """A word on one signal, of its own."""
    await own_signal(within, within.port.signal, signal_id)
    return await call(signal_id, **asked)


async def own_candles(within: Within, call: Call, symbol: str, *args: Any, **asked: Any) -> list[Any]:
    """Of the symbols that it is shown: that there are any of another would say that others read it."""
    shown = {one.symbol for one in await within.port.symbols(account=within.account)}
    return list(await call(symbol, *args, **asked)) if symbol in shown else []


async def executed(within: Within, call: Call, request: ExecuteRequest, **asked: Any) -> Any:
    """A new deployment of a strategy, which becomes its own."""
    if request.account not in (None, within.account):
        raise Refused(RULE, f"this key is bound to the account {within.account!r}, not {request.account!r}")
    mine = request.model_copy(update={"account": within.account})
    return await call(mine, **{**asked, "account": within.account})


async def counted(within: Within, call: Call, *args: Any, **asked: Any) -> Any:
    """Of no account, but for deployments and registered code: those of its own, and what is everybody's."""
    return await call(*args, **{**asked, "account": within.account})


async def own_status(within: Within, call: Call) -> Status:
    """The daemon's state, its counts those of the account."""
    status: Status = await call()
    rows = [row for row in await within.port.deployments() if row.account == within.account]
    ids = {row.id for row in rows}
    totals = Counter[str]()
    for row in rows:
        totals.update(row.signals.model_dump())
    return status.model_copy(
        update={
            "deployments": dict(Counter(row.state for row in rows)),
            "running": sum(row.pid is not None for row in rows),
            "signals": Verdicts(**totals),
            "latches": [
                latch
                for latch in status.latches
                if (latch.name in ids if latch.scope == "deployment" else latch.name == within.account)
            ],
            "problems": [],  # sentences that name what is of others, too
            "state_dir": "",
            "runtime_dir": "",
            "config": "",
        }
    )


async def own_readiness(_within: Within, call: Call) -> Readiness:
    """Whether, and not why: the sentences name what is of others."""
    return Readiness(ready=(await call()).ready)


async def own_signals(
    within: Within, call: Call, deployment_id: str | None, *, after: int | None, n: int, follow: bool
) -> AsyncIterator[View]:
    """Signals with their verdicts, each of an account."""
    if deployment_id is not None:
        await within.own(deployment_id)
    ids = set(await within.ids())

    def mine(line: Any) -> bool:
        return line.account_id == within.account and line.deployment_id in ids

    if not follow:  # as for events
        account = None if deployment_id is not None else within.account
        found: list[Any] = []
        with contextlib.suppress(NotFound):  # nothing is known of the account yet
            found = await within.port.find_signals(
                deployment_id, account, verdict=None, rule=None, after=after, limit=n
            )
        return _each(filter(mine, found))
    return _filtered(await call(deployment_id, after=after, n=n, follow=True), mine)


async def own_events(
    within: Within, call: Call, *, after: int | None, n: int, follow: bool
) -> AsyncIterator[View]:
    """Events of its deployments; what the daemon did otherwise is not shown.

    What was before a deployment was created was of an earlier one of that id, perhaps of another account.
    """
    born = await within.port.born()
    since = {name: born.get(name, 0) for name in await within.ids()}
    if not follow:  # not those among the newest of all: whoever makes very many would hide them
        return _each(await within.port.events_of(since, after=after, limit=n))

    def mine(line: Any) -> bool:
        return line.deployment_id in since and bool(line.at >= since[line.deployment_id])

    return _filtered(await call(after=after, n=n, follow=True), mine)


async def _each(lines: Iterable[View]) -> AsyncIterator[View]:
    for line in lines:
        yield line


async def _filtered(lines: AsyncIterator[View], mine: Callable[[Any], bool]) -> AsyncIterator[View]:
    try:
        async for line in lines:
            if mine(line):
                yield line
    finally:
        close = getattr(lines, "aclose", None)
        if close is not None:
            await close()


def _account_of(row: Any) -> str:
    """Return whose a row is: an ``AccountView`` has a name, every other row an account."""
    account: str = row.account if hasattr(row, "account") else row.name
    return account
