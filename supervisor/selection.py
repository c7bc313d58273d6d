"""Verbs for many deployments at once: which ones, what happens to each, and one outcome for each."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping

from supervisor.actor import Actor
from supervisor.errors import MOST_COMPARED, NotFound, StratdError, near_matches
from supervisor.problems import problem_of
from supervisor.schema import ActionResult, Outcome, Selection

Deed = Callable[[Actor], Awaitable[bool]]
"""Does something to one deployment and returns whether that changed anything."""


async def carry_out(actors: Mapping[str, Actor], selection: Selection, deed: Deed) -> ActionResult:
    """Do ``deed`` to everything selected, all at once; one that fails does not keep the others.

    Raises ``NotFound`` for an account that has no deployment.
    """
    ids = chosen(actors, selection)
    compared = [name for name in ids if name not in actors][:MOST_COMPARED]
    outcomes = (_one(actors, name, deed, near=actors if name in compared else ()) for name in ids)
    return ActionResult(outcomes=list(await asyncio.gather(*outcomes)))


def chosen(actors: Mapping[str, Actor], selection: Selection) -> list[str]:
    """Return the ids that a selection names, in the order asked, each once."""
    if selection.ids:
        return list(dict.fromkeys(selection.ids))
    if selection.account is None:
        return sorted(actors)
    accounts = {actor.deployment.account for actor in actors.values()}
    if selection.account not in accounts:
        raise NotFound("account", selection.account, near_matches(selection.account, accounts))
    return sorted(name for name, actor in actors.items() if actor.deployment.account == selection.account)


def find(actors: Mapping[str, Actor], deployment_id: str) -> Actor:
    """Return one deployment or raise ``NotFound`` with near matches."""
    actor = actors.get(deployment_id)
    if actor is None:
        raise NotFound("deployment", deployment_id, near_matches(deployment_id, actors))
    return actor


async def _one(actors: Mapping[str, Actor], name: str, deed: Deed, near: Iterable[str]) -> Outcome:
    actor = actors.get(name)
    if actor is None:
        return Outcome(id=name, problem=problem_of(NotFound("deployment", name, near_matches(name, near))))
    try:
        changed = await deed(actor)
    except StratdError as error:
        known = actors.get(name)
        if known is None:
            return Outcome(id=name, problem=problem_of(error))
        return Outcome(id=name, state=known.life.state.value, problem=problem_of(error))
    return Outcome(id=name, state=actor.life.state.value, changed=changed)
