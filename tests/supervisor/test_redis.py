"""The copy in Redis, against a real server: down, paused, flushed, old, foreign, and the way back from it."""

from __future__ import annotations

import asyncio
import time

import msgspec
import pytest
from msgspec.structs import replace
from redis import asyncio as redis

from bus.messages import Checkpoint, Position
from strategies.trading.orders import Order
from strategies.trading.records import Saved
from supervisor.life import State, Wanted
from supervisor.mirror import (
    BATCH,
    Entry,
    Mark,
    Mirror,
    MirrorError,
    Picture,
    Worth,
    believable,
    reconcile,
)
from supervisor.mirror_rows import (
    HASHES,
    Contents,
    checkpoint_row,
    deployment_row,
    owned_rows,
    read_contents,
)
from supervisor.store.lineage import Ancestor
from supervisor.store.redis import RedisMirror
from supervisor.store.tables import Standing
from tests.supervisor.redis_server import RedisServer
from tests.supervisor.test_deployments import A
from tests.waiting import turn, until

ME = "me"


def test_what_a_copy_is_worth():
    ours = Mark(identity=ME, seq=10)
    assert reconcile(None, ours) is Worth.EMPTY
    assert reconcile(Mark(identity=ME, seq=3), ours) is Worth.OURS
    assert reconcile(Mark(identity=ME, seq=10), ours) is Worth.OURS
    assert reconcile(Mark(identity=ME, seq=11), ours) is Worth.AHEAD
    assert reconcile(Mark(identity="other", seq=3), ours) is Worth.FOREIGN


@pytest.mark.parametrize(
    ("identity", "at", "worth"),
    [
        ("before", 99, Worth.PAST),
        ("before", 100, Worth.LIVING),
        ("before", 0, Worth.LIVING),  # a copy that does not say when it was written
        ("other", 99, Worth.FOREIGN),
        (ME, 200, Worth.OURS),
    ],
)
def test_what_a_copy_is_worth_to_a_directory_that_was_restored(identity, at, worth):
    theirs, ours = Mark(identity=identity, seq=3, at=at), Mark(identity=ME, seq=10)
    assert worth is reconcile(theirs, ours, Ancestor("before", 100))


def test_a_copy_is_put_back_into_a_new_journal_only_and_never_another_ones():
    theirs = Mark(identity=ME, seq=10)
    assert believable(theirs, None, None), "a new state directory"
    assert believable(theirs, ME, None), "its journal is gone"
    assert believable(theirs, ME, 0), "its journal is new"
    assert not believable(None, None, None)
    assert not believable(theirs, None, 3), "a journal with something in it is the truth"
    assert not believable(theirs, ME, 3)
    assert not believable(theirs, "other", None), "a foreign copy"
    assert not believable(Mark(identity=ME, seq=0), ME, 0), "nothing in it that is not here"


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

    async def mark(self) -> Mark:
        return Mark(identity=self.identity, seq=self.seq, at=time.time_ns())

    async def look(self, after, limit) -> Picture:
        signals = [Entry(*row) for row in self.journal if row[0] > after][:limit]
        if len(signals) == limit:
            return Picture(seq=signals[-1].seq, signals=signals, hashes=None)
        return Picture(
            seq=self.seq, signals=signals, hashes={name: dict(rows) for name, rows in self.rows.items()}
        )


@pytest.fixture
def server(tmp_path):
    server = RedisServer(tmp_path)
    yield server
    server.stop()


