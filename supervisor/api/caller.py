"""Who asks, and what that one may: decided where a connection or a key is known, asked for by each route.

A caller on the Unix socket is who the kernel says; one on TCP is whose key it shows. Each route names the
scope that it needs (``needs``); an account that a key is bound to is all that it sees and moves.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Final, Literal, TypeAlias

from fastapi import Depends
from fastapi.params import Depends as Needed
from msgspec import Struct
from starlette.requests import HTTPConnection

from supervisor.errors import Refused, Unauthenticated

Scope: TypeAlias = Literal["read", "trade", "code", "admin"]
SCOPES: Final[tuple[Scope, ...]] = ("read", "trade", "code", "admin")
"""``read`` sees, ``trade`` moves deployments and accounts, ``code`` registers strategies, ``admin`` the rest.

None contains another: who may register code need not be able to trade, nor the other way round.
"""


class Caller(Struct, frozen=True, kw_only=True):
    """Who asks: ``name`` for records, ``account`` "" for one that is bound to none.

    ``key``: the id of the key that was shown, "" for a peer of the Unix socket.
    ``webhook``: the deployment that a webhook's token is for, which may hand alerts to it and nothing else.
    ``owner``: root or the daemon's own user, by the kernel's word, who alone may answer for code.
    """

    name: str
    scopes: frozenset[Scope] = frozenset()
    account: str = ""
    owner: bool = False
    key: str = ""
    webhook: str = ""


NOBODY: Final = Caller(name="nobody")
asking: ContextVar[Caller] = ContextVar("asking", default=NOBODY)
"""Who asks, in whatever is done for a request (``door.py`` sets it; ``bound.py`` goes by it)."""


def peer(name: str, *, owner: bool) -> Caller:
    """Return the caller that a peer of the Unix socket is: whoever was let in there may everything."""
    return Caller(name=name, scopes=frozenset(SCOPES), owner=owner)


def caller(connection: HTTPConnection) -> Caller:
    """Return who asks, as the listener's doorman noted it: a dependency of routes."""
    state = connection.scope.get("state", {})
    found = state.get("caller", NOBODY)
    return found if isinstance(found, Caller) else NOBODY


def needs(scope: Scope) -> Needed:
    """Return the dependency by which a route is refused to who lacks ``scope``."""

    def check(connection: HTTPConnection) -> None:
        require(caller(connection), scope)

    return _depends(check)


def require(who: Caller, scope: Scope) -> None:
    """Raise ``Unauthenticated`` or ``Refused`` unless ``who`` has ``scope``."""
    if who == NOBODY:
        raise Unauthenticated("a key is needed: send it as X-API-Key (`stratd keys create` makes one)")
    if scope not in who.scopes:
        raise Refused("scope", f"{who.name} may not {MEANING[scope]}: that needs the scope {scope!r}")


def _depends(check: Callable[[HTTPConnection], None]) -> Needed:
    depends: Needed = Depends(check)
    return depends


MEANING: Final[dict[Scope, str]] = {
    "read": "look",
    "trade": "start, stop or trade",
    "code": "register code",
    "admin": "administer the daemon",
}
