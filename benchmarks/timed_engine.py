"""The engine as it is, which also notes how old the data of each judged signal is after the commit.

``Engine._finish`` appends, commits, and only then acknowledges; it and ``Journal.commit`` are wrapped here,
nothing is changed in them. A tick stamped with its publication time makes the age the round trip:
publisher, engine, cell, gate, journal.
"""

from __future__ import annotations

import sys
import time
from array import array
from collections import Counter
from typing import Any

import zmq

import bare
from strategies.trading.records import Judged
from supervisor.engine import loop
from supervisor.engine.__main__ import main
from supervisor.store.journal import Journal

BURST_END = "end"


def measure(folder: str) -> None:
    """Send the ages of a burst to ``FOLDER/ages`` when a signal with the reason ``end`` was judged."""
    sink = bare.socket(zmq.PUSH)
    sink.connect(f"ipc://{folder}/engine-ages")
    ages, verdicts = array("q"), Counter[str]()
    finish, commit = loop.Engine._finish, Journal.commit  # noqa: SLF001
    committed_at = 0

    def commit_and_note(self: Journal) -> None:
        nonlocal committed_at
        commit(self)
        committed_at = time.time_ns()

    def timed(self: Any) -> None:
        nonlocal ages
        outcomes = self._outcomes
        finish(self)
        now = committed_at
        for outcome in outcomes:
            for record in outcome.records:
                if isinstance(record, Judged):
                    if record.signal.reason == BURST_END:
                        sink.send_multipart([ages.tobytes(), repr(dict(verdicts)).encode()])
                        ages = array("q")
                        verdicts.clear()
                    else:
                        verdicts[record.rule or record.decision] += 1
                        ages.append(now - record.signal.data_as_of)

    loop.Engine._finish = timed  # type: ignore[method-assign]  # noqa: SLF001
    Journal.commit = commit_and_note  # type: ignore[method-assign]


if __name__ == "__main__":
    measure(sys.argv[sys.argv.index("--runtime") + 1].removesuffix("/run"))
    sys.exit(main())
