"""Valid datagrams made wrong, in ways that are likely to hurt. The same seed gives the same inputs."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import msgpack

NUMBERS = (
    0, 1, -1, 2, 16, 17, 127, 128, 255, 256, 1000, 1001, 2**15, 2**16, 2**31 - 1, 2**31, 2**32, 2**53, 2**62,
    2**63 - 1, 2**63, 2**64 - 1, -(2**31), -(2**63),
)  # fmt: skip
FLOATS = (0.0, -0.0, 1.0, -1.0, 0.5, 1e-320, 1e15, 1e16, 1e308, float("inf"), float("-inf"), float("nan"))
TEXTS = (
    "", "a", "on_tick", "on_start", "info", "enter_long", "x" * 64, "x" * 65, "x" * 4096, "x" * 4097,
    "x" * 30_000, "\n" * 5000, "\x1b[2J\x07", "\x00", "\x85\u2028", "\U0010ffff" * 200, "\r\n\x0b\x0c" * 100,
    "é" * 9000,
)  # fmt: skip
HEADERS = (
    b"\xdd\xff\xff\xff\xff", b"\xdd\x00\x0f\xff\xff", b"\xdc\xff\xff", b"\xdf\xff\xff\xff\xff",
    b"\xde\xff\xff", b"\xdb\xff\xff\xff\xff", b"\xda\xff\xff", b"\xc6\xff\xff\xff\xff",
    b"\xc9\xff\xff\xff\xff\x01",
    b"\xc1", b"\xc0", b"\xd9\xff", b"\x9f", b"\x8f", b"\xbf", b"\xca\x7f\xc0\x00\x00",
    b"\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00",
    b"\xd4\x01\x00", b"\xd6\xff\xff\xff\xff\xff", b"\xa4\xff\xfe\x80\xc0", b"\xcf" + b"\xff" * 8,
    b"\xd3\x80" + b"\x00" * 7,
)  # fmt: skip
LARGEST = 65_537
"""Bytes that a warden's buffer holds: one more than a datagram may have."""


class Mutator:
    """Makes inputs out of ``corpus``, encoded messages; each call of ``draw`` gives the next one."""

    def __init__(self, corpus: Sequence[bytes], seed: str) -> None:
        self._random = random.Random(seed)
        self._corpus = list(corpus)
        self._ways: list[Callable[[bytes], bytes]] = [
            self._flip, self._overwrite, self._insert, self._remove, self._repeat, self._cut, self._splice,
            self._lie, self._restructure, self._restructure, self._restructure, self._nest, self._noise,
        ]  # fmt: skip

    def draw(self) -> bytes:
        """Return the next input; one in ten is left valid."""
        data = self._random.choice(self._corpus)
        if self._random.random() < 0.1:
            return data
        for _ in range(self._random.choice((1, 1, 1, 2, 3, 6))):
            data = self._random.choice(self._ways)(data)
        return data[:LARGEST]

    # ---- bytes ----------------------------------------------------------------------------------
    def _at(self, data: bytes) -> int:
        return self._random.randrange(len(data) + 1)

    def _flip(self, data: bytes) -> bytes:
        changed = bytearray(data or b"\x00")
        changed[self._random.randrange(len(changed))] ^= 1 << self._random.randrange(8)
        return bytes(changed)

    def _overwrite(self, data: bytes) -> bytes:
        at = self._at(data)
        piece = self._random.choice(HEADERS)
        return data[:at] + piece + data[at + len(piece) :]

    def _insert(self, data: bytes) -> bytes:
        at = self._at(data)
        return data[:at] + self._random.randbytes(self._random.randrange(1, 9)) + data[at:]

    def _remove(self, data: bytes) -> bytes:
        at = self._at(data)
        return data[:at] + data[at + self._random.randrange(1, 9) :]

    def _repeat(self, data: bytes) -> bytes:
        first, last = sorted((self._at(data), self._at(data)))
        return data[:last] + data[first:last] * self._random.choice((1, 2, 50)) + data[last:]

    def _cut(self, data: bytes) -> bytes:
        return data[: self._at(data)]

    def _splice(self, data: bytes) -> bytes:
        other = self._random.choice(self._corpus)
        return data[: self._at(data)] + other[self._at(other) :]

    def _lie(self, data: bytes) -> bytes:
        """Put a header that promises more than follows before some part."""
        at = self._at(data)
        return data[:at] + self._random.choice(HEADERS) + data[at:]

    def _noise(self, _: bytes) -> bytes:
        return self._random.randbytes(self._random.choice((1, 2, 3, 8, 64, 1000)))

    def _nest(self, data: bytes) -> bytes:
        at = self._at(data)
        return data[:at] + self._random.choice((b"\x91", b"\x81\x01", b"\x92\xc0")) * self._random.choice(
            (40, 2000, 20_000)
        )

    # ---- structure --------------------------------------------------------------------------------
    def _restructure(self, data: bytes) -> bytes:
        """Change one place of the message and write it well-formed, so that it gets past the syntax."""
        try:
            tree = msgpack.unpackb(data, raw=False, strict_map_key=False)
            return msgpack.packb(self._changed(tree), use_bin_type=True)
        except Exception:  # noqa: BLE001 - what is broken already cannot be read back: then it is broken once more
            return self._flip(data)

    def _changed(self, tree: Any) -> Any:
        if isinstance(tree, list) and tree and self._random.random() < 0.85:
            at = self._random.randrange(len(tree))
            tree = list(tree)
            match self._random.randrange(8):
                case 0:
                    del tree[at]
                case 1:
                    tree.insert(at, self._value())
                case 2:
                    tree += [tree[at]] * self._random.choice((1, 20, 1001))
                case _:
                    tree[at] = self._changed(tree[at])
            return tree
        if isinstance(tree, dict) and tree and self._random.random() < 0.7:
            key = self._random.choice(list(tree))
            return {**tree, self._random.choice((key, "x" * 65, "", "new")): self._changed(tree[key])}
        return self._value(tree)

    def _value(self, before: Any = None) -> Any:
        draw = self._random
        same: Sequence[Any] = ()
        if isinstance(before, bool | int):
            same = NUMBERS
        elif isinstance(before, float):
            same = FLOATS
        elif isinstance(before, str):
            same = TEXTS
        if same and draw.random() < 0.6:
            return draw.choice(same)
        return draw.choice((
            draw.choice(NUMBERS), draw.choice(FLOATS), draw.choice(TEXTS), None, True, [], {}, b"",
            b"x" * 61_441, [None] * 1001, {str(n): n for n in range(300)}, {"k": {"k": {}}},
            msgpack.ExtType(1, b"x"), msgpack.Timestamp(1, 1), [[1, "a", 2]] * 17,
        ))  # fmt: skip
