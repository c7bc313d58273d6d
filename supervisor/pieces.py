"""Words of any size over a channel of datagrams, in which a large one travels in pieces. Pure.

The kernel takes a datagram of at most the socket's send buffer, and an ordinary user gets no larger one than
``net.core.wmem_max`` (212,992 bytes on most hosts; socket(7)): the picture of a host with some thousand
positions is more. A piece begins with a byte that MessagePack never uses (0xC1), a whole word never does.
"""

from __future__ import annotations

PIECE = 64 * 1024
"""Bytes of a word in one datagram."""
_MORE, _LAST = b"\xc1\x00", b"\xc1\x01"


def pieces(word: bytes) -> list[bytes]:
    """Return the datagrams of one encoded word: itself, if it is not too large."""
    if len(word) <= PIECE:
        return [word]
    cut = [word[at : at + PIECE] for at in range(0, len(word), PIECE)]
    return [*(_MORE + piece for piece in cut[:-1]), _LAST + cut[-1]]


class Joiner:
    """Puts words together again; the datagrams of one word follow each other."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def feed(self, datagram: bytes | memoryview) -> bytes | memoryview | None:
        """Take one datagram; return the word that it completes, None if there is more to come."""
        mark = bytes(datagram[:2])
        if mark not in {_MORE, _LAST}:
            return datagram
        self._parts.append(bytes(datagram[2:]))
        if mark == _MORE:
            return None
        word, self._parts = b"".join(self._parts), []
        return word
