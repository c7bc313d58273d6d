"""Targets by mail: one message over SMTP (RFC 5321), on a thread of its own since ``smtplib`` waits.

Rules of this file. One thread a target, so a server that hangs holds that thread and nothing else; whoever
gives up closes the socket, and the thread ends. The server's certificate is checked, always.
"""

from __future__ import annotations

import asyncio
import contextlib
import smtplib
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any, Final

from supervisor.notifying.channel import ChannelError, NotDelivered, Undeliverable
from supervisor.notifying.target import Target
from supervisor.notifying.wording import Message, plain

TIMEOUT: Final = 10.0
"""Seconds for each answer of the server."""
GOODBYE: Final = 1.0
"""Seconds for the answer to QUIT."""
SUBJECT: Final = 150
"""Characters: beyond, readers cut it anyway."""
SAID: Final = 200


def mail_of(target: Target, message: Message, at: datetime) -> EmailMessage:
    """Return ``message`` as a mail. Pure. Its ``Message-ID`` is the same each time that it is sent."""
    mail = EmailMessage()
    mail["From"] = target.sender
    mail["To"] = ", ".join(target.to)
    mail["Subject"] = plain(f"[{message.severity}] {message.title}", SUBJECT)
    mail["Date"] = format_datetime(at)
    mail["Message-ID"] = f"<{message.id}@{target.sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday notice is wanted
    mail.set_content(message.text)
    return mail


class _Attempt:
    """One mail on its way, and how whoever waits for it gives up: from the loop, while a thread is at it."""

    def __init__(self) -> None:
        self._server: smtplib.SMTP | None = None
        self.given_up = False

    def show(self, server: smtplib.SMTP) -> None:
        """Take note of who is spoken to."""
        self._server = server

    def hang_up(self) -> None:
        """Give up. Said before the socket is looked at: whoever gets one after that finds it said."""
        self.given_up = True
        connection = self._server.sock if self._server is not None else None
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Client(smtplib.SMTP):
    """Shows itself to its attempt before it connects. Its own name it asks of nobody."""

    def __init__(self, attempt: _Attempt, host: str, port: int, **more: Any) -> None:
        self._attempt = attempt
        attempt.show(self)
        super().__init__(host, port, local_hostname=socket.gethostname(), timeout=TIMEOUT, **more)

    def getreply(self) -> tuple[int, bytes]:
        """Wait for an answer, unless nobody waits for that any more."""
        if self._attempt.given_up:
            self.close()
            raise smtplib.SMTPServerDisconnected("given up")
        return super().getreply()


class _TlsClient(_Client, smtplib.SMTP_SSL):
    """The same, with TLS from the first byte (RFC 8314)."""


class MailChannel:
    """``supervisor.notifying.channel.Channel``."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._thread = ThreadPoolExecutor(1, f"mail {target.name}")

    async def send(self, message: Message) -> str:
        """Send it. Cancelled, it hangs up."""
        mail, attempt = mail_of(self._target, message, datetime.now(UTC)), _Attempt()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._send, mail, attempt)
        except asyncio.CancelledError:
            attempt.hang_up()
            raise

    async def close(self) -> None:
        """Let go of the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    # ---- on the thread ----------------------------------------------------------------------------
    def _send(self, mail: EmailMessage, attempt: _Attempt) -> str:
        try:
            server = self._connected(attempt)
            try:
                refused = server.send_message(mail, self._target.sender, list(self._target.to))
                _leave(server)
            finally:
                server.close()
        except smtplib.SMTPException as error:
            raise self._error(error) from None
        except (OSError, UnicodeError) as error:  # ssl.SSLError is one; no name of a host
            why = error.strerror if isinstance(error, OSError) else None
            raise NotDelivered(f"no connection: {self._shown(why or type(error).__name__)}") from None
        if refused:
            return f"taken, but not for {', '.join(sorted(refused))}"
        return "250 taken"

    def _connected(self, attempt: _Attempt) -> smtplib.SMTP:
        target = self._target
        host, port = target.host, target.chosen_port
        context = ssl.create_default_context()
        if target.chosen_security == "tls":
            server: smtplib.SMTP = _TlsClient(attempt, host, port, context=context)
        else:
            server = _Client(attempt, host, port)
        try:
            if target.chosen_security == "starttls":
                server.starttls(context=context)
            if target.user:
                server.login(target.user, target.password)
        except BaseException:
            server.close()
            raise
        return server

    def _error(self, error: smtplib.SMTPException) -> ChannelError:
        code, said = _answer(error)
        told = self._shown(f"{code} {said}" if code else said) or type(error).__name__
        # 5yz is the last word on this mail (RFC 5321, 4.2.1); a login that fails is about the way.
        way = isinstance(error, smtplib.SMTPAuthenticationError | smtplib.SMTPConnectError)
        return Undeliverable(told) if 500 <= code < 600 and not way else NotDelivered(told)

    def _shown(self, text: str) -> str:
        return plain(self._target.without_secrets(text), SAID)


def _leave(server: smtplib.SMTP) -> None:
    """Say goodbye. The mail is taken: whatever comes of this must not have it sent again."""
    with contextlib.suppress(smtplib.SMTPException, OSError):
        if server.sock is not None:
            server.sock.settimeout(GOODBYE)
        server.docmd("QUIT")


def _answer(error: smtplib.SMTPException) -> tuple[int, str]:
    """Return code and text of the server's answer; 0 where it gave none."""
    text: bytes | str
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, text = next(iter(error.recipients.values()), (0, b""))
    elif isinstance(error, smtplib.SMTPResponseException):
        code, text = error.smtp_code, error.smtp_error
    else:
        return 0, str(error)
    return code, text.decode(errors="replace") if isinstance(text, bytes) else text
