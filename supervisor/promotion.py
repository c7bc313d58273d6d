"""The second word before real money: a confirmation, good for one deployment as it is, for a while. Pure.

A confirmation is a message authentication code (RFC 2104, HMAC-SHA256) over what would be done: nothing is
kept, and none outlives the process whose key made it. It names the settings by their hash, ``updated_at``
among them, so it is spent by the change that it allows, and by every other.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

import msgspec

from supervisor.errors import Refused
from supervisor.store.tables import Deployment

GOOD_FOR: Final = 300.0
"""Seconds from the question to its answer."""


def settings_hash(deployment: Deployment) -> str:
    """Return the SHA-256 of everything that an operator said of a deployment, in hex."""
    return hashlib.sha256(msgspec.json.encode(deployment, order="deterministic")).hexdigest()


def confirmation(key: bytes, known: Deployment, account: str, now: float) -> str:
    """Return what lets ``known``, as it is, trade live for ``account`` until ``now`` + ``GOOD_FOR``.

    ``now`` is monotonic seconds; ``key`` is secret, of this process.
    """
    until = f"{now + GOOD_FOR:.3f}"
    return f"{until}.{_code(key, known, account, until)}"


def check(given: str, key: bytes, known: Deployment, account: str, now: float) -> None:
    """Raise ``Refused`` unless ``given`` is a ``confirmation`` of just this that still holds."""
    until, _, code = given.rpartition(".")
    if not until or not hmac.compare_digest(code.encode(), _code(key, known, account, until).encode()):
        raise Refused(
            "confirmation_invalid",
            f"this is no confirmation for {known.id} with its present settings and account {account}; "
            "promote without one first, and read what it would do",
        )
    if now > float(until):  # made by us, as the code says
        raise Refused("confirmation_expired", f"a confirmation holds for {GOOD_FOR:g} s; ask for another one")


def _code(key: bytes, known: Deployment, account: str, until: str) -> str:
    said = "\n".join((known.id, settings_hash(known), account, until))
    return hmac.new(key, said.encode(), hashlib.sha256).hexdigest()
