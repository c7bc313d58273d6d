"""The remote risk service: whether an account may enter live trades now, asked beside the path of signals.

Rules of this file. The gate never waits for it: what was said last is told to the engine, which judges by it.
An answer counts for ``LIFE`` seconds; where none comes in time the account is ``unreachable``, and the gate
lets no live entry through (fail closed). Exits always pass. Accounts without live trading are not asked for.

The service (``RISK_MANAGEMENT_URL``) answers ``GET {url}/accounts/NAME/clearance`` with the bearer key
``SERVICE_API_KEY``: 200 and ``{"clear": true}``, or ``{"clear": false, "reason": "..."}``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import quote

import msgspec
from msgspec import Struct

from supervisor.events import EventLog
from supervisor.tasks import end_task
from supervisor.trading_control import Clearances, Said

if TYPE_CHECKING:
    import httpx2

    from supervisor.config import Settings

EVERY: Final = 2.0
"""Seconds between two questions about an account."""
TIMEOUT: Final = 2.0
"""Seconds that one question may take, all in all: the engine is told once those of a round are answered, and
one account of which nothing comes must not have the word on the others lapse (``LASTS``)."""
LIFE: Final = 10.0
"""Seconds for which an answer counts: a service may miss a question or two, and be restarted."""
LASTS: Final = 3 * EVERY
"""Seconds for which the engine goes by what it was told; it is told again at each round."""
LARGEST: Final = 4096
REASON: Final = 300


class Answer(Struct, frozen=True):
    """What the service says of one account."""

    clear: bool
    reason: str = ""


class Known(Struct, frozen=True):
    """What is known of one account: the last answer, and until when (seconds, any clock) it counts."""

    answer: Answer
    until: float


_decode = msgspec.json.Decoder(Answer).decode


def read(status: int, body: bytes) -> Answer | None:
    """Return what an answer says; None for one that says nothing. Pure."""
    if status != 200 or len(body) > LARGEST:
        return None
    try:
        return _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def said(known: Known | None, now: float) -> Said:
    """Return what the gate is to go by. Pure."""
    if known is None or now >= known.until:
        return "unreachable"
    return "clear" if known.answer.clear else "denied"


class Tells(Protocol):
    """The engine, as far as it is told."""

    def tell(self, order: Clearances) -> None:
        """Send one order."""
        ...


class Clearing:
    """Asks, and tells the engine. ``problems`` are the daemon's."""

    def __init__(
        self, settings: Callable[[], Settings], engine: Tells, events: EventLog, problems: dict[str, str]
    ) -> None:
        self._settings = settings
        self._engine = engine
        self._events = events
        self._problems = problems
        self._known: dict[str, Known] = {}
        self._told: dict[str, Said] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Ask from now on, if there is whom to ask."""
        if self._settings().services.risk_management_url is not None:
            self._task = asyncio.create_task(self._run(), name="clearance")

    async def stop(self) -> None:
        """Ask no more."""
        await end_task(self._task)

    def tell(self) -> None:
        """Tell an engine that is new what is known."""
        if self._told:
            self._engine.tell(Clearances(dict(self._told), LASTS))

    async def _run(self) -> None:
        # Here, for who has no such service does without an HTTP client: 16 MiB.
        from supervisor.outbound import open_client  # noqa: PLC0415

        services = self._settings().services
        url, key = services.risk_management_url, services.api_key
        assert url is not None  # noqa: S101  (start)
        secret = key.get_secret_value() if key else ""
        async with open_client(url.get_secret_value(), secret, timeout=TIMEOUT) as one:
            while True:
                async with asyncio.TaskGroup() as asking:
                    for name in self._live():
                        asking.create_task(self._ask(one, name))
                self._look(asyncio.get_running_loop().time())
                await asyncio.sleep(EVERY)

    def _live(self) -> list[str]:
        settings = self._settings()
        return [name for name, account in settings.accounts.items() if settings.live.enabled and account.live]

    async def _ask(self, client: httpx2.AsyncClient, name: str) -> None:
        """Wall: whatever goes wrong with a question is no answer, and that is told by its age."""
        try:
            async with asyncio.timeout(TIMEOUT):
                async with client.stream("GET", f"accounts/{quote(name, safe='')}/clearance") as response:
                    body = b""
                    async for part in response.aiter_bytes():
                        body += part
                        if len(body) > LARGEST:
                            break
        except Exception:  # noqa: BLE001  (its text may hold the URL; what matters is that nothing came)
            return
        answer = read(response.status_code, body)
        if answer is not None:
            self._known[name] = Known(answer, asyncio.get_running_loop().time() + LIFE)

    def _look(self, now: float) -> None:
        """Tell the engine, and people what has changed."""
        saying = {name: said(self._known.get(name), now) for name in self._live()}
        for name, word in saying.items():
            if word != self._told.get(name):
                self._note(name, word)
        self._told = saying
        self.tell()
        mute = [name for name, word in saying.items() if word == "unreachable"]
        self._problems.pop("clearance", None)
        if mute:
            self._problems["clearance"] = (
                f"the risk service has not answered for {', '.join(mute)}: no live entries are let through"
            )

    def _note(self, name: str, word: Said) -> None:
        known = self._known.get(name)
        why = f": {' '.join(known.answer.reason.split())[:REASON]}" if known and word == "denied" else ""
        self._events.note(f"clearance_{word}", f"account {name}{why}")
