"""Whether the API's certificate can be shown, and until when: found by a handshake with itself, in memory."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from supervisor.api.listeners import Tls, tls_context
from supervisor.config.api import Api
from supervisor.errors import Failed
from supervisor.schema import LayerView

SOON: Final = timedelta(days=21)
"""Left of it. Certbot renews when 30 of 90 days are left, so by then that has failed."""
_FLIGHTS: Final = 10
"""Of a handshake; TLS 1.2 takes four."""
_RELOAD: Final = "renew it, then stratd reload"


def look(api: Api, now: datetime) -> list[LayerView]:
    """Return what is to be said of the certificate at ``now``; nothing where none is configured."""
    if api.tls_cert is None:
        return []
    tls = Tls(api.tls_cert, api.tls_key, api.tls_client_ca)
    try:
        tls_context(tls)
        until = ends(Tls(tls.cert, tls.key))
    except Failed as error:
        return [LayerView(name="certificate", state="missing", detail=str(error), command="")]
    except ssl.SSLCertVerificationError as error:
        told = f"{tls.cert}: {error.verify_message}"
        return [LayerView(name="certificate", state="missing", detail=told, command=_RELOAD)]
    return [view(tls.cert, until, now)]


def view(cert: Path, until: datetime, now: datetime) -> LayerView:
    """Say what the end of a certificate that is valid means. Pure."""
    detail = f"{cert}, until {until:%Y-%m-%d}"
    if until - now >= SOON:
        return LayerView(name="certificate", state="active", detail=detail)
    days = f"{detail}: {(until - now).days} days"
    return LayerView(name="certificate", state="available", detail=days, command=_RELOAD)


def ends(tls: Tls) -> datetime:
    """Return when the certificate that a server with ``tls`` shows ends.

    Raises ``Failed`` for files that cannot be used, ``SSLCertVerificationError`` for one that no client
    takes: it has ended, has not begun, or is not for servers.
    """
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    # The certificate vouches for itself here: who signed it is for clients to judge.
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    client.load_verify_locations(tls.cert)
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = client.wrap_bio(back, there)
    answering = tls_context(tls).wrap_bio(there, back, server_side=True)
    for _ in range(_FLIGHTS):
        over = [_step(asking), _step(answering)]
        if all(over):
            break
    shown = asking.getpeercert() or {}
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(shown["notAfter"])), UTC)


def _step(side: ssl.SSLObject) -> bool:
    try:
        side.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True
