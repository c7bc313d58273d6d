"""Which events are kept when there are too many: each of whom they are about has a share of its own.

A strategy causes events at its own pace (a warning a second), so the oldest of all would soon be everybody
else's. The room is shared max-min fairly (``supervisor.fair_share``): who has few keeps all of them, and what
is too much goes from those who have most, the oldest first. What operators did to a deployment and what
became of it has a share besides that of its strategy's own words; the daemon's events have a part that nobody
else can fill; and all deployments that are gone have one share together, so that there is nothing to win with
ever new ids.

Where something went there stands one event ``events_pruned``, under the number of the newest that went. So
who comes back with an older number is told of it, in its place, and who has a newer one missed nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sql
from msgspec import Struct

from supervisor.fair_share import fair_level
from supervisor.life import State
from supervisor.store.tables import DEPLOYMENTS, EVENTS

PRUNED: Final = "events_pruned"
"""Kind of the event that stands for those that went."""
LIFE: Final = frozenset(state.value for state in State) | {
    "configured", "created", "died", "promoted", "refused", "removed", "schedule_changed", "state_cleared",
    "state_restored",
}  # fmt: skip
"""Kinds that tell what was done with a deployment and what became of it; no strategy makes many of them."""
DAEMON: Final = "daemon"
"""Whose the events of no deployment are."""
GONE: Final = "gone"
"""Whose those of deployments are that were removed. All others have a colon in their names."""
RESERVED: Final = 4
"""The daemon's own events have at least one part in this many."""
_GONE_TOLD: Final = "older events of deployments that are gone are not kept any more"
_TOLD: Final = "older events of this kind are not kept any more: there were more than their share"


class Shares(Struct, frozen=True):
    """How many events the daemon keeps of its own, and each of the others at most."""

    daemon: int
    each: int

    def of(self, whose: str) -> int:
        """Return the share of one of them."""
        return self.daemon if whose == DAEMON else self.each


def shares(counts: Mapping[str, int], room: int) -> Shares:
    """Share ``room`` events; ``counts`` are by whose they are.

    Each share is at least 1, for the event that tells of the others.
    """
    others = [count for whose, count in counts.items() if whose != DAEMON]
    own = counts.get(DAEMON, 0)
    reserved = min(own, max(room // RESERVED, room - sum(others)))
    return Shares(max(1, reserved), max(1, fair_level(others, room - reserved)))


def prune(connection: sql.Connection, room: int) -> None:
    """Drop what is beyond ``room`` events, and leave word of it. In the transaction that is open."""
    if int(connection.scalar(sql.select(sql.func.count()).select_from(EVENTS)) or 0) <= room:
        return
    counted = sql.select(_NAMED.c.whose, sql.func.count()).group_by(_NAMED.c.whose)
    counts = {str(whose): int(count) for whose, count in connection.execute(counted)}
    given = shares(counts, room)
    share = sql.case((_RANKED.c.whose == DAEMON, given.daemon), else_=given.each)
    lasts = sql.select(_RANKED.c.seq, _RANKED.c.whose).where(_RANKED.c.nth == share)
    told: list[dict[str, Any]] = [
        {"number": seq, "word": _GONE_TOLD if whose == GONE else _TOLD}
        for seq, whose in connection.execute(lasts)
        if counts[whose] > given.of(whose)
    ]
    gone = sql.select(_RANKED.c.seq).where(_RANKED.c.nth > share)
    connection.execute(EVENTS.delete().where(EVENTS.c.seq.in_(gone)))
    stands = EVENTS.update().where(EVENTS.c.seq == sql.bindparam("number"))
    connection.execute(stands.values(kind=PRUNED, detail=sql.bindparam("word")), told)


_KNOWN: Final = EVENTS.outerjoin(DEPLOYMENTS, DEPLOYMENTS.c.id == EVENTS.c.deployment_id)
_WHOSE: Final = sql.case(
    (EVENTS.c.deployment_id == "", DAEMON),
    (DEPLOYMENTS.c.id.is_(None), GONE),
    (EVENTS.c.kind.in_(sorted(LIFE)), sql.literal("life:") + EVENTS.c.deployment_id),
    else_=sql.literal("own:") + EVENTS.c.deployment_id,
).label("whose")
_NAMED: Final = sql.select(_WHOSE).select_from(_KNOWN).subquery()
_RANKED: Final = (
    sql.select(
        EVENTS.c.seq,
        _WHOSE,
        sql.func.row_number().over(partition_by=_WHOSE, order_by=EVENTS.c.seq.desc()).label("nth"),
    )
    .select_from(_KNOWN)
    .subquery()
)
