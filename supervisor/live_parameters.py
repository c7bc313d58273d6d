"""Parameters of what runs: whether they may change, and how its instance hears of them.

Rules of this file. What is wanted is saved first, then told. An instance is told when something changes
while it is up, and whenever it says to an engine that it runs, so by each new one: an order to an engine that
dies is lost, and what is said twice a strategy hears once (``strategies.in_force``). One that is on its way
up is not told yet, since its first word from the engine covers what was published before it.
"""

from __future__ import annotations

from collections.abc import Collection

from msgspec.structs import replace

from strategies.differing import differing
from supervisor import life as lf
from supervisor.control import GiveParameters
from supervisor.errors import Failed
from supervisor.host import Host
from supervisor.store.tables import Deployment

UP = frozenset({lf.State.RUNNING, lf.State.PAUSED})
LONGEST = 500
"""Characters of what an event says of a change."""


def judge_living(wanted: Deployment, known: Deployment, state: lf.State, updatable: Collection[str]) -> None:
    """Raise ``Failed`` if ``known``, which lives, may not become ``wanted``, naming what is in the way."""
    same = replace(wanted, parameters=known.parameters, updated_at=known.updated_at)
    if state not in UP or same != known:
        raise Failed(f"{known.id} is {state}: stop it before giving it other settings")
    fixed = [name for name in differing(known.parameters, wanted.parameters) if name not in updatable]
    if fixed:
        can = f"those that can: {', '.join(sorted(updatable))}" if updatable else "none of its parameters can"
        raise Failed(
            f"{known.id} is {state}: {', '.join(fixed)} cannot change while it runs, {can}; "
            "stop it before giving it other settings"
        )


def told_of(old: Deployment, new: Deployment) -> str:
    """Say what changed, ``NAME: OLD -> NEW``, for the event."""
    before, after = old.parameters, new.parameters
    changes = (f"{name}: {before.get(name)!r} -> {after.get(name)!r}" for name in differing(before, after))
    return ", ".join(changes)[:LONGEST]


def tell(host: Host, deployment: Deployment, generation: int) -> None:
    """Have the engine publish the parameters to an instance that runs, where any of them may change."""
    code = host.code(deployment.strategy, deployment.version)
    if code is not None and code.updatable:
        host.engine.tell(GiveParameters(deployment.id, generation, deployment.parameters))
