"""A host is lost and Redis is not: daemons with everything real, one after the other, over one copy."""

from __future__ import annotations

import asyncio
import shutil
import time

import msgspec
import pytest
from msgspec.structs import replace
from redis import asyncio as redis

from bus.sockets import Publisher
from strategies.trading.records import Snapshot
from supervisor.store.journal import Journal, JournalReader
from supervisor.store.journal_copy import LEAP, JournalCopy
from tests.supervisor.redis_server import RedisServer
from tests.supervisor.rig import Rig, Scene

pytestmark = pytest.mark.system

BUYER = """
    seen = 0

    def on_tick(self, data):
        self.seen += 1
        reason = "" if self.seen % 3 == 0 else "tick"  # every third is refused
        return Signal(symbol=data.symbol, intent="enter_long", quantity=1, reason=reason)

    def save_state(self):
        return {"seen": self.seen}

    def load_state(self, state, version):
        print("loaded", state["seen"], flush=True)
        self.seen = state["seen"]
"""


class World:
    """A rig with a buyer, a feed and a Redis; ``ticks`` are the times of those published so far."""

    def __init__(self, rig: Rig, server: RedisServer) -> None:
        self.rig = rig
        self.server = server
        self.ticks: list[int] = []
        rig.environ = {"REDIS_URL": server.url}
        rig.settings += '\n[feeds.main]\nendpoint = "ipc://{base}/feed"\n'
        folder = rig.strategy("buyer")
        code = (folder / "strategy.py").read_text().replace("import IStrategy", "import IStrategy, Signal")
        (folder / "strategy.py").write_text(code + BUYER)
        self.journal = rig.base / "state" / "journal.db"

    def trade(self, count: int = 7) -> None:
        """Live through one daemon in which ``count`` more ticks are answered and copied."""

        async def scenario(scene: Scene):
            with Publisher(f"ipc://{self.rig.base}/feed") as publisher:
                await asyncio.to_thread(publisher.wait_for_subscriber, 60)
                if not self.ticks:
                    await scene.start("buyer")
                    await scene.start("idle")
                    await scene.verb("stop", "idle")
                await scene.state("buyer", "running")
                for _ in range(count):
                    at = time.time_ns()
                    self.ticks.append(at)
                    await self.publish(scene, publisher, at)
            await level(scene)

        self.rig.run(scenario)

    async def publish(self, scene: Scene, publisher: Publisher, at: int) -> None:
        """Publish a tick of that time, and wait until the strategy's answer to it is judged."""
        before = await judged(scene)
        tick = ["EURUSD", at, 1.1, 1.0]
        publisher.send(b"tick.EURUSD", msgspec.msgpack.encode(tick))

        async def answered():
            return await judged(scene) > before

        await scene.until(answered, "a verdict")

    def known(self) -> tuple[JournalCopy, Snapshot]:
        """Return what the journal on disk has, and what a core recovers from it."""
        with JournalReader.open(self.journal) as reader:
            copy = reader.copy(0, 1_000_000, 0)
        with Journal.open(self.journal) as journal:
            (snapshot,) = journal.recover()
        return copy, snapshot

    def lose_the_host(self) -> None:
        shutil.rmtree(self.rig.base / "state")

    def redis(self, work):
        """Run ``work(client)`` against the server."""

        async def live():
            async with redis.Redis.from_url(self.server.url) as client:
                return await work(client)

        return asyncio.run(live())


@pytest.fixture
def world(tmp_path):
    rig, server = Rig(), RedisServer(tmp_path)
    server.start()
    yield World(rig, server)
    server.stop()
    rig.remove()


async def judged(scene: Scene) -> int:
    return len(await scene.daemon.signals.ask(lambda reader: reader.signals("buyer", limit=1_000)))


async def level(scene: Scene) -> None:
    async def there():
        mirror = (await scene.port.status()).mirror
        return mirror.state == "ok" and mirror.lag == 0

    await scene.until(there, "the mirror level")


