"""One route at work: a task for each live order, which sends and asks until the order has ended there.

Rules of this file. What may be done about an order is ``order.py``'s to say. An entry is sent once every
order of its deployment and symbol that was accepted before it has been answered, since one that overtakes an
exit would double the position that the exit is to close. An exit waits for nobody: it closes what is known to
be held. An entry that cannot be sent soon is rejected (it was priced for now); an exit is tried until it is
answered. Nothing here waits in anybody else's path, and nothing that a route does wrong gets out of it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Final, Protocol

import stamina.instrumentation
import structlog
from msgspec.structs import replace

from supervisor.routes import breaker as br
from supervisor.routes import order as machine
from supervisor.routes.ended import Ended
from supervisor.routes.order import Act, Heard, Stage
from supervisor.routes.post import Post, report
from supervisor.routes.route import (
    Answer,
    NotTaken,
    Refused,
    Route,
    RouteError,
    Sendable,
    Unreachable,
)
from supervisor.routes.spec import RouteSpec
from supervisor.tasks import end_task
from supervisor.trading_control import OrderReport, RouteOrder

UNANSWERED: Final = frozenset({Stage.NEW, Stage.SENDING, Stage.UNKNOWN})
LONGEST_RETRY_AFTER: Final = 60.0
"""Seconds of patience that the other end is given, whatever it asks for: an exit may be waiting."""
SHORTEST_RETRY_AFTER: Final = 0.1
"""Seconds below which our own pace counts: at ``Retry-After: 0`` it would be asked as fast as it answers."""
log = structlog.get_logger()


class Note(Protocol):
    """Takes an event."""

    def __call__(self, kind: str, detail: str = "", deployment_id: str = "") -> None:
        """Record that something happened."""
        ...


class Courier:
    """Carries the orders of one route. ``problem`` is given a sentence, "" once all is well."""

    def __init__(
        self,
        spec: RouteSpec,
        route: Route,
        *,
        tell: Callable[[OrderReport], None],
        note: Note,
        problem: Callable[[str], None],
    ) -> None:
        self.spec = spec
        self._route = route
        self._tell = tell
        self._note = note
        self._problem = problem
        self._posts: dict[str, Post] = {}
        self._ended = Ended()
        self._breaker = br.Breaker(failures=spec.failures, cool_down=spec.cool_down)
        self._entries = asyncio.Semaphore(spec.at_once)
        self._exits = asyncio.Semaphore(spec.at_once)
        self.rejected = 0
        """Entries that were rejected here, since the route could not take them."""

    @property
    def open(self) -> int:
        """Orders in hand."""
        return len(self._posts)

    async def start(self) -> None:
        """Begin; nothing waits for the other end."""
        stamina.instrumentation.set_on_retry_hooks([])  # what matters is told here, once
        await self._route.start(self._said)

    async def stop(self) -> None:
        """Leave everything as it is: what is under way is asked for by the next daemon."""
        for post in list(self._posts.values()):
            await end_task(post.task)
        await self._route.close()

    # ---- what the engine says ---------------------------------------------------------------------
    def take(self, news: RouteOrder) -> None:
        """Carry an order, or take it back. Never waits."""
        post = self._posts.get(news.order.order_id)
        known = post is not None
        if post is None:
            post = self._begin(news)
        elif news.again:  # an engine that was not there for the last report
            post.told = None
            self._report(post)
        if news.cancel:
            post.live = machine.withdraw(post.live, "cancelled", "taken back")
        if known:
            post.wake.set()

    def _begin(self, news: RouteOrder) -> Post:
        order = news.order
        patience = self.spec.patience
        if news.again:  # the time that it has waited already, by the wall clock: there is no other in common
            patience -= max(0.0, (time.time_ns() - order.accepted_at) / 1e9)
        # A cancellation of what is not known here: it was sent by a daemon that is no more.
        live = machine.begin(
            order.order_id, abs(order.quantity), again=news.again or news.cancel, filled=order.filled
        )
        post = Post(order, news.symbol_there, live, asyncio.get_running_loop().time() + patience)
        if live.stage is Stage.NEW and not post.exits and len(self._posts) >= self.spec.most:
            self._reject(post, f"{self.spec.most:,} orders are under way by the route {self.spec.name}")
        self._posts[order.order_id] = post
        post.task = asyncio.create_task(self._carry(post), name=f"order {order.order_id}")
        return post

    def _said(self, order_id: str, answer: Answer) -> None:
        """Take what the route says unasked."""
        if not machine.believable(answer):
            return
        if (post := self._posts.get(order_id)) is not None:
            post.live = machine.answered(post.live, answer)
            self._report(post)
            post.wake.set()
            self._let_go_behind(post)
        elif (known := self._ended.late(order_id, answer)) is not None:
            one = known.order
            why = f"{answer.filled:g} filled, it had ended with {known.filled:g}; the rest is in no books"
            about = f"order {order_id} of {one.symbol} by {self.spec.name}: {why}"
            self._note("fill_after_end", about, one.deployment_id)

    # ---- one order, from beginning to end ---------------------------------------------------------
    async def _carry(self, post: Post) -> None:
        """Wall: whatever goes wrong with one order is told, and concerns no other."""
        shortest = pause = min(self.spec.poll_first, self.spec.poll_most)
        try:
            while True:
                before = post.live.answer
                await self._until_answered(post)
                self._report(post)
                if post.live.stage is Stage.ENDED:
                    break
                changed = post.live.answer != before
                pause = shortest if changed else min(2 * pause, self.spec.poll_most)
                await post.woken(pause)
        except Exception:  # a mistake of ours, and no reason to leave an order without anybody knowing
            log.exception("route failed", route=self.spec.name, order=post.order.order_id)
            self._note("order_abandoned", self._about(post, "see the log"), post.order.deployment_id)
        finally:
            self._posts.pop(post.order.order_id, None)
            if post.live.stage is Stage.ENDED:
                self._ended.keep(post.order, post.live.answer)
            self._report(post)
            self._let_go_behind(post)

    async def _until_answered(self, post: Post) -> None:
        attempts = stamina.retry_context(
            on=_again,
            attempts=None,  # an exit, and what is in doubt, for as long as it takes; entries are withdrawn
            timeout=None,
            wait_initial=self.spec.wait_first,
            wait_max=self.spec.wait_most,
            wait_jitter=self.spec.wait_first,
        )
        async for attempt in attempts:
            with attempt:
                await self._advance(post)

    async def _advance(self, post: Post) -> None:
        """Do what is next until the other end has the order. Raises ``RouteError``: try again later."""
        while True:
            doing = machine.act(post.live)
            if doing is Act.NOTHING:
                return
            if doing is Act.SEND and not await self._may_be_sent(post):
                continue
            await self._ask(post, doing)
            self._report(post)
            self._let_go_behind(post)
            if post.live.stage is Stage.WORKING:
                return

    async def _may_be_sent(self, post: Post) -> bool:
        """Wait for an entry's turn; False if it is not to be sent after all."""
        if post.exits:
            return True
        loop = asyncio.get_running_loop()
        while machine.act(post.live) is Act.SEND and (ahead := self._ahead(post)) is not None:
            if not await post.woken(max(0.0, post.deadline - loop.time())) and loop.time() >= post.deadline:
                self._reject(post, f"order {ahead.order.order_id} before it is not answered")
        if machine.act(post.live) is not Act.SEND:
            return False
        if loop.time() >= post.deadline:
            why = f" ({post.live.why})" if post.live.why else ""
            self._reject(post, f"not taken within {self.spec.patience:g} s{why}")
            return False
        if br.state(self._breaker, loop.time()) == "open":
            self._reject(post, f"the route {self.spec.name} is cut off: {self._breaker.why}")
            return False
        self._breaker = br.probing(self._breaker, loop.time())
        post.wake.clear()  # what woke it so far is seen to: it goes
        return True

    def _ahead(self, post: Post) -> Post | None:
        """Return an order that has to be answered before this one is sent."""
        return next(
            (one for one in self._siblings(post)
             if one.order.seq < post.order.seq and one.live.stage in UNANSWERED),
            None,
        )  # fmt: skip

    def _siblings(self, post: Post) -> Iterator[Post]:
        return (one for one in self._posts.values() if one.party == post.party)

    def _let_go_behind(self, post: Post) -> None:
        """Wake the entries that wait for their turn behind an order that is answered."""
        if post.live.stage in UNANSWERED:
            return
        for one in self._siblings(post):
            if one.live.stage is Stage.NEW and not one.exits:
                one.wake.set()

    def _reject(self, post: Post, why: str) -> None:
        self.rejected += 1
        post.live = machine.withdraw(post.live, "rejected", why)

    # ---- one question -----------------------------------------------------------------------------
    async def _ask(self, post: Post, doing: Act) -> None:
        async with self._exits if post.exits else self._entries:
            if machine.act(post.live) is not doing:
                return  # it has changed while this waited
            if doing is Act.SEND:
                post.live = machine.hear(post.live, Heard.OFF)
            call = {Act.SEND: self._send, Act.QUERY: self._query, Act.CANCEL: self._cancel}[doing]
            try:
                answer = await self._within_time(call(post))
            except NotTaken as error:
                self._failed(post, Heard.NOT_TAKEN, error)
                raise
            except Refused as error:
                self._well()
                post.live = machine.hear(post.live, Heard.REFUSED, str(error))
                if post.live.stage in UNANSWERED:
                    raise
                return
            except Unreachable as error:
                self._failed(post, Heard.SILENCE, error)
                raise
        self._well()
        if answer is None:
            self._unheard(post)
        else:
            post.live = machine.answered(post.live, answer)

    async def _within_time(self, call: Awaitable[Answer | None]) -> Answer | None:
        """Wait for an answer that can be believed. Raises ``RouteError`` and nothing else."""
        try:
            async with asyncio.timeout(self.spec.timeout):
                answer = await call
        except TimeoutError:
            raise Unreachable(f"no answer within {self.spec.timeout:g} s") from None
        except RouteError:
            raise
        except Exception as error:  # the wall around a kind of route; its text may hold a secret
            log.exception("route failed", route=self.spec.name)
            raise Unreachable(f"the route failed with {type(error).__name__}") from None
        if answer is not None and not machine.believable(answer):
            raise Unreachable(
                f"filled {answer.filled:g} at {answer.average_price}, fees {answer.fees:g}: no sums"
            )
        return answer

    async def _send(self, post: Post) -> Answer:
        return await self._route.send(Sendable(post.order, post.symbol))

    async def _query(self, post: Post) -> Answer | None:
        return await self._route.query(post.order.order_id)

    async def _cancel(self, post: Post) -> Answer | None:
        return await self._route.cancel(post.order.order_id)

    def _unheard(self, post: Post) -> None:
        known = post.live.stage is Stage.WORKING and not post.live.lost
        post.live = machine.hear(post.live, Heard.UNHEARD, "the other end has never heard of it")
        if known:
            why = "the other end had it, and says that it never heard of it; it is not sent again"
            self._note("order_lost", self._about(post, why), post.order.deployment_id)

    # ---- how the route is -------------------------------------------------------------------------
    def _failed(self, post: Post, heard: Heard, error: RouteError) -> None:
        in_doubt = post.live.stage is Stage.SENDING and heard is Heard.SILENCE
        post.live = machine.hear(post.live, heard, str(error))
        if in_doubt:
            self._note("order_unanswered", self._about(post, str(error)), post.order.deployment_id)
        self._report(post)
        if isinstance(error, NotTaken) and error.busy:
            return
        was = self._breaker.opened_at
        self._breaker = br.failed(self._breaker, str(error), asyncio.get_running_loop().time())
        if was is None and self._breaker.opened_at is not None:
            why = f"{self._breaker.in_a_row} failures in a row, the last one: {error}"
            self._problem(f"the route {self.spec.name} is cut off, entries by it are rejected: {why}")
            self._note("route_down", f"{self.spec.name}: {why}")

    def _well(self) -> None:
        if self._breaker.opened_at is not None:
            self._problem("")
            self._note("route_up", self.spec.name)
        self._breaker = br.well(self._breaker)

    # ---- what the engine is told ------------------------------------------------------------------
    def _report(self, post: Post) -> None:
        """Tell the engine how an order stands, unless it knows."""
        said = report(post.order, post.live)
        if said is not None and said != post.told:
            post.told = said
            self._tell(replace(said, at=time.time_ns()))

    def _about(self, post: Post, why: str) -> str:
        return f"order {post.order.order_id} of {post.order.symbol} by {self.spec.name}: {why}"


def _again(error: Exception) -> bool | float:
    """Whether to try again, and when, if the other end has said when."""
    if not isinstance(error, RouteError):
        return False
    if error.retry_after is None or error.retry_after < SHORTEST_RETRY_AFTER:
        return True
    return min(error.retry_after, LONGEST_RETRY_AFTER)
