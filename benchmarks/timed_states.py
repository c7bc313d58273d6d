"""The engine as it is, which also notes how long a checkpoint takes from its arrival until it is durable.

The decoder of reports and ``Journal.commit`` are wrapped here, nothing is changed in them: the clock runs
from the moment at which the report's bytes are there, undecoded, to the end of the commit of the state.
"""

from __future__ import annotations

import sys
import time
from array import array
from collections import deque
from typing import Any

import zmq

import bare
from bus.messages import Checkpoint
from strategies.trading.records import Saved
from supervisor.engine import loop
from supervisor.engine.__main__ import main
from supervisor.store.journal import Journal

BURST_END = 2**31
"""State version of the checkpoint that ends a burst."""


def measure(folder: str) -> None:
    """Send the times of a burst, in ns, to ``FOLDER/times`` when its last checkpoint was committed."""
    sink = bare.socket(zmq.PUSH)
    sink.connect(f"ipc://{folder}/times")
    times = array("q")
    decode, commit = loop._decode_report, Journal.commit  # noqa: SLF001
    arrived = deque[int]()

    def decode_and_note(payload: Any) -> Any:
        began = time.perf_counter_ns()
        report = decode(payload)
        if type(report) is Checkpoint:
            arrived.append(began)
        return report

    def commit_and_note(self: Journal) -> None:
        nonlocal times
        saved = [record for record in self._group if type(record) is Saved]
        commit(self)
        if not saved:
            return
        now = time.perf_counter_ns()
        times.extend(now - arrived.popleft() for _ in saved)
        if saved[-1].checkpoint.state_version == BURST_END:
            sink.send(times.tobytes())
            times = array("q")

    loop._decode_report = decode_and_note  # type: ignore[assignment]  # noqa: SLF001
    Journal.commit = commit_and_note  # type: ignore[method-assign]


if __name__ == "__main__":
    measure(sys.argv[sys.argv.index("--runtime") + 1].removesuffix("/run"))
    sys.exit(main())
