"""Limits of accounts, tightened by an operator at once and until they are taken back.

Rules of this file. A limit is durable before the engine is told, and it is told before whoever asked is
answered. A file that cannot be read ends the start: to go on without it would be to loosen what somebody
tightened, and nobody would know.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import msgspec
from msgspec.structs import replace

from strategies.trading.accounts import AccountTerms
from supervisor import tightening
from supervisor.errors import Failed, Refused
from supervisor.events import EventLog
from supervisor.store import tightened_file
from supervisor.tightening import Book
from supervisor.trading_control import TradingSpec


class AccountLimits:
    """What was tightened, by account. ``tell`` tells the engine of the limits as they are then."""

    def __init__(self, state_dir: Path, events: EventLog, tell: Callable[[], Awaitable[None]]) -> None:
        self._file = state_dir / tightened_file.NAME
        self._events = events
        self._tell = tell
        self._books: tightened_file.Books = {}
        self._one = asyncio.Lock()

    def load(self) -> None:
        """Read the file; blocks. Raises ``Failed``."""
        try:
            self._books = tightened_file.read(self._file)
        except (OSError, msgspec.DecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise Failed(
                f"{self._file}: limits that were tightened cannot be read ({why}): mend it, or remove it to "
                "go by the configuration alone"
            ) from None

    def of(self, account: str) -> Book:
        """Return what was tightened of one account."""
        return self._books.get(account, {})

    def applied(self, spec: TradingSpec) -> TradingSpec:
        """Return what the engine is to be told where the configuration says ``spec``."""
        accounts = dict(spec.accounts)
        for name, book in self._books.items():
            terms = accounts.get(name) or AccountTerms(name=name)
            accounts[name] = replace(terms, risk=tightening.binding(terms.risk, book))
        return replace(spec, accounts=accounts)

    async def change(
        self,
        account: str,
        configured: Mapping[str, object],
        wanted: Mapping[str, float | None],
        *,
        whole: bool,
        may_loosen: bool,
        by: str,
        reason: str,
    ) -> None:
        """Tighten, or take back; ``may_loosen`` whether the latter is allowed. Nothing new does nothing.

        Raises ``Invalid``, ``Refused`` (``limit_looser``, ``scope``), ``Failed`` if it cannot be kept.
        """
        tightening.check(account, configured, wanted)
        async with self._one:
            before = self.of(account)
            after = tightening.changed(before, wanted, whole=whole, by=by, at=time.time_ns(), reason=reason)
            if (names := tightening.loosened(before, after)) and not may_loosen:
                raise Refused(
                    "scope", f"{by} may tighten limits; to loosen {', '.join(names)} needs the scope 'admin'"
                )
            if not (line := tightening.told(before, after)):
                return
            books = {name: book for name, book in self._books.items() if name != account}
            if after:
                books[account] = after
            try:
                await asyncio.to_thread(tightened_file.write, self._file, books)
            except OSError as error:
                raise Failed(f"nothing was changed: {self._file}: {error.strerror}") from None
            self._books = books
            why = f": {reason}" if reason else ""
            self._events.note("limits_changed", f"account {account}: {line} (by {by}{why})")
            await self._tell()
