"""What one cheap request may cost the daemon's loop: as good as nothing, whatever is in it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pydantic import ValidationError

from supervisor.api.routes import lines
from supervisor.errors import NotFound, near_matches
from supervisor.record_port import Records
from supervisor.schema import LogLine, StartRequest
from supervisor.schema.base import half_a_pair
from supervisor.schema.changes import NamedValues
from supervisor.schema.requests import ActionRequest
from supervisor.selection import carry_out
from tests.supervisor.fake_daemon import FakeDaemon, Served, make_row
from tests.supervisor.test_api import ask
from tests.waiting import turn


@pytest.mark.system
def test_a_hundred_thousand_mistakes_are_counted_and_not_told():
    fake = FakeDaemon()
    fake.rows["eurusd"] = make_row("eurusd")
    with Served(fake) as served:
        unknown = {f"x{number}": 1 for number in range(60_000)}
        status, problem = ask(served, "POST", "/api/v1/deployments", {"id": "a", **unknown})
        assert (status, problem["errors"]) == (422, ["body: has 60,001 fields, at most 100 are taken"])
        status, problem = ask(served, "POST", "/api/v1/deployments", {"id": "a", "parameter_text": unknown})
        assert (status, problem["errors"]) == (
            422,
            ["parameter_text: has 60,000 fields, at most 1,000 are taken"],
        )
        status, problem = ask(served, "POST", "/api/v1/actions/stop", {"ids": [1] * 10_000})
        assert (status, len(problem["errors"])) == (422, 1)
        texts = {f"x{number}": 1 for number in range(1_000)}
        status, problem = ask(served, "POST", "/api/v1/deployments", {"id": "a", "parameter_text": texts})
        assert (status, len(problem["errors"]), problem["errors"][-1]) == (422, 51, "and 950 more mistakes")


def test_ten_thousand_unknown_names_are_not_each_compared_with_all():
    """Each comparison is some 20 us: a million of them held the loop for as long as a watchdog waits."""
    actors = {f"deployment-{number:03}": None for number in range(100)}
    ids = [f"deploymint-{number:05}" for number in range(10_000)]
    result = asyncio.run(carry_out(actors, ActionRequest(ids=ids), _never))
    near = [outcome.problem.near for outcome in result.outcomes if outcome.problem]
    assert (len(near), bool(near[0]), bool(near[9]), near[10]) == (10_000, True, True, [])


async def _never(_actor: object) -> bool:
    raise AssertionError


def test_a_name_as_long_as_a_body_is_compared_with_none():
    known = [chr(0x4E00 + number % 20_000) * 100 for number in range(100)]
    assert near_matches("".join(known) * 20, known) == ()
    assert near_matches("deploymint", ["deployment"]) == ("deployment",)
    assert str(NotFound("deployment", "x" * 5, ())) == "no deployment 'xxxxx'"


def test_a_text_of_megabytes_is_looked_at_once():
    text = "é" + "a" * 16_000_000
    assert half_a_pair({"code": text}) is None
    assert half_a_pair({"code": text + "\ud800"}) is not None


def test_values_by_name_are_text_too():
    with pytest.raises(ValidationError, match="half of a surrogate pair"):
        NamedValues.model_validate({"a": ["\ud800"]})
    assert NamedValues.model_validate({"a": 1}).root == {"a": 1}


def test_a_quota_beyond_all_numbers_is_a_mistake():
    with pytest.raises(ValidationError, match="memory"):
        StartRequest.model_validate_json(json.dumps({"id": "a", "memory": "9" * 400 + "T"}))


def test_very_many_lines_leave_the_loop_to_others_in_between():
    async def views() -> AsyncIterator[LogLine]:
        for number in range(10 * lines.TURN):
            yield LogLine(at=number, stream="out", text="x", generation=1)

    async def read() -> tuple[int, int]:
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                await turn()
                turns += 1

        counting = asyncio.create_task(count())
        found = [line async for line in lines._json_lines(views()).body_iterator]
        counting.cancel()
        return len(found), turns

    found, turns = asyncio.run(read())
    assert found == 10 * lines.TURN
    assert turns >= 9


def test_of_searches_through_the_whole_journal_there_is_one_at_a_time_and_others_pass():
    begun: list[str] = []
    gate = asyncio.Event()

    class Journal:
        async def ask(self, question: Callable[[Any], Any]) -> list[Any]:
            question(SimpleNamespace(verdicts=lambda *_, rule, **__: begun.append(rule or "")))
            await gate.wait()
            return []

    port = Records()
    port._daemon = cast(Any, SimpleNamespace(signals=Journal()))
    port._ledger = cast(Any, SimpleNamespace(owners=lambda *_: None))
    port._seeking = asyncio.Lock()

    async def search() -> None:
        async with asyncio.TaskGroup() as asked:
            for rule in ("a", "b", None):
                found = port.find_signals(None, None, verdict=None, rule=rule, after=None, limit=1)
                asked.create_task(found)
            await turn()
            assert ["a", ""] == begun
            gate.set()

    asyncio.run(search())
    assert ["a", "", "b"] == begun
