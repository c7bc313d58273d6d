"""The copy in Redis, against a real server: down, paused, flushed, old, foreign, and the way back from it."""

from __future__ import annotations

import asyncio
import time

import msgspec
import pytest
from redis import asyncio as redis

from supervisor.life import State, Wanted
from supervisor.mirror import BATCH, Mark, Mirror, MirrorError, Worth, reconcile
from supervisor.mirror_source import Copy, read_copies
from supervisor.store.redis import RedisMirror
from supervisor.store.tables import Standing
from tests.supervisor.redis_server import RedisServer
from tests.supervisor.test_deployments import A

ME = "me"


def test_what_a_copy_is_worth():
    ours = Mark(identity=ME, seq=10)
    assert reconcile(None, ours) is Worth.EMPTY
    assert reconcile(Mark(identity=ME, seq=3), ours) is Worth.OURS
    assert reconcile(Mark(identity=ME, seq=10), ours) is Worth.OURS
    assert reconcile(Mark(identity=ME, seq=11), ours) is Worth.AHEAD
    assert reconcile(Mark(identity="other", seq=3), ours) is Worth.FOREIGN


class Truth:
    """A source in memory: ``accept`` adds to the journal, which numbers other records too."""

    def __init__(self, identity: str = ME) -> None:
        self.identity = identity
        self.seq = 0
        self.rows = {"deployments": {}, "positions": {}, "checkpoints": {}}
        self.journal: list[tuple[int, bytes]] = []
        self.mirror: Mirror | None = None

    def accept(self, count: int = 1) -> None:
        for _ in range(count):
            self.seq += 2
            self.journal.append((self.seq, f"signal {self.seq}".encode()))
        self.mirror.touch()

    def mark(self) -> Mark:
        return Mark(identity=self.identity, seq=self.seq, at=time.time_ns())

    async def deployments(self):
        return dict(self.rows["deployments"])

    async def positions(self):
        return dict(self.rows["positions"])

    async def checkpoints(self):
        return dict(self.rows["checkpoints"])

    async def signals(self, after, limit):
        return [row for row in self.journal if row[0] > after][:limit]


@pytest.fixture
def server(tmp_path):
    server = RedisServer(tmp_path)
    yield server
    server.stop()


class Scene:
    """A mirror over a source, and a plain client that looks at what arrived."""

    def __init__(self, server: RedisServer, truth: Truth, timeout: float = 5.0) -> None:
        self.truth = truth
        self.said: list[str] = []
        self.mirror = Mirror(
            RedisMirror(server.url, timeout=timeout),
            truth,
            on_change=lambda kind, _detail: self.said.append(kind),
            retry_first=0.01,
            quiet=0.0,
        )
        truth.mirror = self.mirror
        self.client = redis.Redis.from_url(server.url)

    async def __aenter__(self):
        self.mirror.start()
        return self

    async def __aexit__(self, *_):
        await self.mirror.stop(1.0)
        await self.client.aclose()

    async def until(self, condition, what: str):
        deadline = asyncio.get_running_loop().time() + 10
        while not await condition():
            assert asyncio.get_running_loop().time() < deadline, what
            await asyncio.sleep(0.005)

    async def level(self):
        """Wait until the copy is where the journal is."""

        async def there():
            return self.mirror.view().state == "ok" and self.mirror.view().lag == 0

        await self.until(there, "the copy level with the journal")

    async def stream(self, key: str = "stratd:signals"):
        return [(int(i.split(b"-")[0]), row[b"signal"]) for i, row in await self.client.xrange(key)]


@pytest.mark.system
def test_everything_is_copied_and_only_changes_follow(server):
    async def scenario():
        truth = Truth()
        truth.rows["deployments"] = {"a": b"1", "b": b"2"}
        truth.rows["positions"] = {"a": b"[]"}
        async with Scene(server, truth) as scene:
            truth.accept(3)
            await scene.level()
            assert await scene.stream() == truth.journal
            assert await scene.client.hgetall("stratd:deployments") == {b"a": b"1", b"b": b"2"}
            del truth.rows["deployments"]["b"]
            truth.rows["checkpoints"]["a"] = b"state"
            truth.accept()
            await scene.level()
            assert await scene.client.hgetall("stratd:deployments") == {b"a": b"1"}
            assert await scene.client.hgetall("stratd:checkpoints") == {b"a": b"state"}
            assert await scene.client.hgetall("stratd:positions") == {b"a": b"[]"}
            mark = await scene.client.hgetall("stratd:mark")
            assert (mark[b"identity"], mark[b"seq"]) == (b"me", b"8")

    server.start()
    asyncio.run(scenario())


