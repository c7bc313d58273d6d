"""What follows for deployments when the feed that they read is lost, and when it is back: ``on_loss``.

Rules of this file. It changes no life: it submits events. Who depends on a feed is what the engine says:
whose symbols it brought. ``tell`` is the default, since strategies are told of their feeds anyway, and miss
nothing that the publisher kept: one that is restarted for a dead publisher gains nothing by it.

    ``tell``      nothing
    ``pause``     no ticks, no signals, until it is back; an operator's resume comes first
    ``restart``   begun anew when it is back (OTP: rest_for_one)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Literal, TypeAlias

from supervisor import life as lf
from supervisor.actor import Actor
from supervisor.control import FeedTurned

OnLoss: TypeAlias = Literal["tell", "pause", "restart"]


class Dependants:
    """The deployments, by what they depend on. ``policies`` by feed; a feed without one is only told of."""

    def __init__(self, actors: Mapping[str, Actor], policies: Mapping[str, OnLoss]) -> None:
        self._actors = actors
        self._policies = policies
        self._bereft: dict[str, set[str]] = defaultdict(set)
        """By feed, whom it was lost to."""

    def on_turn(self, turned: FeedTurned) -> None:
        """Take note that a feed was lost or is back."""
        if turned.healthy:
            self._back(turned)
        elif self._policies.get(turned.feed, "tell") != "tell":
            self._lost(turned)

    def _lost(self, turned: FeedTurned) -> None:
        brought = set(turned.symbols)
        for actor in self._actors.values():
            if brought.isdisjoint(actor.deployment.symbols) or actor.life.state not in lf.LIVING:
                continue
            self._bereft[turned.feed].add(actor.id)
            if self._policies[turned.feed] == "pause":
                actor.submit(lf.Suspend(turned.feed, f"feed {turned.feed} is lost: {turned.detail}"))

    def _back(self, turned: FeedTurned) -> None:
        bereft = self._bereft.pop(turned.feed, set())
        back, again = f"feed {turned.feed} is back", self._policies.get(turned.feed) == "restart"
        for actor in self._actors.values():
            # Also those that a daemon before this one has paused, or a policy that is another by now.
            if actor.id in bereft or actor.life.suspended == turned.feed:
                actor.submit(lf.Release(turned.feed, back))
            living = actor.life.state in lf.LIVING and actor.life.wanted is not lf.Wanted.STOPPED
            if actor.id in bereft and again and living:
                actor.submit(lf.Restart("daemon", back))

    def let_go(self) -> None:
        """Release those that wait for a feed which is configured no more: it never comes back."""
        for actor in self._actors.values():
            feed = actor.life.suspended
            if feed and feed not in self._policies:
                actor.submit(lf.Release(feed, f"there is no feed {feed} any more"))
