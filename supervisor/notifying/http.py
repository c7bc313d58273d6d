"""Targets over HTTP: webhooks signed as standardwebhooks.com says, those of chats, and Telegram's bots.

Rules of this file. Redirects are not followed and no proxy of the environment is used (``outbound.py``), so a
message goes where its target says and nowhere else. URLs hold secrets, so no error has one, nor a text of the
client's, which may hold it. Of an answer a few kilobytes are read.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2
import msgspec
from msgspec import Struct

from supervisor.notifying.channel import NotDelivered, Undeliverable
from supervisor.notifying.target import TELEGRAM, Target, key_of
from supervisor.notifying.wording import Message, chat_text, plain
from supervisor.outbound import open_client

LARGEST: Final = 8_192
"""Bytes of an answer that are looked at."""
SAID: Final = 200
"""Characters of it that are shown."""
TIMEOUT: Final = 10.0
"""Seconds for each step of a request; the postman's is for all of it."""
LATER: Final = frozenset({408, 409, 425, 429})
ELSEWHERE: Final = frozenset({401, 403, 404, 405, 407, 410, 421, 426})
"""About the way, not about the message: a wrong token or URL is put right while it waits."""


class Post(Struct, frozen=True):
    """One POST of JSON: where to, what, and with which headers."""

    url: str
    content: bytes
    headers: dict[str, str]


def post_of(target: Target, message: Message, now: int) -> Post:
    """Return what is sent to ``target``; ``now`` unix seconds, which a signature is of. Pure."""
    headers = {"Content-Type": "application/json"}
    if target.kind == "slack":
        return Post(target.url, _json({"text": chat_text(message.text)}), headers)
    if target.kind == "telegram":
        url = f"{(target.url or TELEGRAM).rstrip('/')}/bot{target.token}/sendMessage"
        body = {"chat_id": target.chat, "text": message.text, "link_preview_options": {"is_disabled": True}}
        return Post(url, _json(body), headers)
    content = _json(message.body)
    headers |= {"webhook-id": message.id, "webhook-timestamp": str(now)}
    if target.token:
        headers["Authorization"] = f"Bearer {target.token}"
    if target.secret:
        headers["webhook-signature"] = signature(target.secret, message.id, now, content)
    return Post(target.url, content, headers)


def signature(secret: str, message_id: str, now: int, content: bytes) -> str:
    """Return ``v1,`` and the HMAC-SHA256 of id, time and body, base64 (standardwebhooks.com)."""
    signed = f"{message_id}.{now}.".encode() + content
    return "v1," + base64.b64encode(hmac.digest(key_of(secret), signed, hashlib.sha256)).decode()


def said(target: Target, status: int, text: bytes, retry_after: str | None) -> str:
    """Return what an answer says of a message that was taken; raises ``ChannelError`` for any other. Pure."""
    shown = plain(target.without_secrets(text[:LARGEST].decode(errors="replace")), SAID)
    told = f"{status} {shown}".strip()
    if 200 <= status < 300:
        return told
    if status in LATER or status >= 500:
        raise NotDelivered(told, retry_after=_seconds(retry_after, text))
    if status in ELSEWHERE or 300 <= status < 400:
        raise NotDelivered(told if status < 300 or status >= 400 else f"{status}: it redirects elsewhere")
    raise Undeliverable(told)


def _seconds(header: str | None, text: bytes) -> float | None:
    """Read Retry-After (RFC 9110, 10.2.3) in seconds, else Telegram's ``parameters.retry_after``."""
    if header is not None and header.isascii() and header.isdigit():
        return float(header)
    try:
        body: Any = msgspec.json.decode(text)
        found = body["parameters"]["retry_after"]
    except (msgspec.MsgspecError, UnicodeDecodeError, KeyError, TypeError):
        return None
    return float(found) if isinstance(found, int) and not isinstance(found, bool) and found >= 0 else None


def _json(body: dict[str, Any]) -> bytes:
    return msgspec.json.encode(body)


class HttpChannel:
    """``supervisor.notifying.channel.Channel``; ``now`` gives unix seconds."""

    def __init__(self, target: Target, client: httpx2.AsyncClient, now: Callable[[], float]) -> None:
        self._target = target
        self._client = client
        self._now = now

    async def send(self, message: Message) -> str:
        """Post it."""
        post = post_of(self._target, message, int(self._now()))
        try:
            async with self._client.stream(
                "POST", post.url, content=post.content, headers=post.headers
            ) as response:
                text = b""
                async for part in response.aiter_bytes():
                    text += part
                    if len(text) > LARGEST:
                        break
                status, after = response.status_code, response.headers.get("Retry-After")
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            raise NotDelivered(f"cannot connect ({_cause(error)})") from None
        except (httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL, OSError) as error:
            raise NotDelivered(f"no answer ({type(error).__name__})") from None
        return said(self._target, status, text, after)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def _cause(error: BaseException) -> str:
    """Name the system's reason, which has no URL: a host that a firewall forbids is a common one."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, OSError) and inner.strerror:
            return inner.strerror
        inner = inner.__cause__ or inner.__context__
    return type(error).__name__


def open_http(target: Target, now: Callable[[], float]) -> HttpChannel:
    """Return the channel of a webhook, chat or bot."""
    parts = urlsplit(target.url or TELEGRAM)
    client = open_client(f"{parts.scheme}://{parts.netloc}", "", timeout=TIMEOUT, connections=2)
    return HttpChannel(target, client, now)
