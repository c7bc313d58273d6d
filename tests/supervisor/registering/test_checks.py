"""Who may have code tried, and where; and how many at a time."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from sandbox.confine.survey import Survey
from supervisor.errors import Failed, Refused, Unavailable
from supervisor.registering.checks import Checks, Registrant
from supervisor.registering.examiner import Examiner
from supervisor.registering.job import Job
from supervisor.registering.shelf import Shelf
from supervisor.registering.submission import Submission
from tests.waiting import until

SOUND = Survey("root", [], "")
WEAK = Survey("bare", [], "seccomp is missing")
OWNER = Registrant(name="root", owner=True)
STRANGER = Registrant(name="key")


def refusal(*, trust: bool = False, who: Registrant = STRANGER, survey: Any = SOUND, on: bool = True) -> str:
    """Return the rule by which a submission is refused, "" if it is let in."""
    host = cast(Any, SimpleNamespace(survey=survey, require=()))
    checks = Checks(lambda: host, Shelf(Path("/nowhere")), lambda: on)
    try:
        checks.admit(Submission(entry="a.py", kind="archive", files={}, trust=trust), who)
    except Refused as error:
        return error.rule
    return ""


def test_code_is_let_in_where_the_sandbox_holds():
    assert (refusal(), refusal(who=OWNER)) == ("", "")


def test_a_daemon_that_takes_in_no_code_takes_none_from_anybody():
    assert refusal(on=False) == "registering_off"
    assert refusal(on=False, who=OWNER, trust=True) == "registering_off"


def test_where_the_sandbox_does_not_hold_only_what_its_owner_answers_for_is_tried():
    assert refusal(survey=WEAK) == "sandbox"
    assert refusal(survey=None) == "sandbox"
    assert refusal(survey=WEAK, who=OWNER) == "sandbox"
    assert not refusal(survey=WEAK, who=OWNER, trust=True)


def test_nobody_else_answers_for_code():
    assert refusal(trust=True) == "sandbox"


def test_so_many_wait_and_no_more():
    async def crowd() -> list[str]:
        examiner = Examiner(at_once=1, waiting=1)
        go, heard = asyncio.Event(), []

        async def one(name: str) -> None:
            async with examiner.turn():
                heard.append(name)
                await go.wait()

        tasks = [asyncio.create_task(one(name)) for name in ("first", "second")]

        async def full() -> bool:
            return heard == ["first"] and examiner.taken == 2

        await until(full, what="one turn held, one waited for")
        with pytest.raises(Unavailable, match="2 strategies are being checked"):
            await one("third")
        go.set()
        await asyncio.gather(*tasks)
        await one("fourth")
        return heard

    assert asyncio.run(crowd()) == ["first", "second", "fourth"]


def test_a_process_that_takes_too_long_is_ended():
    async def ask() -> None:
        # Nothing is so quick: its interpreter alone takes longer.
        async for _ in Examiner(patience=0.001).examine(Job(path="/nowhere.py", values={}, survey=SOUND)):
            pass

    with pytest.raises(Failed, match="not over within"):
        asyncio.run(ask())