class Scene:
    """A mirror over a source, and a plain client that looks at what arrived."""

    def __init__(
        self,
        server: RedisServer,
        truth: Truth,
        timeout: float = 5.0,
        *,
        put_aside: bool = False,
        ancestor: Ancestor | None = None,
    ) -> None:
        self.truth = truth
        self.said: list[str] = []
        self.mirror = Mirror(
            RedisMirror(server.url, timeout=timeout),
            truth,
            on_change=lambda kind, _detail: self.said.append(kind),
            put_aside=put_aside,
            ancestor=ancestor,
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
        await until(condition, what=what)

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
                await turn()
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
def test_the_copy_of_the_directory_that_ours_was_restored_from_is_put_aside_once(server):
    async def scenario():
        before = Truth("before")
        async with Scene(server, before) as scene:
            before.accept(3)
            await scene.level()
        restored = Ancestor("before", time.time_ns())
        for _ in range(2):  # and a restart
            truth = Truth()
            async with Scene(server, truth, ancestor=restored) as scene:
                truth.accept(2)
                await scene.level()
                assert await scene.stream() == truth.journal
                kept = [key async for key in scene.client.scan_iter("stratd:superseded:*:signals")]
                assert [before.journal] == [await scene.stream(key) for key in kept]
                told.append(scene.said.count("mirror_replaced"))

    told: list[int] = []
    server.start()
    asyncio.run(scenario())
    assert [1, 0] == told


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
@pytest.mark.parametrize("said", ["2", "cake"])
def test_the_copy_of_a_later_version_is_neither_read_nor_written_to(server, said):
    async def scenario():
        truth = Truth()
        async with Scene(server, truth) as scene:
            truth.accept(3)
            await scene.level()
            assert await scene.client.hget("stratd:mark", "format") == b"1"
            await scene.client.hset("stratd:mark", "format", said)
            before = await scene.client.hgetall("stratd:mark")
            truth.accept()
            scene.mirror.touch()

            async def refused():
                return f"the copy there has format {said}" in scene.mirror.view().detail

            await scene.until(refused, "the refusal")
            assert await scene.client.hgetall("stratd:mark") == before
            assert len(await scene.stream()) == 3

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


@pytest.mark.system
def test_what_went_while_the_mirror_was_away_goes_from_the_copy_too(server):
    async def scenario():
        truth = Truth()
        truth.rows["deployments"] = {"a": b"1", "gone": b"2"}
        async with Scene(server, truth) as scene:
            truth.accept()
            await scene.level()
        del truth.rows["deployments"]["gone"]
        async with Scene(server, truth) as scene:  # the next daemon, to which nothing has changed
            await scene.level()
            assert await scene.client.hgetall("stratd:deployments") == {b"a": b"1"}

    server.start()
    asyncio.run(scenario())


@pytest.mark.system
def test_signals_go_first_and_a_copy_says_that_it_is_being_caught_up_with(server):
    """What dies in the middle of a long way leaves no position whose signals are missing."""

    class Dying(Truth):
        dead = True

        async def look(self, after, limit):
            if self.dead and after >= 2 * BATCH:
                raise MirrorError("the host is gone")
            return await super().look(after, limit)

    async def scenario():
        truth = Dying()
        truth.rows["positions"] = {"a": b"[1]"}
        scene = Scene(server, truth)
        truth.accept(BATCH + 5)
        with pytest.raises(MirrorError, match="the host is gone"):
            await scene.mirror._catch_up()
        store = RedisMirror(server.url)
        mark = await store.mark()
        assert (mark.seq, mark.settled) == (2 * BATCH, 0)
        assert await scene.client.hgetall("stratd:positions") == {}
        truth.dead = False
        await scene.mirror._catch_up()
        mark = await store.mark()
        assert (mark.seq, mark.settled) == (truth.seq, truth.seq)
        assert await scene.client.hgetall("stratd:positions") == {b"a": b"[1]"}
        assert await scene.stream() == truth.journal
        await store.close()
        await scene.mirror.stop(1.0)
        await scene.client.aclose()

    server.start()
    asyncio.run(scenario())


@pytest.mark.system
def test_a_copy_that_was_not_wholly_understood_is_put_aside_before_it_is_written_to(server):
    async def scenario():
        truth = Truth()
        async with Scene(server, truth) as scene:
            truth.accept(3)
            await scene.level()
            await scene.client.hset("stratd:checkpoints", "a", b"of a later version")
            before = await scene.stream()
        async with Scene(server, truth, put_aside=True) as scene:
            await scene.level()
            truth.accept()
            await scene.level()
            assert await scene.client.hgetall("stratd:checkpoints") == {}
            assert await scene.stream() == truth.journal
            (aside,) = [key async for key in scene.client.scan_iter("stratd:superseded:*:checkpoints")]
            assert await scene.client.hgetall(aside) == {b"a": b"of a later version"}
            old = aside.decode().replace("checkpoints", "signals")
            assert await scene.stream(old) == before

    server.start()
    asyncio.run(scenario())


STANDING = Standing(wanted=Wanted.PAUSED, state=State.STOPPED, generation=41)


def test_deployments_come_back_from_a_copy_as_they_were():
    row = deployment_row(A, STANDING, "paused")
    found = read_contents(Contents(hashes={"deployments": {"a": row}}, records=[]), 7)
    untrusted = replace(A, trusted_path="")  # who can write to Redis must not be able to give trust
    assert A.trusted_path, "else this shows nothing"
    assert (found.deployments, found.unreadable, found.journal.seq) == ([(untrusted, STANDING)], [], 7)


def test_every_row_that_cannot_be_read_is_named_and_the_others_are_taken():
    good = deployment_row(A, STANDING, "paused")
    broken = {name: {"x": b"\xc1"} for name in HASHES}
    broken["deployments"] |= {"a": good, "b": good}
    broken["positions"]["y"] = msgspec.json.encode([Position("z", "X", 1.0)])
    found = read_contents(Contents(hashes=broken, records=[(n, b"") for n in range(3, 10)]), 9)
    assert found.deployments == [(replace(A, trusted_path=""), STANDING)]
    told = dict(found.unreadable)
    assert told["b"] == "the deployment of b cannot be read: its id is a"
    assert told["y"] == "the positions of y cannot be read: its id is z"
    assert told[""] == "7 accepted signals cannot be read: 3, 4, 5, 6, 7, ..."
    whats = {sentence.split(" of ")[0] for name, sentence in found.unreadable if name == "x"}
    assert whats == {
        "the deployment", "the positions", "the waiting orders", "the tally", "the checkpoint", "the lots",
        "the guards", "the routes", "the latch", "the figures", "the money",
        "the signals that wait for approval",
    }  # fmt: skip


@pytest.mark.parametrize("number", ["seq", "accepted_at", "like"])
def test_an_order_with_a_number_that_no_journal_holds_is_left_out_and_named(number):
    order = Order(
        order_id="o", signal_id="s", deployment_id="d", account_id="A", symbol="X", quantity=1.0,
        reduce_only=False, leg="", data_as_of=1, accepted_at=1, seq=1,
    )  # fmt: skip
    rows = owned_rows([replace(order, **{number: 2**63})])
    found = read_contents(Contents(hashes={"orders": rows}, records=[]), 9)
    assert ([], ["d"]) == (found.journal.orders, [name for name, _ in found.unreadable])


def test_a_checkpoint_of_a_time_that_no_journal_holds_is_left_out_and_named():
    row = checkpoint_row(
        Saved(seq=1, at=2**63, deployment_id="d", generation=1, checkpoint=Checkpoint(b"", 1, 1, {}))
    )
    found = read_contents(Contents(hashes={"checkpoints": {"d": row}}, records=[]), 9)
    assert ([], ["d"]) == (found.journal.checkpoints, [name for name, _ in found.unreadable])


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
