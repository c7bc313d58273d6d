"""Where the daemon is, and how to show it who asks. Pure, but for the file that says where a socket is."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias
from urllib.parse import urlsplit

from supervisor.client.errors import Unsendable
from supervisor.paths import api_socket, stand_in

Certificate: TypeAlias = str | Path | tuple[str | Path, str | Path]
"""A PEM file with certificate and key, or one of each."""
PORTS: Final = {"http": 80, "https": 443}
ALLOWED: Final = "http://HOST:PORT, https://HOST:PORT, unix:///PATH, or the path of a socket"


class Place(NamedTuple):
    """A Unix socket, or ``host`` and ``port`` with TLS or without; ``base`` goes before every path."""

    text: str
    """As whoever named it wrote it, without user and password: for messages."""
    socket: Path | None = None
    host: str = "localhost"
    port: int = 0
    tls: bool = False
    base: str = ""

    @property
    def authority(self) -> str:
        """Host and port as a Host header has them (RFC 9110, 7.2)."""
        if self.socket is not None:
            return self.host
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def place_of(given: str | Path | None, environ: Mapping[str, str], uid: int) -> Place:
    """Return where ``given`` is; None: STRATD_URL, else the socket as the daemon itself finds it.

    Raises ``Unsendable`` for what is no such place, with what is allowed.
    """
    named = given if given is not None else environ.get("STRATD_URL") or None
    if named is None:
        named = api_socket(environ, uid)
        _is_own(named.parent, uid)
    if isinstance(named, Path):
        return Place(str(named), socket=named)
    if named.startswith("/"):
        return Place(named, socket=Path(named))
    return _of_url(named)


def _is_own(folder: Path, uid: int) -> None:
    """Raise ``Unsendable`` for a folder below /tmp, where there is no other, that somebody else has made.

    Whoever came first would be taken for the daemon: be told what is asked, and handed code.
    """
    if folder != stand_in(uid):
        return
    try:
        found = folder.lstat()
    except OSError:
        return  # then nobody answers, either
    if found.st_uid != uid or not stat.S_ISDIR(found.st_mode):
        raise Unsendable(
            f"{folder} was made by another user (uid {found.st_uid}), who would be taken for the daemon: "
            "set STRATD_RUNTIME_DIR or XDG_RUNTIME_DIR"
        )


def _of_url(text: str) -> Place:
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError as error:
        raise Unsendable(f"{text!r} is no place of a daemon ({error}); it is {ALLOWED}") from None
    if url.scheme == "unix" and url.path.startswith("/") and not url.netloc:
        return Place(url.path, socket=Path(url.path))
    if url.scheme not in PORTS or not url.hostname or url.query or url.fragment:
        raise Unsendable(f"{text!r} is no place of a daemon: it is {ALLOWED}")
    if url.username is not None or url.password is not None:
        raise Unsendable(
            "a key does not belong into a URL, which others see: give it as key, or STRATD_API_KEY"
        )
    base = url.path.rstrip("/")
    shown = f"{url.scheme}://{url.netloc}{base}"
    return Place(
        shown, host=url.hostname, port=port or PORTS[url.scheme], tls=url.scheme == "https", base=base
    )
