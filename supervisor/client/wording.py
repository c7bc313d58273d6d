"""The line that goes with each way in which a daemon cannot be reached. Pure; the same for both clients."""

from __future__ import annotations

import ssl

from supervisor.client.errors import (
    BrokenOff,
    ClientError,
    Garbled,
    Refused,
    Silent,
    Unreachable,
    Untrusted,
)
from supervisor.client.place import Place


def nobody(place: Place) -> Unreachable:
    """Nobody listens there."""
    if place.socket is None:
        return Unreachable(
            f"no daemon answers at {place.text}: is it up, and does its [api] listen on that address?"
        )
    return Unreachable(
        f"no daemon answers at {place.text}: start it with 'stratd serve' or 'systemctl start stratd', "
        "or set STRATD_RUNTIME_DIR if it runs elsewhere"
    )


def silent(place: Place) -> Silent:
    """It does not answer in time."""
    return Silent(f"the daemon at {place.text} does not answer")


def went_away(place: Place) -> BrokenOff:
    """It was there."""
    hint = " (or it wants a certificate of yours: cert=, or STRATD_CERT)" if place.tls else ""
    return BrokenOff(f"the daemon at {place.text} went away{hint}")


def broke_off(place: Place) -> BrokenOff:
    """It had begun to answer."""
    line = f"the daemon at {place.text} broke off in the middle of its answer; see its log"
    return BrokenOff(line, begun=True)


def no_http(place: Place) -> Garbled:
    """Something else answers there."""
    return Garbled(f"what answers at {place.text} is no stratd: it does not speak HTTP")


def too_long(place: Place, most: int) -> Garbled:
    """It does not end."""
    return Garbled(f"the answer of the daemon at {place.text} is longer than {most} bytes")


def untrusted(place: Place, error: ssl.SSLError) -> Untrusted:
    """TLS failed: ours or theirs."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return Untrusted(
            f"the certificate of {place.text} is not trusted ({error.verify_message}): name the "
            "authority that signed it (verify=FILE, or STRATD_CA)"
        )
    reason = str(error.reason or error).lower().replace("_", " ")
    return Untrusted(
        f"no TLS with {place.text} ({reason}): is it https that it speaks, and does it want a certificate of "
        "yours (cert=, or STRATD_CERT)?"
    )


def of_os_error(place: Place, error: OSError) -> ClientError:
    """Return what an error of connecting, writing or reading means."""
    match error:
        case ssl.SSLEOFError() | ssl.SSLZeroReturnError():
            return went_away(place)
        case ssl.SSLError():
            return untrusted(place, error)
        case TimeoutError():
            return silent(place)
        case FileNotFoundError() | ConnectionRefusedError():
            return nobody(place)
        case PermissionError():
            what = f"{place.text} belongs to another user; run this as that user, or as root"
            title = f"refused by peer_credentials: {what}"
            problem = {"type": "urn:stratd:refused", "title": title, "rule": "peer_credentials"}
            return Refused({**problem, "detail": what, "status": 403})
        case ConnectionError():
            return went_away(place)
        case _:
            return Unreachable(f"no daemon answers at {place.text}: {error.strerror or error}")
