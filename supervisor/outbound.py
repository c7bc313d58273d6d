"""HTTP clients towards the other services of a platform: what holds for each of them."""

from __future__ import annotations

import httpx2


def open_client(url: str, key: str, *, timeout: float, connections: int = 16) -> httpx2.AsyncClient:
    """Return a client for one service below ``url``; whoever called this closes it. ``timeout`` in seconds.

    The key goes out as ``Authorization: Bearer`` (RFC 6750). Redirects are not followed: they would take the
    key to where nobody said. No proxy of the environment is used, for it would be given both.
    """
    headers = {"Accept": "application/json", "User-Agent": "stratd"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    return httpx2.AsyncClient(
        base_url=url.rstrip("/") + "/",
        headers=headers,
        timeout=timeout,
        limits=httpx2.Limits(max_connections=connections, max_keepalive_connections=connections),
        follow_redirects=False,
        trust_env=False,
    )
