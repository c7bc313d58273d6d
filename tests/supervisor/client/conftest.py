"""Both clients behind one face, so that every test of what they do is of both."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from supervisor.client import AsyncClient, Client
from tests.supervisor.fake_daemon import FakeDaemon, Served, make_row

Do = Callable[..., Any]


def waiting(place: object, method: str, *args: Any, **given: Any) -> Any:
    """Call ``method`` of the client that waits; ``options`` are its own."""
    with Client(place, **given.pop("options", {})) as client:
        return getattr(client, method)(*args, **given)


def awaited(place: object, method: str, *args: Any, **given: Any) -> Any:
    """Call ``method`` of the client that is awaited."""

    async def call() -> Any:
        async with AsyncClient(place, **given.pop("options", {})) as client:
            return await getattr(client, method)(*args, **given)

    return asyncio.run(call())


@pytest.fixture(params=[waiting, awaited], ids=["waiting", "awaited"])
def do(request: pytest.FixtureRequest) -> Do:
    """``do(place, "method", ...)``, of one client and then of the other."""
    found: Do = request.param
    return found


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    """One server for all of a module, over a daemon that is made anew for each."""
    with Served(FakeDaemon()) as one:
        yield one


@pytest.fixture
def daemon(server: Served) -> FakeDaemon:
    fake = server.daemon
    fake.renew()
    fake.rows = {"eurusd": make_row("eurusd"), "gold": make_row("gold", "stopped", symbols=["XAUUSD"])}
    return fake


@pytest.fixture
def served(server: Served, daemon: FakeDaemon) -> Served:
    return server