async def noted(scene: Scene, kind: str) -> list[tuple[str, str]]:
    events = [event async for event in await scene.port.events(after=0, n=10_000, follow=False)]
    return [(event.deployment_id, event.detail) for event in events if event.kind == kind]


def test_a_lost_host_comes_back_with_positions_counts_checkpoint_and_keys(world):
    world.trade()
    copy, snapshot = world.known()
    assert (len(copy.orders), len(copy.positions), len(copy.tallies)) == (1, 1, 1)
    assert [saved.deployment_id for saved in copy.checkpoints] == ["idle", "buyer"]
    assert (len(copy.accepted), snapshot.tallies[0].rejected) == (5, 2)
    world.lose_the_host()

    async def after(scene: Scene):
        # As it was at the moment when the engine began.
        ready = await scene.event("engine_ready")
        assert ready.detail == f"journal at {copy.seq + LEAP}"
        deployments, journal = await noted(scene, "recovered")
        assert deployments[1].startswith("2 deployments from the mirror of ")
        assert "2 checkpoints, 1 positions, 1 waiting orders, 5 accepted signals" in journal[1]
        assert await noted(scene, "not_recovered") == []

        await scene.state("buyer", "running")

        async def counted():
            counts = (await scene.row("buyer")).signals
            return counts if counts.accepted else None

        counts = await scene.until(counted, "the counts that the engine recovered")
        assert (counts.accepted, counts.rejected, counts.duplicate) == (5, 2, 0)
        detail = await scene.port.describe("buyer")
        (held,) = detail.positions
        assert (held.symbol, held.quantity) == ("EURUSD", copy.positions[0].quantity)
        assert detail.generation == 2

        async def loaded():
            return "loaded 7" in [
                line.text async for line in await scene.port.logs("buyer", n=50, follow=False)
            ]

        await scene.until(loaded, "the line that it wrote")

        with Publisher(f"ipc://{world.rig.base}/feed") as publisher:
            await asyncio.to_thread(publisher.wait_for_subscriber, 60)
            await world.publish(scene, publisher, world.ticks[0])
            await world.publish(scene, publisher, time.time_ns())
        last = [one async for one in await scene.port.signals("buyer", after=None, n=2, follow=False)]
        assert [one.verdict for one in last] == ["duplicate", "rejected"]
        assert last[0].seq > copy.seq + LEAP
        await level(scene)

    world.rig.run(after)
    copied, recovered = world.known()
    assert copied.accepted == copy.accepted
    assert recovered.keys == snapshot.keys
    assert recovered.orders == []  # the one that waited has filled at the first tick that could
    assert recovered.positions[0].quantity == snapshot.positions[0].quantity + 1

    stream = world.redis(lambda client: client.xrange("stratd:signals"))
    assert [int(entry_id.split(b"-")[0]) for entry_id, _ in stream] == [one.seq for one in copy.accepted]


def test_a_second_loss_is_survived_like_the_first(world):
    world.trade(3)
    for _ in range(2):
        before, snapshot = world.known()
        world.lose_the_host()
        world.trade(2)
        copy, _ = world.known()
        assert copy.accepted[: len(before.accepted)] == before.accepted
        assert copy.seq > before.seq + LEAP
        assert copy.tallies[0].accepted > snapshot.tallies[0].accepted


def test_a_flushed_redis_is_filled_again_and_good_for_the_next_loss(world):
    world.trade(4)
    world.redis(lambda client: client.flushall())
    world.trade(1)
    copy, snapshot = world.known()
    world.lose_the_host()

    async def idle(scene: Scene):
        await scene.state("buyer", "running")
        await level(scene)

    world.rig.run(idle)
    copied, recovered = world.known()
    assert recovered == replace(snapshot, seq=recovered.seq, recent=[])
    assert (copied.accepted, copied.orders) == (copy.accepted, copy.orders)


