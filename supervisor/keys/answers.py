"""Answers that are given a second time: what ``Idempotency-Key`` remembers. Pure: ``now`` is an argument.

The same key with the same request gets the same answer for a day; with another request it is a mistake; while
the first is still worked on, the second is told so (draft-ietf-httpapi-idempotency-key-header). Keys are
the caller's own: two callers never share one.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from typing import Final

from msgspec import Struct

KEEP_NS: Final = 24 * 3600 * 10**9
MOST_ANSWERS: Final = 10_000
MOST_BYTES: Final = 32 * 2**20
"""Bodies kept in memory, together."""
_KEY: Final = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,255}")


class Answer(Struct, frozen=True, kw_only=True):
    """What was answered to the request of ``fingerprint``; ``status`` 0 while it is worked on."""

    fingerprint: str
    status: int = 0
    media: str = ""
    body: bytes = b""
    at: int
    """Unix ns at which the request came."""


def key_of(header: str) -> str | None:
    """Return the key of a header's value: a string of RFC 8941 in quotes, or bare; None if it is neither."""
    bare = header[1:-1] if len(header) > 2 and header[0] == header[-1] == '"' else header
    return bare if _KEY.fullmatch(bare) else None


def name_of(caller: str, key: str) -> str:
    """Return under which name the answer to ``key`` of ``caller`` is kept."""
    return hashlib.sha256(f"{caller}\0{key}".encode()).hexdigest()


def fingerprint_of(method: str, target: str, body: bytes) -> str:
    """Return by what the same request is known again."""
    return hashlib.sha256(f"{method} {target}\0".encode() + body).hexdigest()


class Answers:
    """The answers that are remembered, the oldest first; bounded in number, bytes and time."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Answer] = OrderedDict()
        self._bytes = 0

    def find(self, name: str, now: int) -> Answer | None:
        """Return what was answered under ``name``, None if nothing is remembered."""
        found = self._kept.get(name)
        if found is not None and found.status and now - found.at >= KEEP_NS:
            self.forget(name)
            return None
        return found

    def put(self, name: str, answer: Answer) -> None:
        """Remember an answer, or that a request has begun; the oldest ones make room."""
        self.forget(name)
        self._kept[name] = answer
        self._bytes += len(answer.body)
        while len(self._kept) > MOST_ANSWERS or self._bytes > MOST_BYTES:
            done = next((one for one, kept in self._kept.items() if kept.status and one != name), None)
            if done is None:
                return
            self.forget(done)

    def forget(self, name: str) -> None:
        """Remember nothing under ``name``."""
        dropped = self._kept.pop(name, None)
        self._bytes -= len(dropped.body) if dropped else 0

    def __len__(self) -> int:
        return len(self._kept)
