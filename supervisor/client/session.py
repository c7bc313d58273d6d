"""What is the same for whoever waits and whoever is awaited: where, as whom, with what patience. Pure."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from supervisor.client.call import Call
from supervisor.client.errors import Unsendable
from supervisor.client.place import Certificate, Place, place_of
from supervisor.client.retrying import Policy

AGENT: Final = "stratd-client"


class Session(NamedTuple):
    """Everything about a client but its connections. ``timeout`` overrides that of every call, in seconds."""

    place: Place
    key: str = ""
    tls: ssl.SSLContext | None = None
    timeout: float | None = None
    policy: Policy = Policy()

    def headers(self, call: Call[object]) -> dict[str, str]:
        """Return the headers of ``call``, with a key against doing it twice where it changes anything."""
        headers = {"Accept": "application/json", "User-Agent": AGENT, **dict(call.headers)}
        if self.key:
            headers["X-API-Key"] = self.key
        if call.changes:
            headers["Idempotency-Key"] = os.urandom(16).hex()
        return headers

    def patient(self, call: Call[object]) -> Call[object]:
        """Return ``call`` with the timeout of this session."""
        return call if self.timeout is None or call.timeout is None else call._replace(timeout=self.timeout)


def open_session(
    url: str | Path | None,
    *,
    key: str | None,
    verify: bool | str | Path | ssl.SSLContext | None,
    cert: Certificate | None,
    timeout: float | None,
    retries: int,
    environ: Mapping[str, str],
) -> Session:
    """Return the session of a client; what is not given is looked for in the environment (docs/client.md).

    Raises ``Unsendable`` for a place, a key or a certificate that is none.
    """
    place = place_of(url, environ, os.geteuid())
    shown = key if key is not None else environ.get("STRATD_API_KEY", "")
    if not (shown.isascii() and shown.isprintable()) or " " in shown:
        raise Unsendable("the API key is none: it has a space, or a character that no key has")
    tls = None
    if place.tls:
        tls = _context(
            verify if verify is not None else environ.get("STRATD_CA") or True,
            cert if cert is not None else environ.get("STRATD_CERT") or None,
        )
    return Session(place, shown, tls, timeout, Policy(retries))


def chance() -> float:
    """Return a number from 0 to 1, for pauses: not of ``random``, which would take longer to import."""
    return int.from_bytes(os.urandom(4), "big") / 2**32


def _context(verify: bool | str | Path | ssl.SSLContext, cert: Certificate | None) -> ssl.SSLContext:
    """Return what TLS trusts and shows. ``verify`` False trusts anybody: for a test, never for a key."""
    if isinstance(verify, ssl.SSLContext):
        return verify
    try:
        context = ssl.create_default_context(cafile=None if isinstance(verify, bool) else verify)
        if verify is False:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if cert is not None:
            file, private = cert if isinstance(cert, tuple) else (cert, None)
            context.load_cert_chain(file, private)
    except (OSError, ssl.SSLError) as error:
        what = cert if not isinstance(verify, str | Path) or Path(verify).is_file() else verify
        raise Unsendable(f"{what}: no certificate can be read there ({error.strerror or error})") from None
    return context
