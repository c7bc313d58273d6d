"""The route over a Redis stream; docs/routing.md has the other side of it. Valkey speaks the same.

Keys, all under ``stratd:route:NAME:``, the route's name::

    orders        stream  what is to be done: ``do`` (send, cancel), ``order_id``, ``order`` (JSON)
    reports       stream  what consumers say of orders: ``order_id``, ``status``, ``filled``, ...
    order:ID      string  JSON: how an order stands; who reads the streams need not touch it
    cancel:ID     string  there once an order's cancellation is in the stream

Rules of this file. A stream takes the same entry twice, so a script looks whether an order is there before it
adds it: sending is idempotent, and asking is reading ``order:ID``. A report is written there before it is
acknowledged, so that one whose daemon dies is read again.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import msgspec
import structlog
from redis import asyncio as redis
from redis.exceptions import RedisError, ResponseError

from supervisor.routes import wire
from supervisor.routes.order import CLOSED, believable
from supervisor.routes.route import Answer, NotTaken, RouteError, RouteUnusable, Sendable, Told, Unreachable
from supervisor.routes.spec import RouteSpec
from supervisor.tasks import end_task

KEEP: Final = 30 * 86_400
"""Seconds for which an order is remembered after somebody last asked for it."""
MOST: Final = 100_000
"""Entries kept in the stream of orders, about."""
PAGE: Final = 100
BLOCK: Final = 1_000
"""Milliseconds for which the reader waits for reports."""
PAUSE: Final = 1.0
"""Seconds before Redis is asked for reports again after it failed."""
GROUP: Final = "stratd"
SEND: Final = """
local known = redis.call('GET', KEYS[1])
if known then return known end
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[3], '*', 'do', 'send', 'order_id', ARGV[4], 'order', ARGV[5])
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return ARGV[1]
"""
CANCEL: Final = """
local known = redis.call('GET', KEYS[1])
if not known then
  redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
  return false
end
if redis.call('EXISTS', KEYS[3]) == 0 then
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[3], '*', 'do', 'cancel', 'order_id', ARGV[4])
  redis.call('SET', KEYS[3], '1', 'EX', ARGV[2])
