"""Other ends for notifications, on real sockets of this host: one for HTTP, one for mail."""

from __future__ import annotations

import asyncio
import json
import ssl
from typing import Any, Self

from supervisor.store.tables import Event
from tests.waiting import turn

AT = 1_763_735_400_000_000_000


def event(seq: int, kind: str = "died", detail: str = "hang: on_tick", deployment: str = "eurusd") -> Event:
    return Event(seq, AT + seq, kind, deployment, 1, detail)


class Sink:
    """A server of one connection handler; ``serve`` is a subclass's. Left, it hangs up on everybody."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.tls = tls
        self.port = 0
        self.came = asyncio.Event()
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await turn()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            await self.serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise NotImplementedError


class HttpSink(Sink):
    """Answers each POST with the next of ``answers``: a status, ``(status, headers, body)``, None: never."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: list[Any] = []
        self.bearer = ""
        """Who does not show it is answered 401."""
        self.posts: list[tuple[str, dict[str, str], Any]] = []
        """(path, headers with small letters, body)."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def told(self) -> list[list[int]]:
        """The numbers of the events of each message, in the order in which they came."""
        return [[one["seq"] for one in body["events"]] for _, _, body in self.posts]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := (await reader.readuntil(b"\r\n\r\n")).decode():
            line, *rest = head.rstrip().split("\r\n")
            headers = {name.lower(): value for name, _, value in (one.partition(": ") for one in rest)}
            body = await reader.readexactly(int(headers["content-length"]))
            self.posts.append((line.split()[1], headers, json.loads(body)))
            headers["raw"] = body.decode()
            answer = self.answers.pop(0) if self.answers else 200
            if self.bearer and headers.get("authorization") != f"Bearer {self.bearer}":
                answer = 401
            self.came.set()
            if answer is None:
                await asyncio.Event().wait()
            status, more, text = answer if isinstance(answer, tuple) else (answer, {}, "ok")
            extra = "".join(f"{name}: {value}\r\n" for name, value in more.items())
            writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(text)}\r\n{extra}\r\n{text}".encode())
            await writer.drain()


class MailSink(Sink):
    """A mail server (RFC 5321) with STARTTLS where it has ``tls``. ``refuse``: what it says to a command."""

    def __init__(self, tls: ssl.SSLContext | None = None, *, refuse: dict[str, str] | None = None) -> None:
        super().__init__(tls)
        self.refuse = refuse or {}
        self.mails: list[str] = []
        self.said: list[str] = []
        """Commands, in order; those under TLS begin with ``tls ``."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if "hang" in self.refuse:
            self.came.set()
            await asyncio.Event().wait()
        secure = ""
        writer.write(b"220 here\r\n")
        while line := (await reader.readline()).decode().rstrip():
            word = line.split()[0].upper()
            self.said.append(secure + line)
            if word in self.refuse:
                writer.write(f"{self.refuse[word]}\r\n".encode())
            elif word == "EHLO":
                writer.write(
                    b"250-here\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n" if self.tls else b"250 here\r\n"
                )
            elif word == "STARTTLS":
                writer.write(b"220 go\r\n")
                await writer.drain()
                await writer.start_tls(self.tls)
                secure = "tls "
            elif word == "AUTH":
                writer.write(b"235 in\r\n")
            elif word == "DATA":
                writer.write(b"354 go\r\n")
                self.mails.append((await reader.readuntil(b"\r\n.\r\n")).decode())
                writer.write(b"250 queued\r\n")
                self.came.set()
            elif word == "QUIT":
                writer.write(b"221 bye\r\n")
                return
            else:
                writer.write(b"250 ok\r\n")
            await writer.drain()
