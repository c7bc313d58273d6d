"""A TCP port in front of a daemon's socket: what a browser can reach, and a test can cut like a cable."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from pathlib import Path
from typing import Self


class Forwarder:
    """``with Forwarder(path) as front``: ``front.url`` leads to the Unix socket at ``path``.

    While it is ``cut`` open connections are gone and new ones end at once.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._cut = False
        self._open: set[asyncio.StreamWriter] = set()
        self._up = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._up.wait(200)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(60)

    def cut(self) -> None:
        """End every connection, and let none through from now on."""
        self._cut = True
        self._loop.call_soon_threadsafe(self._abort)

    def mend(self) -> None:
        """Let connections through again."""
        self._cut = False

    def _abort(self) -> None:
        for writer in list(self._open):
            writer.transport.abort()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._up.set()
        await self._stop.wait()
        server.close()
        self._abort()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.ExitStack() as cleanup:
            cleanup.callback(writer.transport.abort)
            if self._cut:
                return
            try:
                theirs, ours = await asyncio.open_unix_connection(str(self._path))
            except OSError:
                return
            both = {writer, ours}
            self._open |= both
            cleanup.callback(self._open.difference_update, both)
            cleanup.callback(ours.transport.abort)
            await asyncio.gather(_pipe(reader, ours), _pipe(theirs, writer))


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(2**16):
            writer.write(data)
            await writer.drain()
    writer.transport.abort()
