"""The daemon, as a Python program sees it (docs/client.md).

::

    from supervisor.client import Client

    with Client() as client:
        for row in client.deployments():
            print(row.id, row.state)

``Client`` waits for each answer, ``AsyncClient`` is awaited; both have the same methods, made of the same
descriptions of requests (``calls``), and raise the same errors (``errors``). This is also what the command
line talks through, and a command lives for a tenth of a second: so names are loaded when they are asked for
(PEP 562), models when an answer is decoded, and nobody who waits pays for asyncio.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from supervisor.client.asynchronous import AsyncClient
    from supervisor.client.errors import (
        Answered,
        BrokenOff,
        ClientError,
        Failed,
        Garbled,
        Invalid,
        NotFound,
        OtherVersion,
        Refused,
        Silent,
        Stale,
        Unauthorized,
        Unavailable,
        Unreachable,
        Unsendable,
        Unsupported,
        Untrusted,
    )
    from supervisor.client.messages import Message
    from supervisor.client.synchronous import Client

__all__ = [
    "Answered", "AsyncClient", "BrokenOff", "Client", "ClientError", "Failed", "Garbled", "Invalid",
    "Message", "NotFound", "OtherVersion", "Refused", "Silent", "Stale", "Unauthorized", "Unavailable",
    "Unreachable", "Unsendable", "Unsupported", "Untrusted",
]  # fmt: skip

_ELSEWHERE: Final = {"AsyncClient": "asynchronous", "Client": "synchronous", "Message": "messages"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ELSEWHERE.get(name, 'errors')}"), name)
