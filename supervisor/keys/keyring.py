"""Who has shown which key: records in memory, checked without a database and seldom with scrypt.

Rules of this file. The records in memory are what counts, so a revoked key is refused by the next request.
A key that was verified once is remembered as an HMAC under a key that this process made for itself: the
second time costs microseconds, and a copy of the memory gives no key away. scrypt runs on one thread of its
own, never on the loop, and few wait for it: whoever floods it with wrong keys delays other new keys, never
those that are known.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Protocol, TypeVar

from msgspec import structs

from supervisor.errors import Failed, NotFound, Refused, Unauthenticated, near_matches
from supervisor.keys import hashing, text
from supervisor.keys.record import KeyRecord, day_of
from supervisor.store.deployments import StoreError

BOOTSTRAP: Final = "API_KEY"
"""The id and the name by which the key of the settings is known in records."""
MOST_KEYS: Final = 1000
MOST_CHECKS: Final = 16
"""New keys that may wait for scrypt at once; with more, the next is told to come again."""
USED_EVERY: Final = 60 * 10**9
"""How seldom "last used" is written, in ns."""
WRONG: Final = "the key is wrong or was revoked (`stratd keys list` shows those there are)"

T = TypeVar("T")
InDatabase = Callable[[Callable[[], T]], Awaitable[T]]
Note = Callable[[str, str], None]


class Shelf(Protocol):
    """Where keys are kept (supervisor/store/keys.py). It blocks; raises ``StoreError``."""

    def load(self) -> list[KeyRecord]:
        """Return every key."""
        ...

    def add(self, record: KeyRecord) -> None:
        """Keep a new one."""
        ...

    def remove(self, key_id: str) -> None:
        """Forget one."""
        ...

    def used(self, key_id: str, at: int) -> None:
        """Note when one was used last."""
        ...


class Keyring:
    """Every key. ``start`` loads them; ``close`` ends its thread."""

    def __init__(
        self,
        shelf: Shelf,
        in_database: Callable[[Callable[[], Any]], Awaitable[Any]],
        *,
        bootstrap: str = "",
        note: Note = lambda _kind, _detail: None,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self.refused: Counter[str] = Counter()
        """How many keys were refused, by why: unknown, wrong, expired, busy."""
        self.checks = 0
        """How often scrypt ran."""
        self._shelf = shelf
        self._in_database = in_database
        self._note = note
        self._clock = clock
        self._secret = secrets.token_bytes(32)
        self._bootstrap = b""
        self.set_first(bootstrap)
        self._records: dict[str, KeyRecord] = {}
        self._remembered: dict[str, bytes] = {}
        self._written: dict[str, int] = {}
        self._thread = ThreadPoolExecutor(1, "keys")
        self._checking = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Read what is kept. Raises ``Failed``."""
        try:
            found = await self._in_database(self._shelf.load)
        except StoreError as error:
            raise Failed(f"the keys cannot be read: {error}") from None
        self._records = {record.id: record for record in found}

    async def close(self) -> None:
        """Write what is still to be written of last uses, and end the thread."""
        if self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        self._thread.shutdown(wait=False, cancel_futures=True)

    # ---- what there is --------------------------------------------------------------------------
    def records(self) -> list[KeyRecord]:
        """Return every key, the oldest first; the bootstrap key is none of them."""
        return sorted(self._records.values(), key=lambda record: (record.created_at, record.id))

    async def create(
        self, *, name: str, scopes: Iterable[str], account: str, expires_at: int | None, by: str
    ) -> tuple[KeyRecord, str]:
        """Make a key and return it with its text, which is nowhere else. Raises ``Refused``, ``Failed``."""
        if len(self._records) >= MOST_KEYS:
            raise Refused("max_keys", f"there are {MOST_KEYS} keys already; revoke some")
        made = text.make(secrets.token_bytes(text.RANDOM_BYTES))
        salt = secrets.token_bytes(hashing.SALT_BYTES)
        record = KeyRecord(
            id=made.id,
            name=name,
            scopes=sorted(scopes),
            account=account,
            digest=await self._on_thread(lambda: hashing.digest(made.secret, salt)),
            created_at=self._clock(),
            created_by=by,
            expires_at=expires_at,
        )
        try:
            await self._in_database(lambda: self._shelf.add(record))
        except StoreError as error:
            raise Failed(f"the key cannot be kept: {error}") from None
        self._records[record.id] = record
        self._note("key_created", f"{record.id} ({name or 'no name'}) by {by}: {', '.join(record.scopes)}")
        return record, str(made)

    async def revoke(self, key_id: str, *, by: str) -> KeyRecord:
        """Take a key back: from the next request on it is wrong. Raises ``NotFound``, ``Failed``."""
        record = self._records.pop(key_id, None)
        if record is None:
            raise NotFound("key", key_id, near_matches(key_id, self._records))
        self._remembered.pop(key_id, None)
        self._note("key_revoked", f"{record.id} ({record.name or 'no name'}) by {by}")
        try:
            await self._in_database(lambda: self._shelf.remove(key_id))
        except StoreError as error:
            self._records[key_id] = structs.replace(record, expires_at=0)  # wrong at once, and still listed
            raise Failed(
                f"{key_id} is refused from now on, but a restart brings it back: {error}; revoke it again"
            ) from None
        return record

    def set_first(self, key: str) -> None:
        """Have ``key`` be that of the settings from the next request on, and no other; "" for none."""
        self._bootstrap = self._mac(key) if key else b""

    # ---- who shows what -------------------------------------------------------------------------
    def known(self, shown: str) -> KeyRecord | None:
        """Return whose key ``shown`` is if it was verified before and is good still; costs microseconds."""
        mac = self._mac(shown)
        if self._bootstrap and hmac.compare_digest(mac, self._bootstrap):
            return _bootstrap_record()
        parts = text.parse(shown)
        record = self._records.get(parts.id) if parts else None
        if record is None or not hmac.compare_digest(mac, self._remembered.get(record.id, b"")):
            return None
        return None if record.expired(self._clock()) else self._use(record)

    async def verify(self, shown: str) -> KeyRecord:
        """Return whose key ``shown`` is; raises ``Unauthenticated``. An unknown id takes as long."""
        if record := self.known(shown):
            return record
        parts = text.parse(shown)
        if parts is None:
            self.refused["unknown"] += 1
            raise Unauthenticated(WRONG)
        record = self._records.get(parts.id)
        stored = record.digest if record else hashing.NOBODYS
        right = await self._on_thread(lambda: hashing.verify(parts.secret, stored))
        # Looked up again: it may have been revoked while scrypt ran.
        record = self._records.get(parts.id)
        if not right or record is None:
            self.refused["wrong" if record else "unknown"] += 1
            raise Unauthenticated(WRONG)
        if record.expired(self._clock()):
            self.refused["expired"] += 1
            raise Unauthenticated(f"the key {record.id} has expired ({day_of(record.expires_at or 0)})")
        self._remembered[record.id] = self._mac(shown)
        return self._use(record)

    async def _on_thread(self, work: Callable[[], T]) -> T:
        if self._checking >= MOST_CHECKS:
            self.refused["busy"] += 1
            raise Failed("too many new keys are being checked; ask again in a second")
        self._checking += 1
        self.checks += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        finally:
            self._checking -= 1

    def _use(self, record: KeyRecord) -> KeyRecord:
        now = self._clock()
        if now - self._written.get(record.id, 0) >= USED_EVERY:
            self._written[record.id] = now
            self._records[record.id] = record = structs.replace(record, used_at=now)
            task = asyncio.get_running_loop().create_task(self._write_use(record.id, now))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return record

    async def _write_use(self, key_id: str, at: int) -> None:
        try:
            await self._in_database(lambda: self._shelf.used(key_id, at))
        except StoreError:
            self._written.pop(key_id, None)  # the next use writes it

    def _mac(self, shown: str) -> bytes:
        return hmac.digest(self._secret, shown.encode(), hashlib.sha256)


def _bootstrap_record() -> KeyRecord:
    return KeyRecord(
        id=BOOTSTRAP, name=BOOTSTRAP, scopes=["admin", "code", "read", "trade"], digest="", created_at=0
    )