end
return known
"""
log = structlog.get_logger()


class RedisRoute:
    """Two connections: one asks, the other waits for reports."""

    def __init__(self, spec: RouteSpec) -> None:
        self._spec = spec
        self._prefix = f"stratd:route:{spec.name}:"
        options: dict[str, Any] = {"socket_timeout": spec.timeout + BLOCK / 1000}
        if not spec.url.startswith("unix:"):
            options["socket_connect_timeout"] = spec.timeout
        if spec.key:
            options["password"] = spec.key
        self._redis: redis.Redis = redis.Redis.from_url(spec.url, **options)
        self._reader: asyncio.Task[None] | None = None
        self.unreadable = 0
        """Reports that say nothing that can be."""

    async def start(self, told: Told) -> None:
        """Begin to read reports."""
        self._reader = asyncio.create_task(self._read_reports(told), name=f"reports {self._spec.name}")

    async def send(self, order: Sendable) -> Answer:
        """Add an order to the stream, unless it is there."""
        name = order.order.order_id
        content = msgspec.json.encode(wire.body(order))
        keys = [self._order(name), f"{self._prefix}orders"]
        known = await self._run(SEND, keys, [_state(name, Answer(status="sent")), KEEP, MOST, name, content])
        return self._answer(known, name)

    async def query(self, order_id: str) -> Answer | None:
        """Read how an order stands."""
        known = await self._do(self._redis.getex(self._order(order_id), ex=KEEP))
        return None if known is None else self._answer(known, order_id)

    async def cancel(self, order_id: str) -> Answer | None:
        """Ask for an order to be taken back, once; one that was never sent is barred."""
        keys = [self._order(order_id), f"{self._prefix}orders", f"{self._prefix}cancel:{order_id}"]
        barred = _state(order_id, Answer(status="cancelled", detail="taken back before it was sent"))
        known = await self._run(CANCEL, keys, [barred, KEEP, MOST, order_id])
        return None if known is None else self._answer(known, order_id)

    async def close(self) -> None:
        """Close the connections."""
        await end_task(self._reader)
        await self._redis.aclose()

    def _order(self, order_id: str) -> str:
        return f"{self._prefix}order:{order_id}"

    async def _run(self, script: str, keys: list[str], arguments: list[Any]) -> Any:
        return await self._do(self._redis.eval(script, len(keys), *keys, *arguments))

    async def _do(self, command: Any) -> Any:
        try:
            return await command
        except ResponseError as error:  # read-only, out of memory, not permitted: nothing was written
            raise NotTaken(f"Redis: {wire.plain(str(error))}") from None
        except (RedisError, OSError, TimeoutError) as error:
            raise Unreachable(f"Redis: {type(error).__name__}") from None

    def _answer(self, known: bytes, order_id: str) -> Answer:
        answer = wire.read(known, order_id)
        if answer is None:
            raise Unreachable(f"{self._order(order_id)} cannot be read")
        return answer

    # ---- reports ----------------------------------------------------------------------------------
    async def _read_reports(self, told: Told) -> None:
        stream = f"{self._prefix}reports"
        ready, after = False, "0"  # first what a daemon before this one has read and not acknowledged
        while True:
            try:
                if not ready:
                    await self._group(stream)
                    ready = True
                found: Any = await self._redis.xreadgroup(
                    GROUP, GROUP, {stream: after}, count=PAGE, block=BLOCK if after == ">" else None
                )
                entries = _entries(found)
                for entry_id, fields in entries:
                    await self._take(fields, told)
                    await self._redis.xack(stream, GROUP, entry_id)
                if not entries:
                    after = ">"
            except (RedisError, RouteError, OSError, TimeoutError):
                # Told of by the orders that ask, and by the breaker. A group that is gone is made again.
                ready, after = False, "0"
                await asyncio.sleep(PAUSE)

    async def _group(self, stream: str) -> None:
        try:
            await self._redis.xgroup_create(stream, GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    async def _take(self, fields: dict[bytes, bytes], told: Told) -> None:
        said = read_report(fields)
        if said is None:
            self.unreadable += 1
            log.warning("report unreadable", route=self._spec.name, unreadable=self.unreadable)
            return
        order_id, answer = said
        known = await self.query(order_id)
        if known is None or known.status not in CLOSED:
            await self._do(self._redis.set(self._order(order_id), _state(order_id, answer), ex=KEEP))
        told(order_id, answer)


def read_report(fields: dict[bytes, bytes]) -> tuple[str, Answer] | None:
    """Read an entry of the stream of reports; None for one that says nothing that can be."""
    try:
        texts = {name.decode(): value.decode() for name, value in fields.items()}
        said = msgspec.convert({name: text for name, text in texts.items() if text}, wire.Said, strict=False)
    except (UnicodeDecodeError, msgspec.ValidationError):
        return None
    answer = said.answer()
    return (said.order_id, answer) if believable(answer) else None


def _entries(found: Any) -> list[tuple[bytes, dict[bytes, bytes]]]:
    """Return the entries of the one stream that was asked for, as either protocol gives them."""
    if not found:
        return []
    pages = found.values() if isinstance(found, dict) else [page for _, page in found]
    nested = [page[0] if page and isinstance(page[0], list) else page for page in pages]
    return [(entry[0], entry[1] or {}) for page in nested for entry in page]


def _state(order_id: str, answer: Answer) -> bytes:
    return msgspec.json.encode({"order_id": order_id, **msgspec.structs.asdict(answer)})


def open_route(spec: RouteSpec) -> RedisRoute:
    """Return the route. Raises ``RouteUnusable``."""
    if spec.url.partition("://")[0] not in {"redis", "rediss", "unix"}:
        raise RouteUnusable("url: must be a URL that begins with redis:// or rediss:// or unix://")
    try:
        return RedisRoute(spec)
    except ValueError:  # its text may hold the URL
        raise RouteUnusable("url: Redis' client does not take it") from None
