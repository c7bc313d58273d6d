"""The remote risk service: what its answers mean, how long they count, and that it fails closed."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from supervisor import clearance
from supervisor.clearance import Answer, Clearing, Known, read, said
from supervisor.engine.trading import Trading
from tests.waiting import turn, until

KEY = "the key of all services"


@pytest.mark.parametrize(
    ("status", "body", "answer"),
    [
        (200, b'{"clear": true}', Answer(clear=True)),
        (200, b'{"clear": false, "reason": "too much", "more": 1}', Answer(clear=False, reason="too much")),
        (200, b'{"clear": "yes"}', None),
        (200, b"true", None),
        (200, b"", None),
        (200, b'{"clear": true}' + b" " * 4096, None),
        (204, b'{"clear": true}', None),
        (302, b'{"clear": true}', None),
        (500, b'{"clear": true}', None),
    ],
)
def test_only_a_clear_answer_is_one(status, body, answer):
    assert answer == read(status, body)


@given(st.integers(100, 599), st.binary())
def test_no_answer_whatever_is_an_error(status, body):
    assert read(status, body) is None or status == 200


def test_an_answer_counts_for_its_life_and_no_longer():
    yes, no = Known(Answer(clear=True), 10.0), Known(Answer(clear=False), 10.0)
    assert ["clear", "denied", "unreachable"] == [said(yes, 9.9), said(no, 9.9), said(None, 0.0)]
    assert ["unreachable", "unreachable"] == [said(yes, 10.0), said(no, 10.0)]


class Service:
    """A risk service over a real socket. ``says`` holds its answer by account."""

    def __init__(self) -> None:
        self.says: dict[str, tuple[int, object]] = {}
        self.heads: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.heads.append(head)
        status, answer = self.says.get(head.split(" ")[1].split("/")[2], (404, {}))
        text = json.dumps(answer).encode()
        writer.write(
            f"HTTP/1.1 {status} X\r\nContent-Length: {len(text)}\r\nConnection: close\r\n\r\n".encode()
        )
        writer.write(text)
        writer.close()


class Heard:
    """What an engine and the event log heard."""

    def __init__(self) -> None:
        self.told: list[dict[str, str]] = []
        self.noted: list[tuple[str, str]] = []

    def tell(self, order: clearance.Clearances) -> None:
        self.told.append(order.accounts)

    def note(self, kind: str, detail: str) -> None:
        self.noted.append((kind, detail))


def settings(url: str):
    live = {"fund": SimpleNamespace(live=True), "play": SimpleNamespace(live=False)}
    services = SimpleNamespace(risk_management_url=SecretStr(url), api_key=SecretStr(KEY))
    return SimpleNamespace(services=services, accounts=live, live=SimpleNamespace(enabled=True))


def live(
    scenario: Callable[[Service, Heard, dict[str, str], Clearing], Awaitable[None]],
) -> tuple[Service, Heard]:
    service, heard, problems = Service(), Heard(), {}

    async def run() -> None:
        server = await asyncio.start_server(service.serve, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        clearing = Clearing(lambda: settings(url), heard, heard, problems)
        clearing.start()
        try:
            await asyncio.wait_for(scenario(service, heard, problems, clearing), 60)
        finally:
            await clearing.stop()
            server.close()
            await server.wait_closed()

    asyncio.run(run())
    return service, heard


class Silent:
    """A service that takes a question, and goes on answering byte by byte without an end."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(b"X-More: 1\r\n" if self.begun else b"HTTP/1.1 200 OK\r\n")
                self.begun = True
                await writer.drain()
                await turn()

    begun = False


@pytest.mark.system
def test_an_answer_without_an_end_takes_no_longer_than_a_question_may(monkeypatch):
    asked: list[float] = []
    real = asyncio.timeout
    monkeypatch.setattr(clearance.asyncio, "timeout", lambda delay: asked.append(delay) or real(delay / 100))

    async def run() -> None:
        server = await asyncio.start_server(Silent().serve, "127.0.0.1", 0)
        heard = Heard()
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        clearing = Clearing(lambda: settings(url), heard, heard, {})
        clearing.start()
        try:
            await until(lambda: told(heard), what="the engine is told")
        finally:
            await clearing.stop()
            server.close()

    async def told(heard: Heard) -> bool:
        return heard.told == [{"fund": "unreachable"}]

    asyncio.run(run())
    # What is told at the end of a round counts until after the end of the next.
    assert clearance.EVERY + asked[0] < clearance.LASTS


@pytest.mark.system
def test_a_live_account_is_asked_for_with_the_key_and_the_engine_is_told_each_change(monkeypatch):
    monkeypatch.setattr(clearance, "EVERY", 0.01)
    monkeypatch.setattr(clearance, "LIFE", 1.0)

    async def scenario(service: Service, heard: Heard, problems: dict[str, str], clearing: Clearing) -> None:
        async def last(word: str) -> bool:
            return bool(heard.told) and heard.told[-1] == {"fund": word}

        await until(lambda: last("unreachable"), what="the word that it is not to be reached")
        assert "has not answered for fund" in problems["clearance"]
        service.says["fund"] = 200, {"clear": True}
        await until(lambda: last("clear"), what="clearance")
        assert {} == problems
        service.says["fund"] = 200, {"clear": False, "reason": "beyond\nits limit"}
        await until(lambda: last("denied"), what="denial")
        before = len(heard.told)
        clearing.tell()
        assert before + 1 == len(heard.told), "an engine that is new is told, though nothing changed"
        service.says["fund"] = 500, {}
        await until(lambda: last("unreachable"), what="the end of what the last answer counts")

    service, heard = live(scenario)
    kinds = [f"clearance_{word}" for word in ("unreachable", "clear", "denied", "unreachable")]
    assert kinds == [kind for kind, _ in heard.noted]
    assert "account fund: beyond its limit" == heard.noted[2][1]
    assert {"GET /accounts/fund/clearance HTTP/1.1"} == {head.splitlines()[0] for head in service.heads}
    assert all(f"authorization: bearer {KEY}\r\n" in head.lower() for head in service.heads)


def test_the_engine_goes_by_it_for_as_long_as_it_counts_and_then_fails_closed(tmp_path):
    engine = Mock()
    trading = Trading(engine, tmp_path / "trading")
    trading.look(10**18)
    trading.clear(clearance.Clearances({"fund": "clear"}, 6.0), 1_000_000_000)
    trading.look(6_999_999_999)
    assert [{"fund": "clear"}] == [call.args[0] for call in engine.core.clear.call_args_list]
    trading.look(7_000_000_000)
    trading.look(8_000_000_000)
    assert [{"fund": "clear"}, {}] == [call.args[0] for call in engine.core.clear.call_args_list]
    assert ["clearance_lapsed"] == [call.args[0] for call in engine.event.call_args_list]


def test_without_a_service_nothing_is_asked_and_nobody_told():
    async def run() -> Heard:
        heard = Heard()
        without = settings("x")
        without.services.risk_management_url = None
        clearing = Clearing(lambda: without, heard, heard, {})
        clearing.start()
        clearing.tell()
        await clearing.stop()
        return heard

    assert [] == asyncio.run(run()).told
