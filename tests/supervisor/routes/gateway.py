"""A trading gateway that keeps its promises about order ids, and misbehaves on the way as it is told to."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field

REASONS = {
    200: "OK",
    401: "Unauthorized",
    404: "Not Found",
    409: "Conflict",
    422: "No",
    429: "Slow",
    500: "Oh",
}


@dataclass
class Venue:
    """What outlives the gateway: orders by id, and how often each was taken as a new one."""

    orders: dict[str, dict] = field(default_factory=dict)
    states: dict[str, dict] = field(default_factory=dict)
    taken: Counter = field(default_factory=Counter)
    sent: list[str] = field(default_factory=list)
    """Ids of every order that arrived, taken or not."""

    def fill(self, order_id: str, quantity: float, price: float = 100.0, fees: float = 0.0) -> None:
        whole = quantity >= self.orders[order_id]["quantity"]
        status = "filled" if whole else "working"
        self.states[order_id] |= {
            "status": status, "filled": quantity, "average_price": price, "fees": fees,
        }  # fmt: skip


class Gateway:
    """HTTP/1.1, one request a connection. ``behave`` holds what happens to the next requests, by method.

    ``hang``, ``drop``, ``half`` and a status after ``+`` come after the order was taken: ``+500``; a bare
    status comes before. ``refuse`` is a 422 with a reason.
    """

    def __init__(self, venue: Venue | None = None, key: str = "", host: str = "127.0.0.1") -> None:
        self.venue = venue or Venue()
        self.key = key
        self.behave: dict[str, list[str]] = {"POST": [], "GET": [], "DELETE": []}
        self.always: dict[str, str] = {}
        self.retry_after = "0"
        self.asked: Counter = Counter()
        self.heads: list[str] = []
        self.host = host
        self.port = 0
        self._server: asyncio.Server | None = None
        self._never = asyncio.Event()
        self._tasks: set[asyncio.Task] = set()

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}/v1"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.add(asyncio.current_task())
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = next((int(line.split(":")[1]) for line in head.splitlines()
                           if line.lower().startswith("content-length:")), 0)  # fmt: skip
            body = await reader.readexactly(length)
            await self._answer(head, body, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._tasks.discard(asyncio.current_task())
            writer.close()

    async def _answer(self, head: str, body: bytes, writer: asyncio.StreamWriter) -> None:
        method, path, _ = head.splitlines()[0].split(" ")
        self.asked[method] += 1
        self.heads.append(head)
        queue = self.behave[method]
        how = queue.pop(0) if queue else self.always.get(method, "")
        if how.isdigit():
            return self._write(writer, int(how), {"detail": f"said {how}"})
        if how == "refuse":
            return self._write(writer, 422, {"detail": "no margin"})
        if self.key and f"Authorization: Bearer {self.key}".lower() not in head.lower():
            return self._write(writer, 401, {"detail": "who are you?"})
        status, answer = getattr(self, f"_{method.lower()}")(path, body)
        if how == "hang":
            await self._never.wait()
        elif how == "half":
            writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"order_id"')
            await writer.drain()
        elif how.startswith("+"):
            self._write(writer, int(how[1:]), {"detail": "after all"})
        elif how == "garbage":
            self._write(writer, 200, ["?"])
        elif how != "drop":
            self._write(writer, status, answer)
        return None

    def _post(self, _path: str, body: bytes) -> tuple[int, dict]:
        order = json.loads(body)
        order_id, venue = order["order_id"], self.venue
        venue.sent.append(order_id)
        if order_id not in venue.states:
            venue.taken[order_id] += 1
            venue.orders[order_id] = order
            venue.states[order_id] = {"order_id": order_id, "status": "working", "venue_id": f"v-{order_id}"}
        return 200, venue.states[order_id]

    def _get(self, path: str, _body: bytes) -> tuple[int, dict]:
        order_id = path.rpartition("/")[2]
        known = self.venue.states.get(order_id)
        return (404, {"order_id": order_id}) if known is None else (200, known)

    def _delete(self, path: str, _body: bytes) -> tuple[int, dict]:
        order_id = path.rpartition("/")[2]
        known = self.venue.states.get(order_id)
        if known is None:  # barred from now on
            self.venue.states[order_id] = {"order_id": order_id, "status": "cancelled"}
            return 404, {"order_id": order_id}
        if known["status"] == "working":
            known["status"] = "cancelled"
        return 200, known

    def _write(self, writer: asyncio.StreamWriter, status: int, answer: object) -> None:
        text = json.dumps(answer).encode()
        head = f"HTTP/1.1 {status} {REASONS.get(status, '?')}\r\nContent-Length: {len(text)}\r\n"
        retry = f"Retry-After: {self.retry_after}\r\n" if status == 429 else ""
        writer.write(f"{head}{retry}Connection: close\r\n\r\n".encode() + text)
