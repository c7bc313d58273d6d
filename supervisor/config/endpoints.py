"""What an endpoint, a CURVE key and a URL may be. The engine is never told what libzmq would not take."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable
from typing import Final

from pydantic import SecretStr

ENDPOINT_ALLOWED: Final = "must be tcp://HOST:PORT, or ipc:// with an absolute path of at most 107 bytes"
CURVE_KEY_ALLOWED: Final = "must be a CURVE key, 40 characters of Z85 (zmq_curve_keypair(3))"

_Z85: Final = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
"""The alphabet of ZeroMQ RFC 32, by value."""


def endpoint(value: str) -> str:
    """Return ``value`` if a socket can be bound or connected there; else raise ``ValueError``."""
    transport, _, rest = value.partition("://")
    tcp = re.fullmatch(r"(\*|\[[0-9A-Fa-f:]+\]|[A-Za-z0-9._-]+):(\d{1,5})", rest)
    if transport == "tcp" and tcp and 0 < int(tcp[2]) < 65536:
        return value
    # sun_path holds 107 characters and a zero (unix(7)).
    if transport == "ipc" and rest.startswith("/") and len(os.fsencode(rest)) <= 107:
        return value
    raise ValueError(ENDPOINT_ALLOWED)


def recovery(value: str) -> str:
    """Return ``value`` if a feed may be asked there for what was missed; else raise ``ValueError``."""
    if value in {"auto", "off"}:
        return value
    try:
        endpoint(value)
    except ValueError:
        raise ValueError(f"{ENDPOINT_ALLOWED}; or auto, or off") from None
    if value.startswith(("tcp://*", "tcp://0.0.0.0", "tcp://[::]")):
        raise ValueError("must name the host that is asked")
    return value


def leaves_host(value: str) -> bool:
    """Whether others than this host can reach a socket bound at the (valid) endpoint ``value``.

    A name counts as reachable, ``localhost`` excepted: what it resolves to is not known here.
    """
    transport, _, rest = value.partition("://")
    host = rest.rpartition(":")[0].strip("[]")
    if transport == "ipc" or host == "localhost":
        return False
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return True


def curve_key(value: str) -> str:
    """Return ``value`` if libzmq takes it for a key; else raise ``ValueError``, which does not show it."""
    groups = [value[at : at + 5] for at in range(0, len(value), 5)]
    if len(value) != 40 or not all(map(_fits, groups)):
        raise ValueError(CURVE_KEY_ALLOWED)
    return value


def curve_secret(value: SecretStr) -> SecretStr:
    """Return ``value`` if it holds a CURVE key; else raise ``ValueError``."""
    curve_key(value.get_secret_value())
    return value


def _fits(group: str) -> bool:
    """Whether five characters stand for a number of 32 bits."""
    number = 0
    for character in group:
        digit = _Z85.find(character)
        if digit < 0:
            return False
        number = number * 85 + digit
    return number < 2**32


def url(schemes: tuple[str, ...]) -> Callable[[SecretStr], SecretStr]:
    """Make a check that what is given is a URL of one of ``schemes``; a URL may hold a password."""

    def check(value: SecretStr) -> SecretStr:
        scheme, separator, rest = value.get_secret_value().partition("://")
        if not separator or not rest or scheme.partition("+")[0] not in schemes:
            raise ValueError(f"must be a URL that begins with {' or '.join(f'{s}://' for s in schemes)}")
        return value

    return check
