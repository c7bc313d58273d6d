"""Whether a Redis answers at a URL, without its client: ``doctor`` should not wait for that to be imported.

Two commands of RESP, https://redis.io/docs/latest/develop/reference/protocol-spec/.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from typing import IO, cast
from urllib.parse import SplitResult, unquote, urlsplit

TIMEOUT = 2.0


def ping(url: str, password: str | None = None) -> str:
    """Return where it answered and how fast. Raises ``OSError``, or ``ValueError`` with what it said instead.

    ``password`` counts where the URL holds none. Neither appears in what is returned or raised.
    """
    parts = urlsplit(url)
    where = parts.path if parts.scheme == "unix" else f"{parts.hostname}:{parts.port or 6379}"
    began = time.monotonic()
    try:
        with _connect(parts) as connection, connection.makefile("rwb") as stream:
            talk = cast(
                "IO[bytes]", stream
            )  # typeshed's BufferedRWPair lacks what IO has and nobody here needs
            secret = unquote(parts.password) if parts.password else password
            if secret:
                _ask(talk, "OK", "AUTH", *([unquote(parts.username)] if parts.username else []), secret)
            _ask(talk, "PONG", "PING")
    except OSError as error:
        raise OSError(error.errno, f"{where}: {error.strerror or error}") from None
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    return f"{where} answers in {(time.monotonic() - began) * 1e3:.1f} ms"


def _connect(parts: SplitResult) -> socket.socket:
    if parts.scheme == "unix":
        with contextlib.ExitStack() as close_on_fail:
            connection = close_on_fail.enter_context(socket.socket(socket.AF_UNIX))
            connection.settimeout(TIMEOUT)
            connection.connect(parts.path)
            close_on_fail.pop_all()
            return connection
    host = parts.hostname or "localhost"
    plain = socket.create_connection((host, parts.port or 6379), TIMEOUT)
    if parts.scheme != "rediss":
        return plain
    with contextlib.ExitStack() as close_on_fail:
        close_on_fail.enter_context(plain)
        secured = ssl.create_default_context().wrap_socket(plain, server_hostname=host)
        close_on_fail.pop_all()
        return secured


def _ask(stream: IO[bytes], wanted: str, *words: str) -> None:
    """Send one command as an array of bulk strings and read one line."""
    encoded = [word.encode() for word in words]
    stream.write(
        b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded)
    )
    stream.flush()
    answer = stream.readline(512).decode(errors="replace").strip()
    if answer != f"+{wanted}":
        raise ValueError(f"answered {answer[1:] or 'nothing'!r} to {words[0]}")
