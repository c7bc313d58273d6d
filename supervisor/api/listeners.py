"""The sockets that are listened on: a Unix socket of one user, TCP with TLS, or what systemd opened."""

from __future__ import annotations

import contextlib
import grp
import ipaddress
import os
import socket
import ssl
from pathlib import Path

from msgspec import Struct

from supervisor.errors import Failed

LONGEST_PATH = 107
"""Bytes of a Unix socket's path (unix(7): sun_path holds 108 with the closing zero)."""
BACKLOG = 1024


class Tls(Struct, frozen=True):
    """Files of PEM: the certificate with its chain, its key ("" if that is with it), and the clients' CA."""

    cert: Path
    key: Path | None = None
    client_ca: Path | None = None


def listen(path: Path, gid: int | None) -> socket.socket:
    """Return a listening Unix socket at ``path`` that only its user (and group ``gid``) can open."""
    if len(os.fsencode(path)) > LONGEST_PATH:
        raise Failed(f"{path}: too long for a Unix socket ({LONGEST_PATH} bytes): set a shorter runtime_dir")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    with contextlib.ExitStack() as cleanup_on_fail:
        cleanup_on_fail.callback(listener.close)
        try:
            path.unlink(missing_ok=True)
            # Before bind, so that there is no instant with a wider mode (unix(7): the inode takes it over).
            os.fchmod(listener.fileno(), 0o600)
            listener.bind(str(path))
            if gid is not None:
                # After bind, which takes the umask off, and after the group is the right one.
                os.chown(path, -1, gid)
                path.chmod(0o660)
                os.chown(path.parent, -1, gid)
                path.parent.chmod(0o710)
            listener.listen(BACKLOG)
        except OSError as error:
            raise Failed(f"{path}: cannot listen there: {error.strerror}") from None
        cleanup_on_fail.pop_all()
    return listener


def listen_tcp(host: str, port: int) -> socket.socket:
    """Return a listening TCP socket on the first address of ``host``; port 0 is any that is free."""
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise Failed(f"api.host: {host!r} is no address of this host: {error.strerror}") from None
    listener = socket.socket(family, kind | socket.SOCK_NONBLOCK, protocol)
    with contextlib.ExitStack() as cleanup_on_fail:
        cleanup_on_fail.callback(listener.close)
        try:
            # So that a daemon that starts again need not wait for connections of its last life (tcp(7)).
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(BACKLOG)
        except OSError as error:
            raise Failed(
                f"{where}: cannot listen there: {error.strerror} (set [api] port; 0: no TCP)"
            ) from None
        cleanup_on_fail.pop_all()
    return listener


def is_loopback(listener: socket.socket) -> bool:
    """Whether only this host can connect to a listening socket of TCP."""
    return ipaddress.ip_address(listener.getsockname()[0].partition("%")[0]).is_loopback


def tls_context(tls: Tls) -> ssl.SSLContext:
    """Return how TCP is encrypted: TLS 1.2 or newer. Raises ``Failed`` with the file that is wrong."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    named = f"{tls.cert}" + (f" with {tls.key}" if tls.key else "")
    try:
        # No password is asked for on a terminal that a daemon has not.
        context.load_cert_chain(tls.cert, tls.key, password=b"")
    except ssl.SSLError as error:
        raise Failed(f"api.tls_cert: {named}: {_reason(error)}") from None
    except OSError as error:
        raise Failed(f"api.tls_cert: {named}: {error.strerror}") from None
    if tls.client_ca is not None:
        try:
            context.load_verify_locations(tls.client_ca)
        except ssl.SSLError as error:
            raise Failed(f"api.tls_client_ca: {tls.client_ca}: {_reason(error)}") from None
        except OSError as error:
            raise Failed(f"api.tls_client_ca: {tls.client_ca}: {error.strerror}") from None
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or "is no PEM that can be read").replace("_", " ").lower()


def gid_of(group: str | None) -> int | None:
    """Return the number of a group, None for none; raises ``Failed`` for one that there is not."""
    if group is None:
        return None
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise Failed(f"api.group: there is no group {group!r} on this host (see getent group)") from None
