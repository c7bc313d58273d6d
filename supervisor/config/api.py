"""``[api]``: who may talk to the daemon, where, and how much at once. Frozen, as every section is."""

from __future__ import annotations

import os
import re
from typing import Annotated, Final

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator

from supervisor.config.endpoints import leaves_host
from supervisor.config.sections import Directory, Duration, Int, Section, Size

PORT: Final = 8003
SHORTEST_KEY: Final = 16
_RATE: Final = re.compile(r"([1-9]\d{0,6})\s*/\s*(second|minute|hour)")


def _rate(value: str) -> str:
    if not _RATE.fullmatch(value.strip()):
        raise ValueError("must be a number of requests in a second, minute or hour, as in 100/second")
    return value.strip()


def _name(value: str) -> str:
    # A star would be every name, so that of whoever makes one point here.
    if not re.fullmatch(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?", value):
        raise ValueError(
            "must be the name of a host, without scheme, port or star, as in trading.example.org"
        )
    return value


Rate = Annotated[str, AfterValidator(_rate)]


class Api(Section):
    """``[api]``. The Unix socket is always there; on TCP every request needs a key."""

    insecure: bool = False
    """Keys may cross a network unencrypted: whoever sets this has another layer that encrypts."""
    tls_cert: Directory | None = None
    """PEM, the certificate with its chain; then TCP is TLS."""
    tls_key: Directory | None = None
    tls_client_ca: Directory | None = None
    """PEM; clients must show a certificate that one of these signed, besides their key."""
    host: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9.:_-]+$")] = "127.0.0.1"
    names: list[Annotated[str, AfterValidator(_name)]] = Field(default=[], max_length=100)
    """By which browsers may ask besides localhost: of a proxy before the daemon, or of /etc/hosts."""
    port: Annotated[Int, Field(ge=0, le=65535)] = PORT
    """TCP port, 0 for none. Also PORT."""
    key: SecretStr | None = None
    """The first key, which may everything. Also API_KEY."""
    group: str | None = Field(default=None, min_length=1, max_length=32)
    """A group whose members may use the Unix socket, besides root and the daemon's own user."""
    max_body: Annotated[Size, Field(ge=1024, le=64 * 2**20)] = 2**20
    rate: Rate = "100/second"
    """Requests of one key."""
    failures: Rate = "20/minute"
    """Wrong keys from one address, before it is told to wait."""
    timeout: Annotated[Duration, Field(ge=1, le=3600)] = 60.0
    """How long a request over TCP may take; a stream may last, and each of its pieces takes that long."""

    max_connections: Annotated[Int, Field(ge=16, le=65_536)] = 1024
    """Open at once on a listener; beyond it who has waited longest without a key goes."""
    max_waiting: Annotated[Int, Field(ge=8, le=65_536)] = 256
    """Of them: in a handshake of TLS, without a key so far, or with a request that has not come in whole."""
    handshake_timeout: Annotated[Duration, Field(ge=0.1, le=600)] = 10.0
    """Until a handshake of TLS is done."""
    request_timeout: Annotated[Duration, Field(ge=0.1, le=600)] = 10.0
    """Until a request has come in whole, from connecting or from its first byte on."""

    @field_validator("names", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return [part for part in value.split(os.pathsep) if part] if isinstance(value, str) else value

    @field_validator("key")
    @classmethod
    def _long(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.fullmatch(r"[\x21-\x7e]{16,512}", value.get_secret_value()):
            raise ValueError(f"must be {SHORTEST_KEY} to 512 printable characters without a space")
        return value

    @field_validator("tls_key", "tls_client_ca")
    @classmethod
    def _with_certificate(cls, value: object, info: ValidationInfo) -> object:
        if value is not None and info.data.get("tls_cert", value) is None:
            raise ValueError("needs api.tls_cert beside it")
        return value

    @field_validator("host")
    @classmethod
    def _encrypted(cls, value: str, info: ValidationInfo) -> str:
        # What is wrong itself is not in info.data, and is told.
        clear = info.data.get("tls_cert", value) is None and not info.data.get("insecure", True)
        where = f"[{value}]" if ":" in value else value
        if clear and leaves_host(f"tcp://{where}:1"):
            raise ValueError(
                "can be reached from other hosts, so it needs api.tls_cert (or api.insecure = true)"
            )
        return value

    @property
    def chosen(self) -> bool:
        """Whether somebody set the port: then it is an error if it cannot be had."""
        return "port" in self.model_fields_set
