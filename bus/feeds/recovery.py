"""What was missed of a native feed and is asked for again: the words, and whose word is believed. Pure.

A publisher may serve what a subscriber missed at a ROUTER beside its PUB, and says where in its heartbeats
(docs/feeds.md, "Recovery"). One question is one frame, one answer another; both are bounded, and what does
not decode is refused by name, on either side.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

from bus.feeds.errors import MAX_FRAME
from bus.feeds.symbols import MAX_SYMBOLS
from bus.messages import DECODE_ERRORS, Count, ShortText, Symbol, encode

MAX_QUESTION = 8 * 2**20
"""Bytes of one question: every symbol that a feed may have, each with the longest name."""
MAX_ANSWER = 4 * 2**20
"""Bytes of one answer: a piece, its last message in full, and the symbols of which something is lost."""
PIECE = 2**20
"""Bytes of messages in one answer, but for a single one that is longer."""
MOST = 10_000
"""Messages that may be asked for at once."""


class Question(Struct, array_like=True, frozen=True):
    """What the asker has: the last ``seq`` of each symbol. Of a symbol that is not named it has nothing.

    At most ``limit`` messages are wanted. ``cursor`` repeats that of the answer before, 0 in a first
    question.
    """

    have: Annotated[dict[Symbol, Count], Meta(max_length=MAX_SYMBOLS)]
    limit: Annotated[int, Meta(ge=1, le=MOST)] = 1000
    cursor: Count = 0


class Answer(Struct, array_like=True, frozen=True):
    """Messages, topic and payload, as and in the order in which they were published.

    ``more``: there are others; ask again with the new positions and with ``cursor``. ``lost`` names the
    symbols of which the publisher no longer holds everything that was asked for. ``refused`` says what is
    wrong with the question, else "".
    """

    more: bool
    messages: Annotated[
        list[tuple[Annotated[bytes, Meta(max_length=256)], Annotated[bytes, Meta(max_length=MAX_FRAME)]]],
        Meta(max_length=MOST),
    ] = []
    lost: Annotated[list[Symbol], Meta(max_length=MAX_SYMBOLS)] = []
    cursor: Count = 0
    refused: ShortText = ""


class RecoveryRefused(Exception):
    """A question or an answer that cannot be used: ``reason`` counts it, the text says what is wrong."""

    def __init__(self, reason: Literal["too_large", "malformed", "no_progress", "refused"], why: str) -> None:
        super().__init__(why)
        self.reason = reason


_question = msgspec.msgpack.Decoder(Question).decode
_answer = msgspec.msgpack.Decoder(Answer).decode


def decode_question(payload: bytes) -> Question:
    """Read a question; raises ``RecoveryRefused``."""
    if len(payload) > MAX_QUESTION:
        raise RecoveryRefused("too_large", f"question of {len(payload)} bytes, allowed are {MAX_QUESTION}")
    try:
        return _question(payload)
    except DECODE_ERRORS as error:
        raise RecoveryRefused("malformed", f"no question: {str(error)[:200]}") from None


def decode_answer(payload: bytes) -> Answer:
    """Read an answer; raises ``RecoveryRefused``, also for one that refuses the question."""
    if len(payload) > MAX_ANSWER:
        raise RecoveryRefused("too_large", f"answer of {len(payload)} bytes, allowed are {MAX_ANSWER}")
    try:
        answer = _answer(payload)
    except DECODE_ERRORS as error:
        raise RecoveryRefused("malformed", f"no answer: {str(error)[:200]}") from None
    if answer.refused:
        raise RecoveryRefused("refused", f"it refuses the question: {answer.refused[:200]!a}")
    return answer


def refuse(refused: RecoveryRefused) -> bytes:
    """Make the answer to a question that cannot be used."""
    return encode(Answer(more=False, refused=str(refused)[:256]))


# ---- where to ask -----------------------------------------------------------------------------------
_TCP = re.compile(r"tcp://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+|\*):([1-9][0-9]{0,4})")
_ANY = {"*", "0.0.0.0", "[::]"}  # noqa: S104  (compared with, not bound to)
_HERE = {"localhost", "127.0.0.1", "[::1]"}

Place: TypeAlias = tuple[str, str]
"""Where to ask, or "", and why not, or ""."""


def place(feed: str, announced: str) -> Place:
    """Tell where to ask, of a feed at the endpoint ``feed`` whose heartbeats name ``announced``.

    A heartbeat is no authority to send the engine to any host: only to the one it has from its
    configuration already, or to a socket in the folder of the feed's own.
    """
    if feed.startswith("ipc://"):
        folder, _, name = announced.rpartition("/")
        if folder == feed.rpartition("/")[0] and name not in {"", ".", ".."} and announced.isprintable():
            return announced, ""
        return "", f"{announced[:256]!a} is not in the folder of {feed}"
    found, own = _TCP.fullmatch(announced), re.match(r"tcp://(.+):[^:]*$", feed)
    if found is None or own is None or int(found[2]) > 65535:
        return "", f"{announced[:256]!a} is no tcp endpoint of a host and a port"
    host, port = own[1].rpartition(";")[2], found[2]
    if host in _ANY:
        return "", f"{feed} is bound to any host, so it cannot be told whether {announced} is the publisher's"
    if found[1] in _ANY:
        return f"tcp://{host}:{port}", ""
    if found[1].lower() == host.lower() or {found[1].lower(), host.lower()} <= _HERE:
        return announced, ""
    return "", f"{announced} is not on the host of {feed}"
