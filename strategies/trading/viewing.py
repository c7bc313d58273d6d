"""The view that the gate judges a signal by: what it needs is looked up, what it does not need is left."""

from __future__ import annotations

from bus.messages import Signal
from strategies.trading.accounts import AccountTerms
from strategies.trading.desk import Desk, Grant
from strategies.trading.exits import guarding
from strategies.trading.latches import Latch
from strategies.trading.limits import Limits
from strategies.trading.orders import combine
from strategies.trading.oversight import Oversight
from strategies.trading.recent import Buckets, likeness
from strategies.trading.view import LiveGrant, Party, View
from strategies.trading.world import Party as Owner
from strategies.trading.world import World


class Viewing:
    """Builds views; reads only."""

    def __init__(self, world: World, oversight: Oversight, buckets: Buckets) -> None:
        self._world = world
        self._oversight = oversight
        self._buckets = buckets

    def view(self, now: int, desk: Desk, generation: int, signal: Signal, key: bytes) -> View:
        """Return everything besides ``signal`` that its verdict at ``now`` (ns) depends on."""
        world, symbol = self._world, signal.symbol
        state, grant = world.state, desk.grant
        name = grant.deployment_id
        terms = world.setup.account(grant.account_id)
        owner: Owner = ("account", grant.account_id)
        mine, theirs = desk.limits, world.limits(owner)
        instrument = world.setup.instruments.of(symbol)
        buying, selling, waiting = state.broker.pending(name, symbol)
        if waiting and signal.intent == "cancel":
            waiting = len(state.broker.cancellable(name, symbol, signal.leg))
        # They take the room of the orders that they may become, and can be cancelled like those.
        waiting += state.pending.count(name, symbol, signal.leg if signal.intent == "cancel" else "")
        return View(
            standing=desk.standing,
            current=grant.generation == generation,
            warm=desk.warm,
            duplicate=state.keys.known(name, symbol, key),
            symbols=desk.symbols,
            timeframes=desk.timeframes,
            mode=grant.trading_mode,
            own=self._own(desk, signal, now, buying=buying, selling=selling),
            account=self._account(grant, signal, terms, now),
            waiting=waiting,
            remembered=state.keys.count(name, world.prices.at),
            price=world.prices.price(symbol),
            rate=None if instrument is None else world.rate(instrument, terms),
            instrument=instrument,
            session=world.session(symbol, now, (mine, theirs)),
            guard=guarding(world, name, symbol) if signal.intent == "adjust" else None,
            live=LiveGrant(world.setup.live, terms.live and terms.route != "", grant.trading_mode == "live"),
            clearance=world.clearance(grant.account_id),
            otherwise=self._otherwise(grant, symbol) or "",
        )

    def _otherwise(self, grant: Grant, symbol: str) -> str | None:
        """Return what a deployment has of ``symbol`` for another account than it is granted, or mode."""
        name, account = grant.deployment_id, grant.account_id
        live = bool(self._world.route(account, live=grant.trading_mode == "live"))
        state = self._world.state
        for order in state.broker.waiting(name, symbol):
            if (order.account_id, bool(order.route)) != (account, live):
                return f"order {order.order_id} of {symbol} waits for {order.account_id!r}: cancel that first"
        return state.books.conflict(name, symbol, account, live=live)

    def _own(self, desk: Desk, signal: Signal, now: int, *, buying: float, selling: float) -> Party:
        limits, terms = desk.limits, self._world.setup.account(desk.grant.account_id)
        world, name, symbol = self._world, desk.grant.deployment_id, signal.symbol
        owner: Owner = ("deployment", name)
        state = world.state
        elsewhere, count = self._elsewhere([name], (name, symbol), terms, limits)
        minute, alike = state.recent.of(owner, likeness(signal), now) if limits.counts_orders else (0, 0)
        return Party(
            limits=limits,
            held=state.books.held(name, symbol),
            buying=buying,
            selling=selling,
            due=state.broker.due(name, symbol) if buying or selling else 0.0,
            elsewhere=elsewhere,
            open_elsewhere=count,
            equity=world.equity(owner) if limits.needs_equity else None,
            figures=self._oversight.figures(owner),
            latch=self._latch(owner),
            tokens=desk.rate.level(now),
            orders_minute=minute,
            identical=alike,
        )

    def _account(self, grant: Grant, signal: Signal, terms: AccountTerms, now: int) -> Party:
        """What is not limited is not looked up: that would be a walk over all deployments of an account."""
        world, symbol = self._world, signal.symbol
        owner: Owner = ("account", grant.account_id)
        limits = world.limits(owner)
        held = buying = selling = 0.0
        elsewhere: float | None = 0.0
        count = 0
        if limits.caps_holdings:
            names = world.deployments_of(owner[1])
            for name in names:
                held = combine(held, world.state.books.held(name, symbol))
                more, less, _ = world.state.broker.pending(name, symbol)
                buying, selling = combine(buying, more), combine(selling, less)
            elsewhere, count = self._elsewhere(names, (grant.deployment_id, symbol), terms, limits)
        sized_by_equity = signal.target_weight is not None or signal.risk_pct is not None
        minute, alike = (
            world.state.recent.of(owner, likeness(signal), now) if limits.counts_orders else (0, 0)
        )
        return Party(
            limits=limits,
            held=held,
            buying=buying,
            selling=selling,
            elsewhere=elsewhere,
            open_elsewhere=count,
            equity=world.equity(owner) if limits.needs_equity or sized_by_equity else None,
            figures=self._oversight.figures(owner),
            latch=self._latch(owner),
            tokens=self._buckets.tokens(owner[1], terms.signals_per_s, now),
            orders_minute=minute,
            identical=alike,
        )

    def _latch(self, owner: Owner) -> Latch | None:
        return self._world.state.latches.get(owner)

    def _elsewhere(
        self, names: list[str], mine: tuple[str, str], terms: AccountTerms, limits: Limits
    ) -> tuple[float | None, int]:
        """Return the worth of what else is held or waits to be, and how many holdings that are.

        Each is one deployment's in one symbol; the signal's is ``mine``, which is judged by what it comes to.
        """
        if limits.max_exposure is None and limits.max_open_positions is None:
            return 0.0, 0
        world = self._world
        worth: float | None = 0.0
        count = 0
        for name in names:
            for other, quantity in self._open(name).items():
                if (name, other) == mine:
                    continue
                count += 1
                each = world.worth(other, quantity, terms)
                worth = None if worth is None or each is None else worth + each
        return worth, count

    def _open(self, name: str) -> dict[str, float]:
        """Return by symbol the most that a deployment may come to hold, by what it holds and what waits."""
        state = self._world.state
        found = {one.symbol: one.quantity for one in state.books.of_deployment(name) if one.quantity}
        for symbol in state.broker.symbols(name):
            held = found.get(symbol, 0.0)
            buying, selling, _ = state.broker.pending(name, symbol)
            most = max(held + buying, held, held + selling, key=abs)
            if most:
                found[symbol] = most
        return found