@pytest.mark.system
def test_a_server_that_is_down_is_tried_again_and_then_caught_up_with(server):
    async def scenario():
        truth = Truth()
        async with Scene(server, truth) as scene:
            truth.accept(BATCH + 5)

            async def noticed():
                return "mirror_down" in scene.said

            await scene.until(noticed, "word of Redis being down")
            assert scene.mirror.view().lag == truth.seq
            server.start()
            await scene.level()
            assert await scene.stream() == truth.journal
            server.stop()
            truth.accept()

            async def down():
                return scene.mirror.view().state == "down"

            await scene.until(down, "word of Redis having gone")
            server.start()  # with an empty memory
            await scene.level()
            assert await scene.stream() == truth.journal
            assert scene.said.count("mirror_ok") == 2

    asyncio.run(scenario())


@pytest.mark.system
def test_a_flushed_server_is_filled_again(server):
    async def scenario():
        truth = Truth()
        truth.rows["deployments"] = {"a": b"1"}
        async with Scene(server, truth) as scene:
            truth.accept(5)
            await scene.level()
            await scene.client.flushall()
            truth.accept()

            async def whole():
                return len(await scene.stream()) == 6

            await scene.until(whole, "the whole stream again")
            assert await scene.client.hgetall("stratd:deployments") == {b"a": b"1"}

    server.start()
    asyncio.run(scenario())


@pytest.mark.system
def test_a_paused_server_delays_nobody_but_the_mirror(server):
    async def scenario():
        truth = Truth()
        async with Scene(server, truth, timeout=0.2) as scene:
            truth.accept()
            await scene.level()
            server.pause()
            loop = asyncio.get_running_loop()
            turns, until = 0, loop.time() + 0.5
            while loop.time() < until:
                if turns < 2 * BATCH:
                    truth.accept()
                turns += 1
                await asyncio.sleep(0)
            assert turns > 50, "the loop went on"

            async def down():
                return scene.mirror.view().state == "down"

            await scene.until(down, "a paused server counting as down")
            server.go_on()
            await scene.level()
            assert await scene.stream() == truth.journal

    server.start()
    asyncio.run(scenario())


@pytest.mark.system
def test_a_copy_older_than_the_journal_is_continued_without_a_repetition(server):
    async def scenario():
        truth = Truth()
        async with Scene(server, truth):
            truth.accept(4)
        async with Scene(server, truth) as scene:
            truth.accept(2)
            await scene.level()
            assert await scene.stream() == truth.journal

    server.start()
    asyncio.run(scenario())


@pytest.mark.system
def test_a_copy_newer_than_the_journal_is_put_aside_and_kept(server):
    async def scenario():
        lost = Truth()
        async with Scene(server, lost):
            lost.accept(9)
        truth = Truth()
        async with Scene(server, truth) as scene:
            truth.accept(2)
            await scene.level()
            assert await scene.stream() == truth.journal
            (aside,) = [key async for key in scene.client.scan_iter("stratd:superseded:*:signals")]
            assert await scene.stream(aside.decode()) == lost.journal
            assert await scene.client.ttl(aside) > 0

    server.start()
    asyncio.run(scenario())


@pytest.mark.system
def test_the_copy_of_another_daemon_is_left_alone(server):
    async def scenario():
        other = Truth("other")
        async with Scene(server, other):
            other.accept(3)
        truth = Truth()
        async with Scene(server, truth) as scene:
            truth.accept(50)

            async def refused():
                return "another state directory" in scene.mirror.view().detail

            await scene.until(refused, "a sentence about whose copy it is")
            assert await scene.stream() == other.journal

    server.start()
    asyncio.run(scenario())


@pytest.mark.system
def test_a_batch_sent_twice_is_there_once(server):
    async def scenario():
        truth = Truth()
        scene = Scene(server, truth)
        truth.accept(3)
        store = RedisMirror(server.url)
        await scene.mirror._catch_up()
        # The answer was lost: the mark is older than the stream.
        await scene.client.hset("stratd:mark", "seq", 2)
        truth.accept()
        await scene.mirror._catch_up()
        assert await scene.stream() == truth.journal
        await store.close()
        await scene.mirror.stop(1.0)
        await scene.client.aclose()

    server.start()
    asyncio.run(scenario())


def test_deployments_come_back_from_a_copy_as_they_were():
    standing = Standing(wanted=Wanted.PAUSED, state=State.STOPPED, generation=41)
    row = msgspec.json.encode(Copy(deployment=A, standing=standing, state="paused"))
    assert read_copies({"a": row}) == [(A, standing)]
    with pytest.raises(MirrorError, match="the copy of a cannot be read"):
        read_copies({"a": row[:-5]})


@pytest.mark.system
def test_a_password_is_used_and_never_told(server):
    async def scenario():
        admin = redis.Redis.from_url(server.url)
        await admin.config_set("requirepass", "hush-hush")
        wrong = RedisMirror(server.url, "bad-guess")
        with pytest.raises(MirrorError) as refused:
            await wrong.mark()
        assert "bad-guess" not in str(refused.value)
        right = RedisMirror(server.url, "hush-hush")
        assert await right.mark() is None
        for one in (wrong, right):
            await one.close()
        await admin.aclose()

    server.start()
    asyncio.run(scenario())
