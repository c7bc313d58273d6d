"""Messages to real servers of this host, over HTTP and SMTP, which also refuse, redirect and hang."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable

import pytest
import trustme
from msgspec.structs import replace

from supervisor.notifying.channel import NotDelivered, Undeliverable
from supervisor.notifying.http import signature
from supervisor.notifying.opening import open_channel, say_once
from supervisor.notifying.target import Target
from supervisor.notifying.wording import trial
from tests.supervisor.notifying.sinks import HttpSink, MailSink

pytestmark = pytest.mark.system
MESSAGE = trial(host="h", target="pager", at=5)
MAIL = Target(
    name="mail", kind="email", host="127.0.0.1", port=1, sender="stratd@example.org",
    to=("ops@example.org", "night@example.org"), security="none",
)  # fmt: skip


def run(scene: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(scene(), 120))


def hook(sink: HttpSink, **more: str) -> Target:
    return Target(name="pager", kind="webhook", url=f"{sink.url}/hooks/s3cret?t=1", **more)


async def send(target: Target) -> str:
    channel = open_channel(target)
    try:
        return await channel.send(MESSAGE)
    finally:
        await channel.close()


# ---- HTTP ----
def test_a_webhook_comes_as_it_was_signed():
    async def scene() -> None:
        async with HttpSink() as sink:
            assert "200 ok" == await send(hook(sink, secret="k"))
            [(path, headers, body)] = sink.posts
            assert ("/hooks/s3cret?t=1", MESSAGE.body) == (path, body)
            when = int(headers["webhook-timestamp"])
            expected = signature("k", MESSAGE.id, when, headers["raw"].encode())
            assert expected == headers["webhook-signature"]

    run(scene)


def test_a_redirect_is_not_followed():
    async def scene() -> None:
        async with HttpSink() as sink, HttpSink() as elsewhere:
            sink.answers = [(307, {"Location": f"{elsewhere.url}/x"}, "")]
            with pytest.raises(NotDelivered, match="307: it redirects elsewhere"):
                await send(hook(sink))
            assert [] == elsewhere.posts

    run(scene)


def test_what_the_other_end_says_is_cut_and_has_no_secret():
    async def scene() -> None:
        async with HttpSink() as sink:
            sink.answers = [(400, {}, f"bad {sink.url}/hooks/s3cret?t=1 " + "x" * 100_000)]
            with pytest.raises(Undeliverable) as caught:
                await send(hook(sink))
            assert str(caught.value).startswith("400 bad *** xxx")
            assert len(str(caught.value)) < 300
            assert (False, "503 later") == await _once(sink, (503, {"Retry-After": "9"}, "later"))

    async def _once(sink: HttpSink, answer: object) -> tuple[bool, str]:
        sink.answers = [answer]
        return await say_once(hook(sink), MESSAGE)

    run(scene)


def test_a_server_that_is_not_there_is_told_without_the_url():
    async def scene() -> None:
        with socket.socket() as nobody:  # bound, and it does not listen: no other gets the port
            nobody.bind(("127.0.0.1", 0))
            sink = HttpSink()
            sink.port = nobody.getsockname()[1]
            with pytest.raises(NotDelivered, match=r"^cannot connect \(") as caught:
                await send(hook(sink))
        assert "s3cret" not in str(caught.value)

    run(scene)


# ---- mail ----
@pytest.fixture
def authority(monkeypatch, tmp_path) -> trustme.CA:
    """An authority that this process trusts (openssl-env(7), SSL_CERT_FILE)."""
    made = trustme.CA()
    made.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return made


def tls_of(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


def test_a_mail_goes_over_tls_with_its_password_to_everybody(authority):
    async def scene() -> None:
        async with MailSink(tls_of(authority)) as sink:
            target = replace(MAIL, port=sink.port, security=None, user="u", password="p")
            assert "250 taken" == await send(target)
            telling = [line for line in sink.said if not line.upper().startswith(("EHLO", "STARTTLS"))]
            assert all(line.startswith("tls ") for line in telling), telling
            assert [line for line in telling if line.startswith("tls AUTH")]
            recipients = [line for line in sink.said if "rcpt" in line.lower()]
            assert ["ops", "night"] == [line.partition("<")[2].partition("@")[0] for line in recipients]
            [mail] = sink.mails
            assert f"Message-ID: <{MESSAGE.id}@example.org>\r\n" in mail
            assert "Subject: [info] stratd on h: test of the target pager\r\n" in mail
            assert "Auto-Submitted: auto-generated\r\n" in mail

    run(scene)


def test_a_server_with_another_certificate_is_told_no_password(authority):
    async def scene() -> None:
        async with MailSink(tls_of(trustme.CA())) as sink:
            target = replace(MAIL, port=sink.port, security="starttls", user="u", password="p")
            with pytest.raises(NotDelivered, match="no connection"):
                await send(target)
            assert not [line for line in sink.said if "AUTH" in line.upper()]

    run(scene)


def test_a_server_without_tls_is_told_nothing_more():
    async def scene() -> None:
        async with MailSink() as sink:
            with pytest.raises(NotDelivered, match="STARTTLS"):
                await send(replace(MAIL, port=sink.port, security="starttls"))
            assert {"EHLO", "QUIT"} >= {line.split()[0].upper() for line in sink.said}

    run(scene)


@pytest.mark.parametrize(
    ("command", "answer", "error"),
    [
        ("RCPT", "550 no such user", Undeliverable),
        ("MAIL", "554 no", Undeliverable),
        ("RCPT", "451 later", NotDelivered),
        ("DATA", "452 full", NotDelivered),
    ],
)
def test_a_servers_refusal_is_for_good_or_for_now_as_it_says(command, answer, error):
    async def scene() -> None:
        async with MailSink(refuse={command: answer}) as sink:
            with pytest.raises(error, match=answer):
                await send(replace(MAIL, port=sink.port))
            assert [] == sink.mails

    run(scene)


def test_a_goodbye_that_goes_wrong_makes_no_second_mail():
    async def scene() -> None:
        async with MailSink(refuse={"QUIT": "500 what"}) as sink:
            assert "250 taken" == await send(replace(MAIL, port=sink.port))
            assert 1 == len(sink.mails)

    run(scene)


def test_who_gives_up_on_a_server_that_hangs_gets_its_thread_back():
    async def scene() -> None:
        async with MailSink(refuse={"hang": ""}) as sink:
            target = replace(MAIL, name="hanging", port=sink.port)
            channel = open_channel(target)
            sending = asyncio.create_task(channel.send(MESSAGE))
            await sink.came.wait()
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
            await channel.close()
            for thread in threading.enumerate():
                if thread.name.startswith("mail hanging"):
                    await asyncio.to_thread(thread.join, 60)
                    assert not thread.is_alive()

    run(scene)
