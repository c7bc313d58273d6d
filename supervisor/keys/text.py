"""What a key looks like: ``stratd_<id>_<secret>``. Pure: randomness is an argument.

The id is no secret: it finds the record, and names the key in lists, logs and the audit trail. The secret is
256 bits, which nobody guesses. The word in front lets a scanner of repositories know a key that leaked.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

ID_BYTES: Final = 6
SECRET_BYTES: Final = 32
RANDOM_BYTES: Final = ID_BYTES + SECRET_BYTES
"""How many random bytes one key is made of."""
_KEY: Final = re.compile(r"stratd_([0-9a-f]{12})_([0-9a-f]{64})")


class KeyText(NamedTuple):
    """A key in its two parts."""

    id: str
    secret: str

    def __str__(self) -> str:
        """The key as its owner keeps it."""
        return f"stratd_{self.id}_{self.secret}"

    def __repr__(self) -> str:
        """Without the secret, whoever prints it."""
        return f"KeyText(id={self.id!r})"


def make(random: bytes) -> KeyText:
    """Return a new key made of ``RANDOM_BYTES`` random bytes."""
    if len(random) != RANDOM_BYTES:
        raise ValueError(f"a key is made of {RANDOM_BYTES} random bytes, not {len(random)}")
    return KeyText(random[:ID_BYTES].hex(), random[ID_BYTES:].hex())


def parse(text: str) -> KeyText | None:
    """Return the parts of a key; None if ``text`` is none."""
    found = _KEY.fullmatch(text)
    return KeyText(found[1], found[2]) if found else None
