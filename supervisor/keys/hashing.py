"""How a secret is stored: as its scrypt hash (RFC 7914) with a salt of its own. Pure; a check takes 20 ms.

The secrets are 256 random bits, which no hash however slow makes safer; scrypt is for the day on which one
is not. ``N`` is therefore small: 16 MiB and some 20 ms a check, of which a flood of wrong keys buys little.
The parameters stand in the digest, so that they can be raised without a change to what is stored.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

SALT_BYTES: Final = 16
N, R, P = 2**14, 8, 1
_LENGTH: Final = 32
_MOST_MEMORY: Final = 64 * 2**20


def digest(secret: str, salt: bytes) -> str:
    """Return what is stored of ``secret``: ``scrypt$N$r$p$salt$hash``, the last two in hex."""
    return f"scrypt${N}${R}${P}${salt.hex()}${_scrypt(secret, salt, N, R, P).hex()}"


def verify(secret: str, stored: str) -> bool:
    """Whether ``stored`` is of ``secret``; compared in constant time."""
    name, n, r, p, salt, found = stored.split("$")
    if name != "scrypt":
        raise ValueError(f"no digest that this stratd knows: {name}")
    expected = _scrypt(secret, bytes.fromhex(salt), int(n), int(r), int(p))
    return hmac.compare_digest(expected, bytes.fromhex(found))


def _scrypt(secret: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(secret.encode(), salt=salt, n=n, r=r, p=p, maxmem=_MOST_MEMORY, dklen=_LENGTH)


NOBODYS: Final = f"scrypt${N}${R}${P}${bytes(SALT_BYTES).hex()}${bytes(_LENGTH).hex()}"
"""What an unknown id is checked against, so that it takes as long as a known one."""
