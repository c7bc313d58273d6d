"""Tries submissions, a few at a time, each in a process of its own (``process.py``). For the daemon's loop.

Rules of this file. Nothing here blocks. What that process says is decoded into typed, bounded lines, and it
is killed, with all its cells, once it takes too long or nobody listens any more (the zygote dies with it). It
stays in the daemon's session: in another one it would be taken for what a strategy left behind (reaper.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Final

import msgspec

from sandbox.nursery import ENVIRONMENT
from supervisor.errors import Failed, Unavailable
from supervisor.registering.job import Job, Log, Step

AT_ONCE: Final = 2
WAITING: Final = 8
"""Submissions beyond those that may wait for their turn; more are refused."""
PATIENCE: Final = 120.0
"""Seconds for one: two cells at their deadline (``supervisor.trial.DEADLINE``), and a busy host."""
MOST_LINE: Final = 2**20
"""Bytes of one line of that process."""
COMMAND: Final = (sys.executable, "-B", "-s", "-P", "-m", "supervisor.registering.process")
_decode = msgspec.json.Decoder(Step | Log).decode


class Examiner:
    """The turns, and what waits for one."""

    def __init__(self, at_once: int = AT_ONCE, waiting: int = WAITING, patience: float = PATIENCE) -> None:
        self._most = at_once + waiting
        self._patience = patience
        self._turns = asyncio.Semaphore(at_once)
        self.taken = 0
        """Turns that are held or waited for."""

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn, and hold it. Raises ``Unavailable`` at once where too many wait already."""
        if self.taken >= self._most:
            raise Unavailable(f"{self.taken} strategies are being checked or wait for it; ask again later")
        self.taken += 1
        try:
            async with self._turns:
                yield
        finally:
            self.taken -= 1

    async def examine(self, job: Job) -> AsyncGenerator[Step | Log, None]:
        """Yield what is found, check by check. Raises ``Failed`` if nobody can say. Close it (``aclose``)."""
        process = await asyncio.create_subprocess_exec(
            *COMMAND,
            str(os.getpid()),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=ENVIRONMENT,  # nothing of the daemon's: no key, no token
            cwd="/",
            limit=MOST_LINE,
        )
        assert process.stdin is not None  # noqa: S101 - both are pipes; narrows the types
        assert process.stdout is not None  # noqa: S101
        try:
            async with asyncio.timeout(self._patience):
                # To the end of it, even if it is gone: then what it said ends, too.
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    process.stdin.write(msgspec.json.encode(job))
                    await process.stdin.drain()
                process.stdin.close()
                while line := await process.stdout.readline():
                    yield _decode(line)
                code = await process.wait()
        except TimeoutError:
            raise Failed(f"the checks were not over within {self._patience:g} s") from None
        except (ValueError, msgspec.MsgspecError) as error:
            raise Failed(f"the process that checks code said something else: {error}") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if code != 0:
            raise Failed(f"the process that checks code ended with status {code}")