def test_a_journal_with_anything_in_it_does_not_hear_of_the_mirror(world):
    world.trade(4)
    _, snapshot = world.known()

    async def forge(client):
        # What an operator sees who puts an old disk back: the copy is of the same journal, and ahead of it.
        await client.hset("stratd:mark", mapping={"seq": 10**6, "settled": 10**6})
        held = replace(snapshot.positions[0], quantity=1_000.0)
        await client.hset("stratd:positions", "buyer", msgspec.json.encode([held]))

    world.redis(forge)

    async def idle(scene: Scene):
        await scene.state("buyer", "running")
        await level(scene)
        assert await noted(scene, "recovered") == []

    world.rig.run(idle)
    assert world.known()[1] == replace(snapshot, seq=world.known()[1].seq)

    async def kept(client):
        (aside,) = [key async for key in client.scan_iter("stratd:superseded:*:positions")]
        return msgspec.json.decode(await client.hget(aside, "buyer"))

    assert world.redis(kept)[0][2] == 1_000.0, "the copy that was not believed is kept"


def test_only_the_journal_was_lost_and_it_comes_back_from_our_own_copy(world):
    world.trade(4)
    _, snapshot = world.known()
    world.journal.unlink()

    async def idle(scene: Scene):
        await scene.state("buyer", "running")
        (journal,) = await noted(scene, "recovered")
        assert journal[1].startswith("the journal as it was at record ")

    world.rig.run(idle)
    assert world.known()[1] == replace(snapshot, seq=world.known()[1].seq, recent=[])


def test_a_journal_that_is_found_damaged_at_the_start_comes_back_from_our_own_copy(world):
    world.trade(4)
    copy, snapshot = world.known()
    damage(world.journal)

    async def idle(scene: Scene):
        await scene.state("buyer", "running")
        ((_, aside),) = await noted(scene, "journal_quarantined")
        assert "is damaged" in aside
        ((_, told),) = await noted(scene, "recovered")
        assert told.startswith(f"the journal as it was at record {copy.seq}, ")
        assert await noted(scene, "problem") == []

    world.rig.run(idle)
    assert world.known()[1] == replace(snapshot, seq=world.known()[1].seq, recent=[])
    assert world.journal.with_name("journal.db.corrupt-1").exists()


def test_a_journal_that_is_damaged_under_a_running_daemon_comes_back_with_the_next_engine(world):
    world.trade(4)
    copy, snapshot = world.known()

    async def live(scene: Scene):
        await scene.state("buyer", "running")
        await level(scene)
        damage(world.journal)
        scene.daemon.engine.kill()
        await scene.event("recovered")

        async def again():
            status = await scene.port.status()
            return status.journal_seq > copy.seq + LEAP and status.mirror.state == "ok"

        await scene.until(again, "an engine that goes on from the copy")
        assert (await scene.row("buyer")).state == "running"
        listed = [one async for one in await scene.port.signals(None, after=0, n=50, follow=False)]
        assert [one.verdict for one in listed] == ["accepted"] * len(copy.accepted)

    world.rig.run(live)
    assert world.known()[1].positions == snapshot.positions


