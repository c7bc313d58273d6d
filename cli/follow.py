"""Following what is numbered: a follower that lost its daemon, or was too slow for it, goes on by number."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from cli.client import Client, DaemonGone
from supervisor.client.call import Call
from supervisor.client.calls import daemon as calls

PAUSE = 0.2
"""Seconds between two questions whether the daemon is back."""
PAGE = 1000
"""Lines asked for at once by one that catches up."""


def follow(
    client: Client,
    describe: Callable[..., Call[Any]],
    *,
    lines: int,
    after: int | None,
    wait: float,
    newest: str,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    query: Mapping[str, Any] | None = None,
) -> Iterator[bytes]:
    """Yield the last ``lines`` of what ``describe`` asks for, or those above ``after``, then all that come.

    ``describe`` is one of ``calls.records``, asked with ``query`` besides. Every line has a ``seq``, and each
    is yielded once, across restarts of the daemon: one that went away may take ``wait`` seconds to come back.
    ``newest`` is the field of the status that says where the numbers stand. Raises ``DaemonGone`` if it does
    not come back, or was never there.
    """
    # Asked first, so that what comes between two connections is known to be missing even if the first
    # brought nothing.
    last = after if after is not None else int(json.loads(client.call(calls.status))[newest])
    asked: dict[str, Any] = {"n": lines} if after is None else {"after": after, "n": PAGE}
    lost: float | None = None
    while True:
        try:
            for line in client.lines(describe, **(query or {}), **asked, follow=True):
                if not line.endswith(b"\n"):
                    continue  # torn off; it comes again, whole
                last, lost = int(json.loads(line)["seq"]), None
                yield line
        except DaemonGone:
            if lost is None:
                lost = clock()
                print(f"stratd: the daemon went away; waiting {wait:g} s for it", file=sys.stderr)
            if clock() - lost >= wait:
                raise
        asked = {"after": last, "n": PAGE}
        sleep(PAUSE)
