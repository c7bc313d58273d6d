"""The copy in Redis, and the only module that imports redis. Valkey speaks the same and serves as well.

Keys, all under one prefix (``stratd:``), written together in one MULTI so that a reader sees no half::

    stratd:mark          hash    format; identity, seq, settled, at: what this is a copy of, how far it goes
    stratd:deployments   hash    id -> JSON: the deployment, what is wanted, state, generation
    stratd:positions     hash    id -> JSON: list of holdings
    stratd:orders        hash    id -> JSON: list of the orders that wait
    stratd:tallies       hash    id -> JSON: verdicts over its life
    stratd:checkpoints   hash    id -> MessagePack [state, state_version, epoch, position, ...]
    stratd:signals       stream  entry id SEQ-0, field "signal": MessagePack map of the accepted signal,
                                 field "record": the journal's own, for a recovery and nobody else

supervisor/mirror_rows.py writes and reads the rows.
"""

from __future__ import annotations

from typing import Any

import msgspec
from redis import asyncio as redis
from redis.exceptions import RedisError

from supervisor.mirror import Batch, Mark, MirrorError
from supervisor.mirror_rows import HASHES, Contents

PREFIX = "stratd:"
FORMAT = 1
"""Of the copy, said in its mark and read before anything else; one that does not say has format 1."""
KEEP_SIGNALS = 100_000
"""Signals kept in the stream, about: the journal has them all."""
KEEP_SUPERSEDED = 30 * 86_400
"""Seconds that a copy is kept, under ``stratd:superseded:``, when another takes its place."""
PAGE = 1000
"""Entries of the stream read at once."""
NUMBERS = 2**62
"""Beyond any number of a journal, and any time: SQLite holds 63 bits."""
TIMEOUT = 5.0
"""Seconds for one command or to connect: a paused server counts as one that is down."""


class RedisMirror:
    """A connection to the copy. Every failure is a ``MirrorError``; nothing here tries twice."""

    def __init__(self, url: str, password: str | None = None, *, timeout: float = TIMEOUT) -> None:
        options: dict[str, Any] = {"socket_timeout": timeout, "decode_responses": False}
        if not url.startswith("unix:"):
            options["socket_connect_timeout"] = timeout
        if password is not None:
            options["password"] = password
        self._redis: redis.Redis = redis.Redis.from_url(url, **options)

    async def mark(self) -> Mark | None:
        """Return what the copy there is of, None if there is none (or none that can be read).

        A copy of a later format is a ``MirrorError``: it is neither read nor written to.
        """
        try:
            found: dict[Any, Any] = await self._redis.hgetall(f"{PREFIX}mark")
        except (RedisError, OSError, TimeoutError) as error:
            raise _translated(error) from None
        _refuse_newer(found.get(b"format", b"1"))
        try:
            mark = Mark(
                identity=found[b"identity"].decode(),
                seq=int(found[b"seq"]),
                settled=int(found.get(b"settled", 0)),
                at=int(found.get(b"at", 0)),
            )
        except (KeyError, ValueError):
            return None
        return mark if 0 <= mark.seq < NUMBERS and 0 <= mark.at < NUMBERS else None

    async def write(self, batch: Batch) -> None:
        """Write all of a batch or nothing."""
        try:
            newest = 0 if batch.reset else await self._newest_signal()
            superseded = await self._present() if batch.reset else []
            async with self._redis.pipeline(transaction=True) as pipe:
                for name in superseded:
                    old = f"{PREFIX}superseded:{batch.mark.at}:{name}"
                    pipe.rename(f"{PREFIX}{name}", old)
                    pipe.expire(old, KEEP_SUPERSEDED)
                for name in batch.replaced:
                    pipe.delete(f"{PREFIX}{name}")
                for name, rows in batch.hashes.items():
                    if gone := [key for key, row in rows.items() if row is None]:
                        pipe.hdel(f"{PREFIX}{name}", *gone)
                    if kept := {key: row for key, row in rows.items() if row is not None}:
                        pipe.hset(f"{PREFIX}{name}", mapping=kept)  # type: ignore[arg-type]
                for entry in batch.signals:
                    if entry.seq > newest:  # one that is there came with a batch whose answer was lost
                        pipe.xadd(
                            f"{PREFIX}signals",
                            {"signal": entry.signal, "record": entry.record},
                            id=f"{entry.seq}-0",
                            maxlen=KEEP_SIGNALS,
                            approximate=True,
                        )
                mark: dict[Any, Any] = {**msgspec.structs.asdict(batch.mark), "format": FORMAT}
                pipe.hset(f"{PREFIX}mark", mapping=mark)
                await pipe.execute()
        except (RedisError, OSError, TimeoutError) as error:
            raise _translated(error) from None

    async def _present(self) -> list[str]:
        names = (*HASHES, "signals", "mark")
        return [name for name in names if await self._redis.exists(f"{PREFIX}{name}")]

    async def _newest_signal(self) -> int:
        entries: Any = await self._redis.xrevrange(f"{PREFIX}signals", count=1)
        return _number(entries[0][0]) if entries else 0

    async def contents(self) -> Contents:
        """Return everything in the copy, undecoded. Nobody may be writing to it."""
        try:
            hashes: dict[str, dict[Any, Any]] = {
                name: await self._redis.hgetall(f"{PREFIX}{name}") for name in HASHES
            }
            records: list[tuple[int, bytes]] = []
            start = "-"
            while page := await self._page(start):
                records += [(_number(entry_id), fields.get(b"record", b"")) for entry_id, fields in page]
                start = f"({page[-1][0].decode()}"
        except (RedisError, OSError, TimeoutError) as error:
            raise _translated(error) from None
        return Contents(
            hashes={
                name: {key.decode(errors="replace"): row for key, row in rows.items()}
                for name, rows in hashes.items()
            },
            records=records,
        )

    async def _page(self, start: str) -> list[tuple[bytes, dict[bytes, bytes]]]:
        page: Any = await self._redis.xrange(f"{PREFIX}signals", min=start, count=PAGE)
        return list(page)

    async def close(self) -> None:
        """Close the connection."""
        try:
            await self._redis.aclose()
        except (RedisError, OSError, TimeoutError) as error:
            raise _translated(error) from None


def _refuse_newer(said: bytes) -> None:
    if not said.isdigit() or int(said) > FORMAT:
        raise MirrorError(
            f"the copy there has format {said.decode(errors='replace')}, this stratd knows up to {FORMAT}: "
            "start the version that wrote it, or point REDIS_URL at a database of its own"
        )


def _number(entry_id: bytes) -> int:
    return int(entry_id.partition(b"-")[0])


def _translated(error: BaseException) -> MirrorError:
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return MirrorError(f"Redis: {text}")
