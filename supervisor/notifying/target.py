"""One target: who is told, where, and of what. Pure; what is wrong with one is told in a line each."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import urlsplit

from msgspec import Struct

from supervisor.notifying.severity import Severity

Kind: TypeAlias = Literal["webhook", "slack", "telegram", "email"]
Security: TypeAlias = Literal["starttls", "tls", "none"]
NAME: Final = r"^[a-z0-9][a-z0-9_-]{0,31}$"
"""Of a target: small letters, digits, ``-`` and ``_``, as feeds and routes have them."""
TELEGRAM: Final = "https://api.telegram.org"
"""Where bots post (core.telegram.org/bots/api, "Making requests"); a server of one's own has another."""
STANDARD: Final = "whsec_"
"""How a secret begins that is base64 (standardwebhooks.com); others are their own bytes."""
PORTS: Final[dict[Security, int]] = {"starttls": 587, "tls": 465, "none": 25}
"""RFC 6409, RFC 8314, RFC 5321."""
OF_KIND: Final[dict[Kind, tuple[frozenset[str], frozenset[str]]]] = {
    "webhook": (frozenset({"url"}), frozenset({"secret", "token"})),
    "slack": (frozenset({"url"}), frozenset()),
    "telegram": (frozenset({"token", "chat"}), frozenset({"url"})),
    "email": (frozenset({"host", "sender", "to"}), frozenset({"port", "user", "password", "security"})),
}
"""What each kind must be told, and what it may be."""
WHERE: Final = (
    "url",
    "secret",
    "token",
    "chat",
    "host",
    "port",
    "user",
    "password",
    "sender",
    "to",
    "security",
)
SECRETS: Final = ("url", "secret", "token", "password")
"""What is never shown: the URL of an incoming webhook lets whoever has it post."""
LONGEST: Final = 2_000
"""Characters of a secret."""
MOST: Final = 32
"""Targets of one daemon."""
_MAIL: Final = re.compile(r"[^\s@<>,;]{1,64}@[^\s@<>,;]{1,255}", re.ASCII)
_PRINTABLE: Final = re.compile(r"[\x21-\x7e]+", re.ASCII)


class Target(Struct, frozen=True, kw_only=True):
    """``name`` is told by ``kind``; which of the other fields it has is in ``OF_KIND``.

    ``events``, ``deployments`` and ``accounts`` are globs, any of which matches; ``severity`` is the least.
    ``every``: seconds between two messages at least; what happens meanwhile goes together into the next.
    """

    name: str
    kind: Kind
    enabled: bool = True
    events: tuple[str, ...] = ("*",)
    severity: Severity = "warning"
    deployments: tuple[str, ...] = ("*",)
    accounts: tuple[str, ...] = ("*",)
    every: float = 10.0
    url: str = ""
    secret: str = ""
    token: str = ""
    chat: str = ""
    host: str = ""
    port: int = 0
    user: str = ""
    password: str = ""
    sender: str = ""
    to: tuple[str, ...] = ()
    security: Security | None = None

    def __repr__(self) -> str:
        return f"Target({self.name}, {self.kind})"

    @property
    def chosen_security(self) -> Security:
        """How mail is protected on its way: STARTTLS unless it is said."""
        return self.security or "starttls"

    @property
    def chosen_port(self) -> int:
        """The port of the mail server."""
        return self.port or PORTS[self.chosen_security]

    @property
    def where(self) -> str:
        """Where messages go, for people: nothing secret."""
        if self.kind == "telegram":
            return f"chat {self.chat}"
        if self.kind == "email":
            return f"{', '.join(self.to)} by {self.host}:{self.chosen_port}"
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}/***"

    def without_secrets(self, text: str) -> str:
        """Return ``text`` with every secret of this target as stars: others repeat what they are told."""
        parts = {urlsplit(self.url).path, urlsplit(self.url).query} if self.url else set()
        hidden = {str(getattr(self, name)) for name in SECRETS} | parts
        for secret in sorted(hidden, key=len, reverse=True):
            if len(secret) > 1:
                text = text.replace(secret, "***")
        return text


def mistakes(target: Target) -> list[str]:
    """Return what is wrong with a target, a line each that names the field; no value that is secret."""
    needed, may = OF_KIND[target.kind]
    given = {name for name in WHERE if getattr(target, name)}
    wrong = [f"{name}: is needed for {target.kind}" for name in sorted(needed - given)]
    takes = ", ".join(sorted(needed | may))
    wrong += [
        f"{name}: is not for {target.kind}, which takes {takes}" for name in sorted(given - needed - may)
    ]
    if wrong:
        return wrong
    for name in SECRETS:
        value: str = getattr(target, name)
        if len(value) > LONGEST or not value.isprintable():
            wrong.append(f"{name}: must be one line of at most {LONGEST:,} characters")
    if wrong:
        return wrong
    if target.url and (why := _not_url(target.url)):
        wrong.append(f"url: {why}")
    if target.secret.startswith(STANDARD) and not _decodes(target.secret):
        wrong.append(f"secret: what follows {STANDARD} must be base64")
    if target.token and not _PRINTABLE.fullmatch(target.token):
        wrong.append("token: must be ASCII without spaces")
    return wrong + _mail(target)


def _mail(target: Target) -> list[str]:
    if target.kind != "email":
        return []
    wrong = [
        f"{field} = {one!r}: must be an address such as ops@example.org"
        for field, one in (("sender", target.sender), *(("to", one) for one in target.to))
        if not _MAIL.fullmatch(one)
    ]
    if not re.fullmatch(r"[A-Za-z0-9.:_-]{1,255}", target.host, re.ASCII):
        wrong.append(f"host = {target.host[:80]!r}: must be a name or an address")
    if bool(target.user) != bool(target.password):
        wrong.append("user, password: one needs the other")
    if target.password and target.security == "none" and not _here(target.host):
        wrong.append('security: "none" would send the password over the network for all to read')
    return wrong


def _not_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in {"http", "https"} or not parts.hostname or not _PRINTABLE.fullmatch(value):
        return "must be a URL that begins with http:// or https://"
    if parts.username or parts.password:
        return "must not hold a user or a password"
    if parts.scheme == "http" and not _here(parts.hostname):
        return "must begin with https:// where it leaves this host"
    return ""


def _here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _decodes(secret: str) -> bool:
    try:
        return bool(key_of(secret))
    except binascii.Error:
        return False


def key_of(secret: str) -> bytes:
    """Return the key of the signature that ``secret`` stands for. Raises ``binascii.Error``."""
    if secret.startswith(STANDARD):
        return base64.b64decode(secret.removeprefix(STANDARD), validate=True)
    return secret.encode()


def target_of(name: str, given: dict[str, Any]) -> Target:
    """Return the target that ``given`` says; what is None is as if it was not given."""
    said: dict[str, Any] = {
        field: tuple(value) if isinstance(value, list) else value
        for field, value in given.items()
        if value is not None
    }
    return Target(name=name, **said)
