"""Whether to ask again, and when: decided here, waited for by the clients. Pure.

What is asked again cannot be done twice: a request that changes nothing, or one that carries an
``Idempotency-Key`` (draft-ietf-httpapi-idempotency-key-header), which both clients put on every other one.
The pauses have full jitter (M. Brooker, "Exponential Backoff And Jitter", AWS 2015), so that many clients of
a daemon that comes back do not come back together. stamina would be the library for it; its import alone
takes longer than a command lives.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from supervisor.client.errors import ClientError, Silent, Unavailable, Unreachable, Untrusted

FIRST: Final = 0.2
"""Seconds; each further pause may be twice as long."""
LONGEST: Final = 10.0
"""A daemon that wants longer than this is told to the caller instead of waited for."""


class Policy(NamedTuple):
    """How often to ask again at most; 0 for what has its own way of waiting."""

    retries: int = 2


def pause_before(retry: int, error: ClientError, policy: Policy, chance: float) -> float | None:
    """Return the seconds to wait before asking again for the ``retry``-th time (from 1), None for never.

    ``chance`` is from 0 to 1. A request that was taken and not answered in time is not repeated: the caller
    has waited long enough, and the daemon has it.
    """
    if retry > policy.retries or isinstance(error, (Silent, Untrusted)):
        return None
    pause = min(FIRST * 2 ** (retry - 1), LONGEST) * chance
    if isinstance(error, Unavailable):
        if error.retry_after is None:
            return None
        return error.retry_after + pause if error.retry_after <= LONGEST else None
    return pause if isinstance(error, Unreachable) else None
