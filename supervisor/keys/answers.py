"""Answers that are given a second time: what ``Idempotency-Key`` remembers. Pure: ``now`` is an argument.

The same key with the same request gets the same answer for a day; with another request it is a mistake; while
the first is still worked on, the second is told so (draft-ietf-httpapi-idempotency-key-header). Keys are
the caller's own: two callers never share one, and none has another's answers forgotten: what is too much
goes from who has most.
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
WHOSE: Final = 24
"""Characters of an answer's name that say whose it is."""
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
    """Return under which name the answer to ``key`` of ``caller`` is kept: 64 characters.

    The first ``WHOSE`` of them are the caller's. 96 bits of a hash are another's by chance only.
    """
    whose = hashlib.sha256(caller.encode()).hexdigest()[:WHOSE]
    return whose + hashlib.sha256(f"{caller}\0{key}".encode()).hexdigest()[WHOSE:]


def fingerprint_of(method: str, target: str, body: bytes) -> str:
    """Return by what the same request is known again."""
    return hashlib.sha256(f"{method} {target}\0".encode() + body).hexdigest()


class _Own:
    """The answers to one caller, the oldest first."""

    def __init__(self) -> None:
        self.kept: OrderedDict[str, Answer] = OrderedDict()
        self.bytes = 0

    def oldest(self, but: str) -> str | None:
        """Return the oldest that is no longer worked on and not ``but``; None if there is none."""
        return next((name for name, one in self.kept.items() if one.status and name != but), None)


class Answers:
    """The answers that are remembered; bounded in number, bytes and time."""

    def __init__(self) -> None:
        self._of: dict[str, _Own] = {}
        self._count = 0
        self._bytes = 0

    def find(self, name: str, now: int) -> Answer | None:
        """Return what was answered under ``name``, None if nothing is remembered."""
        own = self._of.get(name[:WHOSE])
        found = own.kept.get(name) if own else None
        if found is not None and found.status and now - found.at >= KEEP_NS:
            self.forget(name)
            return None
        return found

    def put(self, name: str, answer: Answer) -> None:
        """Remember an answer, or that a request has begun; the oldest of who has most make room."""
        self.forget(name)
        own = self._of.setdefault(name[:WHOSE], _Own())
        own.kept[name] = answer
        own.bytes += len(answer.body)
        self._count += 1
        self._bytes += len(answer.body)
        while (done := self._too_much(name)) is not None:
            self.forget(done)

    def _too_much(self, but: str) -> str | None:
        """Return what has to go next, None if everything has room, or what is too much is worked on."""
        if self._bytes > MOST_BYTES:
            most = sorted(self._of.values(), key=lambda own: own.bytes, reverse=True)
        elif self._count > MOST_ANSWERS:
            most = sorted(self._of.values(), key=lambda own: len(own.kept), reverse=True)
        else:
            return None
        return next((done for own in most if (done := own.oldest(but)) is not None), None)

    def forget(self, name: str) -> None:
        """Remember nothing under ``name``."""
        own = self._of.get(name[:WHOSE])
        dropped = own.kept.pop(name, None) if own else None
        if own is None or dropped is None:
            return
        own.bytes -= len(dropped.body)
        self._count -= 1
        self._bytes -= len(dropped.body)
        if not own.kept:
            del self._of[name[:WHOSE]]

    def __len__(self) -> int:
        return self._count
