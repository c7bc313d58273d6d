"""API keys: what one looks like, how it is kept, and who is let in with which."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.errors import Failed, NotFound, Refused, Unauthenticated
from supervisor.keys import answers as remembered
from supervisor.keys import hashing, keyring, text
from supervisor.keys.answers import KEEP_NS, Answer, Answers, key_of, name_of
from supervisor.keys.keyring import USED_EVERY, Keyring
from supervisor.keys.record import KeyRecord
from supervisor.store import answers as answers_module
from supervisor.store.answers import AnswerStore
from supervisor.store.audit import KEEP, AuditRecord, AuditStore
from supervisor.store.deployments import DeploymentStore
from supervisor.store.keys import KeyStore
from tests.supervisor.fake_access import MemoryShelf, at_once
from tests.waiting import turn


@given(st.binary(min_size=text.RANDOM_BYTES, max_size=text.RANDOM_BYTES))
def test_a_key_is_read_as_it_was_made(random):
    made = text.make(random)
    assert text.parse(str(made)) == made
    assert made.secret not in repr(made)


@given(st.text(max_size=100))
def test_anything_else_is_no_key(other):
    assert text.parse(other) is None


def test_a_key_needs_all_of_its_randomness():
    with pytest.raises(ValueError, match="38 random bytes, not 37"):
        text.make(bytes(37))


@settings(max_examples=5, deadline=None)
@given(st.text(max_size=80), st.binary(min_size=16, max_size=16))
def test_a_secret_is_known_by_its_hash_and_is_not_in_it(secret, salt):
    stored = hashing.digest(secret, salt)
    assert hashing.verify(secret, stored)
    assert not hashing.verify(secret + "x", stored)
    assert not hashing.verify(secret, hashing.NOBODYS)


def test_the_hash_is_scrypt_as_the_standard_library_has_it():
    *_, salt, found = hashing.digest("secret", b"0123456789abcdef").split("$")
    expected = hashlib.scrypt(b"secret", salt=bytes.fromhex(salt), n=2**14, r=8, p=1, dklen=32)
    assert found == expected.hex()


def test_a_digest_of_a_newer_stratd_is_not_taken_for_a_wrong_key():
    with pytest.raises(ValueError, match="argon2"):
        hashing.verify("x", "argon2$1$1$1$00$00")


# ---- the keyring ----------------------------------------------------------------------------------
class World:
    """A keyring over a shelf in memory, at an instant that a test moves."""

    def __init__(self) -> None:
        self.shelf = MemoryShelf()
        self.now = 1_000 * USED_EVERY
        self.notes: list[tuple[str, str]] = []
        self.ring = self.another()

    def another(self, bootstrap: str = "") -> Keyring:
        """Return the keyring of the next daemon over the same shelf."""
        return Keyring(
            self.shelf,
            at_once,
            bootstrap=bootstrap,
            note=lambda kind, detail: self.notes.append((kind, detail)),
            clock=lambda: self.now,
        )

    async def key(self, **given):
        asked = {"name": "n", "scopes": ["read"], "account": "", "expires_at": None, "by": "root"}
        return await self.ring.create(**(asked | given))


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    asyncio.run(made.ring.close())


def test_a_key_is_shown_once_and_its_secret_is_kept_nowhere(world):
    async def scene():
        record, shown = await world.key()
        assert (await world.ring.verify(shown)).id == record.id
        return shown

    secret = asyncio.run(scene()).rpartition("_")[2]
    (kept,) = world.shelf.kept.values()
    assert secret not in repr((kept, world.notes, world.ring.__dict__))


def test_scrypt_runs_once_for_a_key_and_never_for_a_known_one(world):
    async def scene():
        _, shown = await world.key()
        before = world.ring.checks
        assert world.ring.known(shown) is None
        await world.ring.verify(shown)
        for _ in range(5):
            await world.ring.verify(shown)
        assert world.ring.checks == before + 1
        assert world.ring.known(shown) is not None

    asyncio.run(scene())


def test_a_revoked_key_is_wrong_at_once_though_it_was_known(world):
    async def scene():
        record, shown = await world.key()
        await world.ring.verify(shown)
        await world.ring.revoke(record.id, by="root")
        assert world.ring.known(shown) is None
        with pytest.raises(Unauthenticated, match="wrong or was revoked"):
            await world.ring.verify(shown)

    asyncio.run(scene())
    assert world.shelf.kept == {}
    assert [kind for kind, _ in world.notes] == ["key_created", "key_revoked"]


def test_a_key_revoked_while_it_is_checked_is_wrong(world):
    async def scene():
        record, shown = await world.key()
        check = asyncio.create_task(world.ring.verify(shown))
        await turn()
        await world.ring.revoke(record.id, by="root")
        with pytest.raises(Unauthenticated):
            await check

    asyncio.run(scene())


def test_a_revocation_that_cannot_be_written_holds_and_is_said(world):
    async def scene():
        record, shown = await world.key()
        await world.ring.verify(shown)
        world.shelf.fail = True
        with pytest.raises(Failed, match="but a restart brings it back: the disk is full"):
            await world.ring.revoke(record.id, by="root")
        with pytest.raises(Unauthenticated):
            await world.ring.verify(shown)
        world.shelf.fail = False
        await world.ring.revoke(record.id, by="root")

    asyncio.run(scene())
    assert world.shelf.kept == {}


def test_a_key_that_cannot_be_kept_is_not_made(world):
    world.shelf.fail = True
    with pytest.raises(Failed, match="cannot be kept: the disk is full"):
        asyncio.run(world.key())
    assert (world.ring.records(), world.notes) == ([], [])


def test_an_expired_key_says_since_when(world):
    async def scene():
        _, shown = await world.key(expires_at=world.now + 1)
        await world.ring.verify(shown)
        world.now += 1
        assert world.ring.known(shown) is None
        with pytest.raises(Unauthenticated, match=r"has expired .* UTC"):
            await world.ring.verify(shown)

    asyncio.run(scene())
    assert world.ring.refused == {"expired": 1}


def test_wrong_and_unknown_keys_get_one_answer_and_cost_one_check_each(world):
    async def scene():
        record, shown = await world.key()
        before = world.ring.checks
        wrong = shown[:-1] + ("0" if shown[-1] != "0" else "1")
        lines = set()
        for guess in (wrong, wrong.replace(record.id, "0" * 12), "what?"):
            with pytest.raises(Unauthenticated) as refused:
                await world.ring.verify(guess)
            lines.add(str(refused.value))
        assert world.ring.checks - before == 2  # what is no key has no id to find out about
        assert len(lines) == 1

    asyncio.run(scene())
    assert world.ring.refused == {"wrong": 1, "unknown": 2}


def test_keys_outlive_the_daemon(world):
    async def scene():
        _, shown = await world.key(account="demo", scopes=["trade", "read"])
        after = world.another()
        await after.start()
        found = await after.verify(shown)
        await after.close()
        return found

    found = asyncio.run(scene())
    assert (found.account, found.scopes) == ("demo", ["read", "trade"])


def test_the_key_of_the_settings_may_everything_and_is_kept_nowhere(world):
    async def scene():
        ring = world.another(bootstrap="a long enough phrase")
        found = await ring.verify("a long enough phrase")
        with pytest.raises(Unauthenticated):
            await ring.verify("a long enough phrasE")
        await ring.close()
        return found, ring.records()

    found, records = asyncio.run(scene())
    assert (found.id, found.scopes, records) == ("API_KEY", ["admin", "code", "read", "trade"], [])
    assert world.shelf.kept == {}


def test_the_last_use_is_written_once_a_minute(world):
    async def scene():
        record, shown = await world.key()
        for _ in range(3):
            await world.ring.verify(shown)
        world.now += USED_EVERY
        await world.ring.verify(shown)
        await world.ring.close()
        return record.id

    key = asyncio.run(scene())
    assert world.shelf.uses == [(key, world.now - USED_EVERY), (key, world.now)]


def test_a_flood_of_new_keys_does_not_queue_without_end(world):
    async def scene():
        await world.key()
        guesses = [world.ring.verify(str(text.make(bytes([n]) * 38))) for n in range(40)]
        ends = await asyncio.gather(*guesses, return_exceptions=True)
        return [type(end) for end in ends]

    ends = asyncio.run(scene())
    assert set(ends) == {Unauthenticated, Failed}
    assert ends.count(Unauthenticated) == keyring.MOST_CHECKS


def test_an_unknown_key_names_near_ones(world):
    async def scene():
        record, _ = await world.key()
        with pytest.raises(NotFound) as missed:
            await world.ring.revoke(record.id[:-1] + "x", by="root")
        assert missed.value.near == (record.id,)

    asyncio.run(scene())


def test_there_is_an_end_to_keys(world, monkeypatch):
    monkeypatch.setattr(keyring, "MOST_KEYS", 1)

    async def scene():
        await world.key()
        with pytest.raises(Refused, match="max_keys"):
            await world.key()

    asyncio.run(scene())


# ---- the tables -----------------------------------------------------------------------------------
@pytest.fixture
def store(tmp_path: Path) -> Iterator[DeploymentStore]:
    opened = DeploymentStore(f"sqlite:///{tmp_path / 'stratd.db'}")
    opened.open()
    yield opened
    opened.close()


def test_a_key_comes_back_from_the_database_as_it_was(store):
    keys = KeyStore(store)
    record = KeyRecord(
        id="0123456789ab", name="n", scopes=["read"], account="demo", digest="scrypt$", created_at=2**62,
        created_by="root", expires_at=None,
    )  # fmt: skip
    keys.add(record)
    keys.used(record.id, 7)
    assert [(one.id, one.used_at, one.scopes, one.expires_at) for one in keys.load()] == [
        (record.id, 7, ["read"], None)
    ]
    keys.remove(record.id)
    keys.remove(record.id)
    assert keys.load() == []


def entry(n: int) -> AuditRecord:
    return AuditRecord(at=n, who="root", method="POST", path=f"/{n}", status=200, request_id=str(n))


def test_the_audit_trail_is_read_newest_first_and_page_by_page(store):
    audit = AuditStore(store)
    audit.add([entry(n) for n in range(5)])
    first = audit.page(None, 2)
    assert [one.at for one in first] == [4, 3]
    assert [one.at for one in audit.page(first[-1].number, 9)] == [2, 1, 0]


def test_the_audit_trail_is_bounded(store):
    audit = AuditStore(store)
    audit.add([entry(n) for n in range(KEEP // 10)])
    audit.add([entry(n) for n in range(KEEP + 5)])
    assert len(audit.page(None, 2 * KEEP)) == KEEP


def test_an_answer_is_found_for_a_day_and_what_was_cut_off_is_told_apart(store):
    answers = AnswerStore(store)
    begun = Answer(fingerprint="f", at=5)
    answers.put("k", begun)
    assert answers.find("k", 6) == begun
    done = Answer(fingerprint="f", status=201, media="application/json", body=b"{}", at=5)
    answers.put("k", done)
    assert (answers.find("k", 6), answers.find("other", 6)) == (done, None)
    assert answers.find("k", 5 + KEEP_NS) is None
    answers.put("later", Answer(fingerprint="g", at=5 + KEEP_NS))
    assert answers.find("k", 6) is None, "it was pruned"
    answers.forget("later")
    assert answers.find("later", 5 + KEEP_NS) is None


def test_one_caller_has_no_answer_to_another_forgotten(store, monkeypatch):
    kept, durable = Answers(), AnswerStore(store)
    monkeypatch.setattr(remembered, "MOST_ANSWERS", 20)
    monkeypatch.setattr(answers_module, "MOST", 20)
    quiet = [name_of("quiet", str(n)) for n in range(3)]
    noisy = [name_of("noisy", str(n)) for n in range(50)]
    for at, name in enumerate(quiet + noisy):
        answer = Answer(fingerprint="f", status=200, media="text/plain", body=b"b", at=at)
        kept.put(name, answer)
        durable.put(name, answer)
    for asked in (kept, durable):
        assert quiet == [name for name in quiet if asked.find(name, 60)]
        mine = [name for name in noisy if asked.find(name, 60)]
        assert noisy[-len(mine) :] == mine
        assert 17 <= len(mine) <= 19, "now and then the oldest go"
    assert 20 == len(kept)


def test_one_callers_large_answers_make_room_for_each_other_first(monkeypatch):
    monkeypatch.setattr(remembered, "MOST_BYTES", 100)
    kept, quiet = Answers(), name_of("quiet", "k")
    kept.put(quiet, Answer(fingerprint="f", status=200, body=b"q" * 30, at=0))
    for n in range(9):
        kept.put(name_of("noisy", str(n)), Answer(fingerprint="f", status=200, body=b"n" * 40, at=1))
    assert kept.find(quiet, 2) is not None
    assert [8] == [n for n in range(9) if kept.find(name_of("noisy", str(n)), 2)]


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.binary(max_size=9), st.booleans()), max_size=40))
def test_answers_in_memory_are_bounded_and_the_newest_stay(puts):
    kept = Answers()
    with pytest.MonkeyPatch.context() as bounds:
        bounds.setattr(remembered, "MOST_ANSWERS", 3)
        bounds.setattr(remembered, "MOST_BYTES", 16)
        for name, body, done in puts:
            kept.put(name, Answer(fingerprint="f", status=200 if done else 0, body=body, at=0))
            assert kept.find(name, 0) is not None
    waiting = {name for name, _, _ in puts if (found := kept.find(name, 0)) and not found.status}
    assert len(kept) <= max(3, len(waiting) + 1)


@pytest.mark.parametrize(
    ("header", "key"),
    [('"abc"', "abc"), ("abc", "abc"), ("", None), ('""', None), ('"a', None), ("a b", None), ("é", None)],
)
def test_a_key_of_idempotency_is_a_string_in_quotes_or_bare(header, key):
    assert key_of(header) == key


def test_no_key_fills_the_disk_with_answers(tmp_path, monkeypatch):
    monkeypatch.setattr(answers_module, "MOST", 20)
    store = DeploymentStore(f"sqlite:///{tmp_path}/stratd.db")
    store.open()
    try:
        answers = AnswerStore(store)
        for at in range(1, 101):
            done = Answer(fingerprint="f", status=201, media="application/json", body=b"{}", at=at)
            answers.put(name_of("one", f"{at}"), done)
        kept = [at for at in range(1, 101) if answers.find(name_of("one", f"{at}"), 100) is not None]
        assert kept[-20:] == [*range(81, 101)]
        assert len(kept) <= 20 + 20 // 10
        answers.put("large", Answer(fingerprint="f", status=201, media="a/b", body=bytes(2**20), at=101))
        large = answers.find("large", 101)
        assert (large.status, large.media, large.body) == (201, "", b"")
    finally:
        store.close()
