"""What targets are told, without one: severities, filters, batches, words, what is wrong with a target."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bus.messages import FeedStatus
from supervisor.clearance import Said
from supervisor.events import WARNINGS
from supervisor.notifying.batch import LISTED, Batch, added
from supervisor.notifying.channel import NotDelivered, Undeliverable
from supervisor.notifying.choosing import account_of, wants
from supervisor.notifying.http import post_of, said
from supervisor.notifying.severity import CRITICAL, SEVERITIES, WARNING, severity_of
from supervisor.notifying.target import OF_KIND, SECRETS, WHERE, Target, mistakes
from supervisor.notifying.watch import Seen, disk_is_low, news
from supervisor.notifying.wording import DETAIL, LONGEST, chat_text, message_of, trial
from supervisor.store.tables import Event
from tests.supervisor.notifying.sinks import event

ROOT = Path(__file__).resolve().parents[3]
HOOK = Target(name="pager", kind="webhook", url="https://example.org/hooks/s3cret?t=t0ken")
KINDS = st.sampled_from(sorted(CRITICAL | WARNING | {"running", "reloaded", "rearmed"}))
EVENTS = st.builds(
    Event, st.integers(1, 10**9), st.integers(0, 2**62), KINDS, st.sampled_from(["", "eurusd"]),
    st.integers(0, 9), st.text(max_size=3000),
)  # fmt: skip


def owner(name: str) -> str:
    return {"eurusd": "demo"}.get(name, "")


def batch_of(events: list[Event]) -> Batch:
    found = Batch()
    for number, one in enumerate(events, 1):
        found = added(found, Event(number, one.at, one.kind, one.deployment_id, 1, one.detail), "demo")
    return found


# ---- severity ----
@pytest.mark.parametrize(
    ("detail", "severity"),
    [("operator: stop", "info"), ("shutdown: ", "info"), ("hang: x", "warning"), ("oom: x", "warning")],
)
def test_a_death_that_was_asked_for_is_no_trouble(detail, severity):
    assert severity == severity_of(event(1, "died", detail))


def test_what_is_logged_as_a_warning_is_told_as_one_but_for_what_follows_a_death():
    told = {"backoff", "connection_refused", "error"}
    assert set() == WARNINGS - CRITICAL - WARNING - told
    assert set() == CRITICAL & WARNING


def test_every_kind_that_has_a_severity_is_said_by_somebody():
    code = "".join(
        path.read_text()
        for room in ("supervisor", "strategies", "sandbox")
        for path in (ROOT / room).rglob("*.py")
        if path.name not in ("severity.py", "events.py")
    )
    states = {f"feed_{state}" for state in get_args(get_type_hints(FeedStatus)["state"])}
    made = states | {f"clearance_{word}" for word in get_args(Said)} | {"mirror_down", "strategy_broken"}
    silent = [kind for kind in CRITICAL | WARNING if f'"{kind}"' not in code and kind not in made]
    assert {"events_lost"} == set(silent), "which events.py says itself"


def test_the_document_has_every_kind_with_its_severity():
    text = (ROOT / "docs" / "notifications.md").read_text()
    for severity, kinds in (("critical", CRITICAL), ("warning", WARNING)):
        [row] = re.findall(rf"^\| `{severity}` \| (.*) \|$", text, re.MULTILINE)
        assert set(re.findall(r"`(\w+)`", row)) - {"operator", "shutdown"} == kinds


# ---- which ----
@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, True),
        ({"severity": "critical"}, False),
        ({"events": ("feed_*",)}, False),
        ({"events": ("feed_*", "d?ed")}, True),
        ({"deployments": ("gold*",)}, False),
        ({"deployments": ("eur*",)}, True),
        ({"accounts": ("live-*",)}, False),
        ({"accounts": ("de[m]o",)}, True),
    ],
)
def test_a_target_is_told_what_all_of_its_filters_let_through(changes, told):
    assert told == wants(replace(HOOK, **changes), event(1), "demo")


def test_an_event_of_the_daemon_is_for_who_hears_of_everybody():
    down = event(1, "engine_hung", "silent", "")
    assert wants(HOOK, down, "")
    assert not wants(replace(HOOK, deployments=("eur*",)), down, "")


@pytest.mark.parametrize(
    ("detail", "deployment", "account"),
    [
        ("account live-1 is latched (kill) by operator: x", "", "live-1"),
        ("account live-1: max_exposure 5 -> 4", "", "live-1"),
        ("account other is latched", "eurusd", "demo"),
        ("of no account", "", ""),
        ("x", "gone", ""),
    ],
)
def test_an_event_is_of_its_deployments_account_or_of_that_which_it_names(detail, deployment, account):
    assert account == account_of(event(1, "latched", detail, deployment), owner)


def test_that_a_target_is_down_is_told_to_the_others():
    down = event(1, "target_down", "pager: 5 failures in a row", "")
    assert not wants(HOOK, down, "")
    assert wants(replace(HOOK, name="mail"), down, "")


# ---- batches ----
@given(st.lists(EVENTS, max_size=3 * LISTED))
def test_a_batch_counts_every_event_and_lists_the_gravest(events):
    found = batch_of(events)
    assert Counter(one.kind for one in events) == Counter([one.event.kind for one in found.items]) + Counter(
        found.more
    )
    assert (len(events), min(len(events), LISTED)) == (found.count, len(found.items))
    numbers = [one.event.seq for one in found.items]
    assert sorted(numbers) == numbers
    listed = sorted((SEVERITIES.index(one.severity) for one in found.items), reverse=True)
    grades = [SEVERITIES.index(severity_of(Event(1, 1, one.kind, "", 1, one.detail))) for one in events]
    assert sorted(grades, reverse=True)[: len(listed)] == listed
    assert ((1, len(events)) if events else (0, 0)) == (found.first, found.last)


# ---- words ----
@given(st.lists(EVENTS, min_size=1, max_size=60))
def test_a_text_fits_has_no_control_characters_and_counts_what_it_leaves_out(events):
    message = message_of(batch_of(events), host="h", target="pager")
    assert len(message.text) <= LONGEST
    title, *lines = message.text.split("\n")
    assert all(line.isprintable() for line in [title, *lines])
    shown = sum(line.startswith("#") for line in lines)
    more = [int(line.split()[0].replace(",", "")) for line in lines if not line.startswith("#")]
    assert len(events) == shown + sum(more)
    assert message.body == json.loads(json.dumps(message.body))


def test_a_burst_is_one_message_that_says_how_many_more():
    message = message_of(batch_of([event(n) for n in range(50)]), host="h", target="pager")
    assert "stratd on h: 50 events (died 50)" == message.title
    assert message.text.endswith(f"{50 - message.text.count('#')} more: died {50 - message.text.count('#')}")
    assert (50, 20, {"died": 30}) == (
        message.body["count"], len(message.body["events"]), message.body["more"]
    )  # fmt: skip
    assert "h-pager-1-50" == message.id


def test_one_event_is_said_in_a_line_with_its_number():
    message = message_of(batch_of([event(1, detail="hang: a\nb\x1b[31m" + "x" * 5000)]), host="h", target="p")
    assert "stratd on h: eurusd died" == message.title
    line = message.text.split("\n")[1]
    assert line.startswith("#1 2025-11-21 14:30:00Z WARNING died eurusd: hang: a b [31mxxx")
    assert len(line) < DETAIL + 60


def test_nothing_in_a_chat_links_or_calls_anybody():
    assert "&lt;!channel&gt; &amp; @\u200beveryone" == chat_text("<!channel> & @everyone")


# ---- what is posted ----
def test_a_webhook_is_signed_as_the_standard_says():
    key = b"0123456789abcdef"
    secret = "whsec_" + base64.b64encode(key).decode()
    message = trial(host="h", target="pager", at=5)
    post = post_of(replace(HOOK, secret=secret, token="bearer-t"), message, 1700)
    signed = f"{message.id}.1700.".encode() + post.content
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert (f"v1,{expected}", message.id, "1700", "Bearer bearer-t") == tuple(
        post.headers[name]
        for name in ("webhook-signature", "webhook-id", "webhook-timestamp", "Authorization")
    )


def test_a_chat_is_sent_a_text_and_a_bot_its_chat():
    message = trial(host="h", target="x", at=5)
    slack = post_of(replace(HOOK, kind="slack"), message, 1)
    assert {"text": chat_text(message.text)} == json.loads(slack.content)
    assert set(slack.headers) == {"Content-Type"}
    bot = Target(name="x", kind="telegram", token="1:a", chat="-100")
    assert "https://api.telegram.org/bot1:a/sendMessage" == post_of(bot, message, 1).url
    body = json.loads(post_of(bot, message, 1).content)
    assert ("-100", message.text, True) == (
        body["chat_id"], body["text"], body["link_preview_options"]["is_disabled"]
    )  # fmt: skip


@pytest.mark.parametrize("status", [401, 403, 404, 410, 429, 500, 503, 302, 408])
def test_what_may_be_put_right_is_tried_again(status):
    with pytest.raises(NotDelivered):
        said(HOOK, status, b"no", None)


@pytest.mark.parametrize("status", [400, 413, 415, 422])
def test_what_is_refused_for_good_is_not(status):
    with pytest.raises(Undeliverable):
        said(HOOK, status, b"no", None)


@pytest.mark.parametrize(
    ("header", "body", "after"),
    [("7", b"", 7.0), (None, b'{"parameters": {"retry_after": 9}}', 9.0), ("soon", b"[]", None)],
)
def test_when_to_come_again_is_read_where_it_is_said(header, body, after):
    with pytest.raises(NotDelivered) as caught:
        said(HOOK, 429, body, header)
    assert after == caught.value.retry_after


def test_what_an_answer_repeats_of_the_targets_secrets_is_stars():
    body = b"no route /hooks/s3cret?t=t0ken at https://example.org/hooks/s3cret?t=t0ken"
    assert "200 no route ***?*** at ***" == said(HOOK, 200, body, None)


# ---- targets ----
GOOD = {
    "webhook": {"url": "https://example.org/x", "secret": "s", "token": "t"},
    "slack": {"url": "http://127.0.0.1:9/x"},
    "telegram": {"token": "1:a", "chat": "-100"},
    "email": {"host": "mx", "sender": "a@b", "to": ("c@d",), "user": "u", "password": "p", "port": 25},
}


@pytest.mark.parametrize("kind", OF_KIND)
def test_each_kind_takes_its_own_fields_and_no_others(kind):
    assert [] == mistakes(Target(name="x", kind=kind, **GOOD[kind]))
    needed, may = OF_KIND[kind]
    lacking = mistakes(Target(name="x", kind=kind))
    assert [f"{name}: is needed for {kind}" for name in sorted(needed)] == lacking
    for other in set(WHERE) - needed - may:
        value = {"port": 1, "to": ("a@b",), "security": "tls"}.get(other, "https://e.org")
        [told] = mistakes(Target(name="x", kind=kind, **GOOD[kind], **{other: value}))
        assert told.startswith(f"{other}: is not for {kind}")


@pytest.mark.parametrize(
    ("kind", "changes", "told"),
    [
        ("slack", {"url": "ftp://x/y"}, "url: must be a URL that begins with http"),
        ("slack", {"url": "https://u:hunter2@x/y"}, "url: must not hold a user"),
        ("slack", {"url": "http://example.org/y"}, "url: must begin with https:// where"),
        ("slack", {"url": "https://[::1/y"}, "url: must be a URL"),
        ("slack", {"url": "https://x/hunter2\nb"}, "url: must be one line of at most 2,000 characters"),
        ("slack", {"url": "https://x/hunter2 b"}, "url: must be a URL"),
        ("webhook", {"secret": "hunter2" * 300}, "secret: must be one line of at most 2,000 characters"),
        ("webhook", {"secret": "whsec_hunter2!"}, "secret: what follows whsec_ must be base64"),
        ("telegram", {"token": "hunter2 x"}, "token: must be ASCII"),
        ("email", {"sender": "nobody"}, "sender = 'nobody': must be an address"),
        ("email", {"to": ("a@b", "c@d\nBcc: e@f")}, "to = "),
        ("email", {"host": "a b"}, "host = 'a b'"),
        ("email", {"password": ""}, "user, password"),
        ("email", {"security": "none"}, "security: "),
    ],
)
def test_what_is_wrong_is_said_in_a_line_without_its_secret(kind, changes, told):
    [line] = mistakes(Target(name="x", kind=kind, **{**GOOD[kind], **changes}))
    assert line.startswith(told)
    assert "hunter2" not in line
    assert "\n" not in line


def test_no_text_of_a_target_has_a_secret():
    one = Target(name="x", kind="webhook", **{name: f"https://e.org/{name}-hunter2" for name in SECRETS})
    assert "hunter2" not in repr(one) + one.where
    assert "https://e.org/***" == one.where


# ---- what is only a state ----
def test_a_disk_at_the_edge_is_told_once():
    low = False
    told = [low := disk_is_low(free, 100, was=low) for free in (100, 99, 100, 99, 105, 99, 111, None, 99)]
    assert [False, True, True, True, True, True, False, False, True] == told
    [one] = news(Seen(), Seen(disk_low=True, disk_free=99 * 2**20))
    assert ("disk_low", "99.0 MiB free where") == (one.kind, one.detail[:19])
    assert ["disk_back"] == [one.kind for one in news(Seen(disk_low=True), Seen(disk_free=1))]


def test_a_problem_without_an_event_is_told_each_time_that_it_changes():
    seen = [Seen(), *(Seen(problems={"api": why}) for why in ("a", "a", "b")), Seen()]
    told = [one for before, now in pairwise(seen) for one in news(before, now)]
    assert [("problem", "a", ""), ("problem", "b", "")] == told