def damage(journal) -> None:
    """Overwrite the file behind its head, as a disk does that loses pages; its log goes with it."""
    content = bytearray(journal.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    journal.write_bytes(content)
    for suffix in ("-wal", "-shm"):
        journal.with_name(journal.name + suffix).unlink(missing_ok=True)


def test_checkpoints_come_back_with_their_position_and_a_pause(world):
    """What a new host resumes from is what the lost one would have resumed from."""
    world.trade(4)

    async def paused(scene: Scene):
        await scene.state("buyer", "running")
        await scene.verb("pause", "buyer")
        await scene.verb("stop", "buyer")
        await scene.daemon.actors["buyer"].parting.settled()
        await level(scene)

    world.rig.run(paused)
    copy, _ = world.known()
    (saved,) = [one for one in copy.checkpoints if one.deployment_id == "buyer"]
    assert saved.checkpoint.epoch > 0
    assert saved.checkpoint.position
    world.lose_the_host()

    async def idle(scene: Scene):
        await level(scene)

    world.rig.run(idle)
    found = [one for one in world.known()[0].checkpoints if one.deployment_id == "buyer"]
    assert found == [saved]


def test_the_copy_of_another_state_directory_is_not_put_into_a_new_journal(world):
    world.trade(4)
    world.journal.unlink()
    world.redis(lambda client: client.hset("stratd:mark", "identity", "somebody else"))

    async def idle(scene: Scene):
        await scene.state("buyer", "running")

        async def refused():
            return "another state directory" in (await scene.port.status()).mirror.detail

        await scene.until(refused, "a sentence about whose copy it is")
        assert await noted(scene, "recovered") == []

    world.rig.run(idle)
    copy, snapshot = world.known()
    assert (copy.positions, copy.orders, copy.accepted, snapshot.tallies) == ([], [], [], [])
    assert copy.seq < LEAP


def test_what_cannot_be_read_is_named_the_rest_comes_back_and_the_copy_is_kept(world):
    world.trade(4)
    copy, _ = world.known()
    first = copy.accepted[0].seq

    async def spoil(client):
        await client.hset("stratd:checkpoints", "buyer", b"\xc1")
        await client.hset("stratd:deployments", "ghost", b"{")
        rows = await client.xrange("stratd:signals")
        await client.delete("stratd:signals")
        for entry_id, row in rows:
            spoiled = row if entry_id != b"%d-0" % first else {b"signal": row[b"signal"], b"record": b""}
            await client.xadd("stratd:signals", spoiled, id=entry_id)

    world.redis(spoil)
    world.lose_the_host()

    async def after(scene: Scene):
        await scene.state("buyer", "running")
        told = dict(await noted(scene, "not_recovered"))
        assert told["buyer"].startswith("the checkpoint of buyer cannot be read: ")
        assert told["ghost"].startswith("the deployment of ghost cannot be read: ")
        assert told[""] == f"1 accepted signals cannot be read: {first}"
        assert {row.id for row in await scene.port.deployments()} == {"buyer", "idle"}
        await level(scene)

    world.rig.run(after)
    copied, _ = world.known()
    assert (copied.positions, copied.orders) == (copy.positions, copy.orders)
    assert copied.accepted == copy.accepted[1:]
    assert copied.tallies == copy.tallies

    async def kept(client):
        (aside,) = [key async for key in client.scan_iter("stratd:superseded:*:checkpoints")]
        return await client.hget(aside, "buyer")

    assert world.redis(kept) == b"\xc1"


def test_a_recovery_that_broke_off_is_finished_by_the_next_start(world, monkeypatch):
    world.trade(4)
    _, snapshot = world.known()
    world.lose_the_host()

    def die(*_):
        raise ConnectionAbortedError("the host lost its power")

    async def idle(scene: Scene):
        await scene.state("buyer", "running")
        assert {row.id for row in await scene.port.deployments()} == {"buyer", "idle"}

    with monkeypatch.context() as patched:
        patched.setattr(Journal, "seed_from", die)
        with pytest.raises(ConnectionAbortedError):
            world.rig.run(idle)
    world.rig.run(idle)
    assert world.known()[1] == replace(snapshot, seq=world.known()[1].seq, recent=[])


def test_with_redis_down_a_new_directory_starts_empty_and_leaves_the_copy_alone(world):
    world.trade(4)
    world.lose_the_host()
    world.server.pause()

    async def idle(scene: Scene):
        (problem,) = [detail for _, detail in await noted(scene, "problem")]
        assert problem.startswith("nothing was recovered from the mirror: Redis: ")
        assert await scene.port.deployments() == []
        world.server.go_on()

        async def refused():
            return "another state directory" in (await scene.port.status()).mirror.detail

        await scene.until(refused, "a sentence about whose copy it is")

    world.rig.run(idle)
    assert world.redis(lambda client: client.xlen("stratd:signals")) > 0
