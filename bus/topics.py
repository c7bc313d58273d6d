"""Topic names, and the one check of what a symbol may be called.

A 0MQ subscription is a prefix, so ``tick.EURUSD`` would also match ``tick.EURUSDm``. Inside stratd every
part of a topic ends with ``|``, a character that no name may hold; then no topic is a prefix of another.
"""

from __future__ import annotations

import re

SYMBOL = re.compile(r"[A-Za-z0-9^=][A-Za-z0-9._:/^=&+#@-]{0,63}")
DEPLOYMENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")

SYMBOL_ALLOWED = "letters, digits and . _ : / ^ = & + # @ -, at most 64, not starting with a sign"
DEPLOYMENT_ID_ALLOWED = "letters, digits and . _ -, at most 64, starting with a letter or digit"

PULSE = b"pulse||"
TICKS, CELLS, FEEDS = b"tick|", b"to|", b"feed|"
"""What the topics of all ticks, of all commands, of the health of all feeds begin with."""


def is_symbol(name: str) -> bool:
    """Whether ``name`` may be a symbol."""
    return SYMBOL.fullmatch(name) is not None


def is_deployment_id(name: str) -> bool:
    """Whether ``name`` may be the id of a deployment (cli.md: ``[A-Za-z0-9][A-Za-z0-9_.-]{0,63}``)."""
    return DEPLOYMENT_ID.fullmatch(name) is not None


def tick(symbol: str) -> bytes:
    """Topic of the ticks of one symbol; payload ``Ticks``."""
    return f"tick|{symbol}|".encode()


def candle(symbol: str) -> bytes:
    """Topic of the closed candles of one symbol, all timeframes; payload ``Candles``."""
    return f"candle|{symbol}|".encode()


def cell(deployment_id: str) -> bytes:
    """Topic of the commands to one cell; payload ``CellCommand``.

    The last of a cell's topics by its bytes: libzmq subscribes anew in that order when a connection is made
    (xsub.cpp, trie.cpp), so a cell that hears its own topic hears all the others too. By any other name,
    ticks of the first moments were lost, and told again behind candles that had come after them.
    """
    return f"to|{deployment_id}|".encode()


def feed(name: str) -> bytes:
    """Topic of the health of one feed; payload ``FeedStatus``."""
    return f"feed|{name}|".encode()


def state(symbol: str) -> bytes:
    """Topic of how one symbol stands, on the tape alone; payload ``StreamState`` (bus/captured.py)."""
    return f"state|{symbol}|".encode()


def of(frame: bytes) -> bytes:
    """Topic of an internal message, ``kind|name|`` and then its payload. ``ValueError`` if it is none."""
    return frame[: frame.index(b"|", frame.index(b"|") + 1) + 1]


def signal(deployment_id: str) -> bytes:
    """Topic of accepted signals on the outward socket, as cli.md fixes it; payload ``AcceptedSignal``."""
    return f"signal.{deployment_id}".encode()
