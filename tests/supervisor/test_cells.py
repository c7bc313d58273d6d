"""The zygote as the daemon holds it, where the host has no room for another one."""

from __future__ import annotations

import asyncio
import os

from sandbox.nursery import NurseryError, ZygoteGone
from supervisor.cells import Cells
from tests.waiting import until


class Nest:
    """A zygote that ends once, and cannot be started again at once."""

    pid = None

    def __init__(self) -> None:
        self.descriptor, self._other = os.pipe()
        os.close(self._other)  # so that it is readable: it has something to say
        self.starts = 0

    def start(self) -> None:
        self.starts += 1
        if self.starts in {2, 3}:
            raise NurseryError("Cannot allocate memory")

    def fileno(self) -> int:
        return self.descriptor

    def read(self) -> list[ZygoteGone]:
        return [ZygoteGone(-9)] if self.starts == 1 else []

    def close(self) -> None:
        os.close(self.descriptor)


class Listener:
    def __init__(self) -> None:
        self.said: list[str] = []

    def on_zygote(self, *, awake: bool, detail: str) -> None:
        self.said.append(detail)


def test_a_zygote_that_could_not_be_started_again_is_tried_until_it_can():
    nest, listener = Nest(), Listener()

    async def four() -> bool:
        return nest.starts == 4

    async def run() -> None:
        cells = Cells(nest, listener)
        cells.start()
        try:
            await until(four, what="the zygote starts again")
        finally:
            asyncio.get_running_loop().remove_reader(nest.descriptor)

    asyncio.run(run())
    nest.close()
    failed = "could not be started (Cannot allocate memory)"
    assert ["ended with code -9", failed, failed] == listener.said
