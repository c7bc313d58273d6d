"""All targets of a daemon: of its settings and over the API, over restarts, with real sinks on this host."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from supervisor.config import load
from supervisor.errors import Failed, Invalid, NotFound, Refused, SettingsError
from supervisor.events import EventLog
from supervisor.notifying.dispatcher import Dispatcher
from supervisor.notifying.postman import Pace
from supervisor.notifying.target import MOST, Target
from supervisor.notifying.views import view, views
from supervisor.store import notifications_file as file
from supervisor.store.deployments import DeploymentStore
from tests.supervisor.notifying.sinks import HttpSink
from tests.waiting import until

pytestmark = pytest.mark.system
QUICK = Pace(gather=0.0, timeout=60.0, wait_first=0.001, wait_most=0.01, failures=3, cool_down=0.001)


def settings(folder: Path, text: str = "") -> Any:
    (folder / "stratd.toml").write_text(text)
    environ = {"STRATD_STATE_DIR": str(folder), "STRATD_RUNTIME_DIR": str(folder / "run")}
    return load(environ, file=folder / "stratd.toml", uid=0)


def hook(name: str, sink: HttpSink, **more: Any) -> Target:
    return Target(name=name, kind="webhook", url=f"{sink.url}/{name}", every=0.0, **more)


class Host:
    """The parts of a daemon that a dispatcher uses, over a real event log in ``folder``."""

    def __init__(self, folder: Path, text: str = "", owners: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.settings = settings(folder, text)
        self.problems: dict[str, str] = {}
        self.signals = SimpleNamespace(seq=-1)
        self.actors = {
            name: SimpleNamespace(deployment=SimpleNamespace(account=account))
            for name, account in (owners or {}).items()
        }

    async def __aenter__(self) -> Dispatcher:
        self.store = DeploymentStore(f"sqlite:///{self.folder / 'events.db'}")
        self.store.open()
        self.events = EventLog(self.store, self._in_database)
        await self.events.start()
        self.dispatcher = Dispatcher(self, pace=QUICK)
        await self.dispatcher.start()
        return self.dispatcher

    async def __aexit__(self, *_: object) -> None:
        await self.dispatcher.stop()
        await self.events.stop()
        self.kept = self.store.events(0, 1000)
        self.store.close()

    async def _in_database(self, call: Callable[[], Any]) -> Any:
        return call()

    async def reload(self, text: str) -> list[str]:
        self.settings = settings(self.folder, text)
        return await self.dispatcher.follow(self.settings)


async def met(condition: Callable[[], object], what: str) -> None:
    async def look() -> object:
        return condition()

    await until(look, what=what)


def run(scene: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(scene(), 120))


def team(sink: HttpSink, more: str = "") -> str:
    return f'[notifications.team]\nkind = "webhook"\nevery = 1\nurl = "{sink.url}/team"\n{more}'


def flat(sink: HttpSink) -> list[int]:
    return [number for message in sink.told for number in message]


# ---- settings ----
def test_a_target_is_what_its_table_says(tmp_path):
    found = settings(
        tmp_path, '[notifications.phone]\nkind = "telegram"\ntoken = "1:hunter2"\nchat = -100\nevery = "1m"\n'
    )
    assert {
        "phone": Target(name="phone", kind="telegram", token="1:hunter2", chat="-100", every=60.0)
    } == found.notification_targets
    assert "hunter2" not in repr(found) + found.model_dump_json() + repr(found.notification_targets)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('kind = "pigeon"', "notifications.x.kind"),
        ('kind = "slack"', "url: is needed for slack"),
        ('kind = "slack"\nurl = "ftp://hunter2"', "url: must be a URL"),
        ('kind = "slack"\nurl = "https://e.org/hunter2"\nevery = 0', "notifications.x.every = 0"),
        ('kind = "slack"\nurl = "https://e.org/hunter2"\nchat = "5"', "chat: is not for slack"),
        ('kind = "slack"\nurl = "https://e.org/hunter2"\nseverity = "bad"', "notifications.x.severity"),
    ],
)
def test_a_mistake_in_one_is_a_line_of_the_file_and_shows_no_secret(tmp_path, line, told):
    with pytest.raises(SettingsError) as caught:
        settings(tmp_path, f"[notifications.x]\n{line}\n")
    [said] = caught.value.errors
    assert told in said
    assert "stratd.toml:" in said
    assert "hunter2" not in said


# ---- from start to stop ----
def test_what_happened_while_the_daemon_was_away_or_was_not_taken_is_told_by_the_next_one(tmp_path):
    async def scene() -> None:
        async with HttpSink() as sink:
            text = team(sink, 'deployments = ["eur*"]\n')
            host = Host(tmp_path, text, {"eurusd": "demo"})
            async with host:
                host.events.note("died", "hang: x", "eurusd")
                host.events.note("died", "hang: x", "gold")
                await met(lambda: flat(sink) == [1], "the first event")
                assert "demo" == sink.posts[0][2]["events"][0]["account_id"]
                await met(lambda: view(host.dispatcher, host.dispatcher.find("team")).seen == 2, "its place")
                sink.answers = [None]
                host.events.note("quarantined", "too often", "eurusd")
                await met(lambda: len(sink.posts) == 2, "a message that is not answered")
            host = Host(tmp_path, text)
            async with host:
                host.events.note("failed", "load", "eurusd")
                await met(lambda: {1, 3, 4} <= set(flat(sink)), "the rest")
            assert [1, 3, 3] == flat(sink)[:3]
            assert 2 not in flat(sink)
            ids = [body["id"] for _, _, body in sink.posts]
            assert 1 == sum(body["first"] == 1 for _, _, body in sink.posts), ids

    run(scene)


def test_a_target_that_hangs_costs_the_others_nothing(tmp_path):
    async def scene() -> None:
        async with HttpSink() as hangs, HttpSink() as sink:
            hangs.answers = [None] * 10
            host = Host(tmp_path)
            async with host as dispatcher:
                await dispatcher.add(hook("hangs", hangs), by="root")
                await dispatcher.add(hook("well", sink), by="root")
                host.events.note("engine_hung", "silent for 9 s")
                await met(lambda: hangs.posts and sink.posts, "both to be told")
                await met(lambda: view(dispatcher, dispatcher.find("well")).delivered == 1, "one to be done")
                hanging = view(dispatcher, dispatcher.find("hangs"))
                assert (0, 1, "ok") == (hanging.delivered, hanging.waiting, hanging.state)
                assert hanging.lag >= 1

    run(scene)


def test_a_new_target_is_told_of_nothing_before_and_a_removed_one_of_nothing_after(tmp_path):
    async def scene() -> None:
        async with HttpSink() as sink:
            host = Host(tmp_path)
            async with host as dispatcher:
                host.events.note("died", "oom: x", "a")
                await dispatcher.add(hook("x", sink), by="root")
                host.events.note("died", "oom: y", "a")
                await met(lambda: flat(sink) == [3], "the event after it was added")
                await dispatcher.remove("x", by="root")
                host.events.note("died", "oom: z", "a")
                await dispatcher.add(hook("x", sink), by="root")
                host.events.note("died", "oom: z", "a")
                await met(lambda: flat(sink) == [3, 7], "what came after it was added again")
            kinds = [one.kind for one in host.kept if one.kind.startswith("target")]
            assert ["target_added", "target_removed", "target_added"] == kinds

    run(scene)


# ---- targets over the API ----
def test_what_was_added_is_there_after_a_restart_and_nobody_else_may_read_it(tmp_path):
    async def scene() -> None:
        async with HttpSink() as sink:
            async with Host(tmp_path) as dispatcher:
                await dispatcher.add(hook("x", sink, secret="hunter2"), by="root")
            kept = tmp_path / file.NAME
            assert 0o600 == kept.stat().st_mode & 0o777
            assert 1 == json.loads(kept.read_text())["format"]
            async with Host(tmp_path) as dispatcher:
                assert hook("x", sink, secret="hunter2") == dispatcher.find("x")
                [shown] = views(dispatcher)
                assert ("api", f"{sink.url}/***") == (shown.origin, shown.where)
                assert "hunter2" not in shown.model_dump_json()
                await dispatcher.remove("x", by="root")
            async with Host(tmp_path) as dispatcher:
                assert {} == dispatcher.targets()

    run(scene)


def test_who_may_not_be_added_or_removed_is_told_why(tmp_path):
    async def scene() -> None:
        async with HttpSink() as sink, Host(tmp_path, team(sink)) as dispatcher:
            with pytest.raises(Invalid, match="token: is needed"):
                await dispatcher.add(Target(name="y", kind="telegram"), by="root")
            with pytest.raises(Refused, match="there is a target 'team' already"):
                await dispatcher.add(hook("team", sink), by="root")
            with pytest.raises(Refused, match=r"take \[notifications.team\] out of them and reload"):
                await dispatcher.remove("team", by="root")
            with pytest.raises(NotFound, match="did you mean 'team'"):
                await dispatcher.remove("tem", by="root")
            for number in range(MOST - 1):
                await dispatcher.add(hook(f"n{number}", sink, enabled=False), by="root")
            with pytest.raises(Refused, match=f"{MOST} targets are there already"):
                await dispatcher.add(hook("more", sink), by="root")

    run(scene)


@pytest.mark.parametrize("content", ["{", "[]", '{"format": 2, "targets": []}', '{"format": 1, "target": 5}'])
def test_a_file_that_cannot_be_read_is_a_problem_and_is_never_written_over(tmp_path, content):
    async def scene() -> None:
        (tmp_path / file.NAME).write_text(content)
        async with HttpSink() as sink:
            host = Host(tmp_path, team(sink))
            async with host as dispatcher:
                assert file.NAME in host.problems["notifications"]
                with pytest.raises(Failed, match="nothing was changed"):
                    await dispatcher.add(hook("x", sink), by="root")
                host.events.note("died", "oom: x")
                await met(lambda: flat(sink) == [1], "those of the settings to be told")
        assert content == (tmp_path / file.NAME).read_text()

    run(scene)


def test_places_of_another_log_or_none_begin_where_this_one_is(tmp_path):
    async def scene() -> None:
        async with HttpSink() as sink:
            file.write_places(tmp_path, {"team": 10_000, "gone": 5})
            host = Host(tmp_path, team(sink))
            async with host:
                host.events.note("died", "oom: x")
                await met(lambda: flat(sink) == [1], "the event")
            assert {"team"} == set(file.read_places(tmp_path))
            (tmp_path / file.PLACES).write_text("{")
            host = Host(tmp_path, team(sink))
            async with host:
                host.events.note("died", "oom: x")
                await met(lambda: flat(sink)[1:] == [host.events.seq], "the next one, and none before")

    run(scene)


# ---- reload ----
def test_a_reload_adds_changes_and_switches_off(tmp_path):
    async def scene() -> None:
        async with HttpSink() as first, HttpSink() as second:
            host = Host(tmp_path)
            async with host as dispatcher:
                await dispatcher.add(hook("team", first), by="root")
                [told] = await host.reload(team(second))
                assert told.startswith("notifications.team: it replaces the target")
                host.events.note("died", "oom: x")
                await met(lambda: flat(second) == [2], "the one of the settings")
                await host.reload(team(second, "enabled = false\n"))
                assert "off" == views(dispatcher)[0].state
                host.events.note("died", "oom: y")
                await host.reload(team(second))
                host.events.note("died", "oom: z")
                await met(lambda: flat(second) == [2, 4], "what came after it was switched on again")
                assert [] == first.posts
                assert "settings" == views(dispatcher)[0].origin

    run(scene)


def test_a_target_put_right_by_a_reload_is_told_what_waited(tmp_path):
    async def scene() -> None:
        async with HttpSink() as sink:
            sink.bearer = "right"
            host = Host(tmp_path, team(sink))
            async with host as dispatcher:
                host.events.note("died", "oom: x")
                await met(lambda: views(dispatcher)[0].failures > 3, "it to fail")
                assert views(dispatcher)[0].last_error.startswith("401")
                await host.reload(team(sink, 'token = "right"\n'))
                await met(lambda: views(dispatcher)[0].delivered >= 1, "what waited")
                assert "Bearer right" == sink.posts[-1][1]["authorization"]
                assert 1 in sink.told[-1]

    run(scene)


# ---- test messages ----
def test_a_test_message_goes_at_once_even_where_it_is_switched_off(tmp_path):
    async def scene() -> None:
        async with HttpSink() as sink, Host(tmp_path, team(sink, "enabled = false\n")) as dispatcher:
            sink.answers = [(403, {}, "who are you")]
            assert (False, "403 who are you") == await dispatcher.test("team")
            assert (True, "200 ok") == await dispatcher.test("team")
            assert [0, 0] == [body["count"] for _, _, body in sink.posts]

    run(scene)


def test_the_file_holds_every_field_of_a_target(tmp_path):
    one = Target(name="m", kind="email", host="h", port=5, user="u", password="p", sender="a@b", to=("c@d",))
    file.write_targets(tmp_path, [one])
    assert [one] == file.read_targets(tmp_path)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"format": 1, "other": 5}, file.Kept)
