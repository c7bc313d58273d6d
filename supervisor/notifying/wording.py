"""What a message says: one batch of events as a title, a text for people, and an object for programs. Pure.

Details come from strategies, venues and files, so they are plain text here: one line each, nothing that a
terminal, a mail header or a chat would take for more than text (``chat_text``).
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime
from typing import Any, Final

from msgspec import Struct, structs

from supervisor.notifying.batch import Batch, Item
from supervisor.notifying.severity import Severity

FORMAT: Final = 1
"""Of the object: a field may come without a new number; one that goes, or means another thing, has one."""
LONGEST: Final = 1_800
"""Characters of a text: Discord takes 2,000 (discord.com/developers, "Execute Webhook"), others more."""
DETAIL: Final = 240
"""Characters of one event's detail in a text."""


class Message(Struct, frozen=True, kw_only=True):
    """``id`` stays however often it is sent. ``body`` is for programs, ``title`` and ``text`` for people."""

    id: str
    title: str
    text: str
    severity: Severity
    body: dict[str, Any]
    count: int = 1


def message_of(batch: Batch, *, host: str, target: str) -> Message:
    """Return the message that tells of ``batch``; ``host`` is whose daemon it is."""
    found = f"{host}-{target}-{batch.first}-{batch.last}"
    title = _title(batch, host)
    text = _text(batch, title)
    body = {
        "format": FORMAT,
        "id": found,
        "host": host,
        "target": target,
        "title": title,
        "text": text,
        "severity": batch.severity,
        "first": batch.first,
        "last": batch.last,
        "count": batch.count,
        "events": [
            {**structs.asdict(one.event), "account_id": one.account, "severity": one.severity}
            for one in batch.items
        ],
        "more": batch.more,
    }
    return Message(id=found, title=title, text=text, severity=batch.severity, body=body, count=batch.count)


def trial(*, host: str, target: str, at: int) -> Message:
    """Return the message that ``POST /notifications/NAME/test`` sends; ``at`` is unix ns."""
    title = f"stratd on {plain(host, 64)}: test of the target {target}"
    text = f"{title}\nIf you can read this, notifications reach you."
    name = f"{host}-{target}-test-{at}"
    body = {
        "format": FORMAT, "id": name, "host": host, "target": target, "title": title,
        "text": text, "severity": "info", "first": 0, "last": 0, "count": 0, "events": [], "more": {},
    }  # fmt: skip
    return Message(id=name, title=title, text=text, severity="info", body=body, count=0)


def plain(text: str, most: int) -> str:
    """Return ``text`` on one line, printable, at most ``most`` characters."""
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    return line if len(line) <= most else line[: most - 1] + "…"


def chat_text(text: str) -> str:
    """Return ``text`` for a chat, where nothing in it links or calls people.

    ``&``, ``<`` and ``>`` as Slack has them (api.slack.com, "Escaping text"): without that, ``<!channel>`` in
    a strategy's detail wakes everybody. Discord knows ``@everyone``, so what follows an ``@`` is set apart.
    """
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"@(?=\w)", "@\u200b", escaped)


def _title(batch: Batch, host: str) -> str:
    head = f"stratd on {plain(host, 64)}: "
    if batch.count == 1:
        one = batch.items[0]
        about = one.event.deployment_id or one.account
        return f"{head}{f'{about} ' if about else ''}{one.event.kind}"
    kinds = Counter(batch.more)
    kinds.update(one.event.kind for one in batch.items)
    return f"{head}{batch.count:,} events ({_counted(kinds)})"


def _text(batch: Batch, title: str) -> str:
    lines, left = [title], LONGEST - len(title) - 200  # room for the last line
    more = Counter(batch.more)
    for one in batch.items:
        line = _line(one)
        if len(line) > left:
            more[one.event.kind] += 1
            continue
        lines.append(line)
        left -= len(line) + 1
    if more:
        lines.append(f"{more.total():,} more: {_counted(more)}")
    return "\n".join(lines)


def _counted(kinds: Counter[str]) -> str:
    known = kinds.most_common(4)
    rest = len(kinds) - len(known)
    others = f", {rest} other kinds" if rest else ""
    return ", ".join(f"{kind} {number:,}" for kind, number in known) + others


def _line(one: Item) -> str:
    event = one.event
    at = datetime.fromtimestamp(event.at // 1_000_000_000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    about = event.deployment_id or one.account
    detail = plain(event.detail, DETAIL)
    told = f"{event.kind}{f' {about}' if about else ''}{f': {detail}' if detail else ''}"
    return f"#{event.seq} {at} {one.severity.upper()} {told}"
