"""``stratd notifications``: who is told is added, listed, tried and taken away."""

from __future__ import annotations

import asyncio
import io

import pytest

from supervisor.api.bound import bound
from supervisor.api.caller import Caller, asking
from supervisor.client import Client
from supervisor.client.errors import Invalid
from supervisor.errors import Refused
from supervisor.schema.notifications import NotificationTest

pytestmark = pytest.mark.system
URL = "https://hooks.example.org/services/s3cret"


@pytest.fixture
def secret(tmp_path) -> str:
    (tmp_path / "url").write_text(URL + "\n")
    return f"@{tmp_path / 'url'}"


def test_one_is_added_from_a_file_and_listed_without_its_secret(served, stratd, secret):
    assert stratd("notifications list").out.startswith("nobody is told; 'stratd notifications add'")
    ended = stratd(f"notifications add team --kind slack --url {secret} --severity critical --event 'feed_*'")
    told = "team: https://hooks.example.org/*** is told; 'stratd notifications test team' tries it\n"
    assert (0, told, "") == (ended.code, ended.out, ended.err)
    [known] = stratd("notifications list --json").json
    assert ("critical", ["feed_*"], ["*"]) == (known["severity"], known["events"], known["accounts"])
    listed = stratd("notifications list")
    assert ["team", "slack", "https://hooks.example.org/***", "critical", "ok", "0", "0", "-", "-"] == (
        listed.out.splitlines()[1].split()
    )
    assert "s3cret" not in listed.out + str(known)


def test_a_secret_may_come_on_stdin(served, stratd, daemon, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("1:token\n"))
    assert stratd("notifications add phone --kind telegram --token @- --chat=-100").code == 0
    assert "chat -100" == daemon.targets["phone"].where


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("add x --kind pigeon --url https://e.org", "pigeon"),
        ("add x --kind slack", "url: is needed for slack"),
        ("add X! --kind slack --url https://e.org/s3cret", "name"),
        (
            f"add x --kind slack --url https://e.org/{'s3cret' * 400}",
            "url: must be one line of at most 2,000",
        ),
        ("add x --kind slack --url @/nowhere", "--url '@/nowhere': No such file or directory"),
        ("add x --kind slack --url @/dev/null", "--url '@/dev/null': is empty"),
        ("add x --kind slack --url ftp://s3cret", "url: must be a URL that begins with http:// or https://"),
        ("add x --kind email --host mx --sender a@b --to nobody", "to = 'nobody': must be an address"),
    ],
)
def test_a_mistake_is_one_line_that_names_it_and_exits_2(served, stratd, line, told):
    ended = stratd(f"notifications {line}")
    assert (2, "") == (ended.code, ended.out)
    assert told in ended.err
    assert "s3cret" not in ended.err


def test_a_test_message_says_what_came_of_it_by_its_exit_code_too(served, stratd, daemon, secret):
    stratd(f"notifications add team --kind slack --url {secret}")
    assert "team: delivered in 2 ms: 200 ok\n" == stratd("notifications test team").out
    answer = NotificationTest(name="team", delivered=False, detail="404 no_service", took_ms=3.0)
    daemon.answer = answer
    ended = stratd("notifications test team")
    assert (1, "", "stratd: team: not delivered: 404 no_service\n") == (ended.code, ended.out, ended.err)
    shown = stratd("notifications test team --json")
    assert (1, answer.model_dump()) == (shown.code, shown.json)


def test_one_is_taken_away_and_an_unknown_one_is_4(served, stratd, secret):
    stratd(f"notifications add team --kind slack --url {secret}")
    assert "team: removed\n" == stratd("notifications remove team").out
    ended = stratd("notifications remove team")
    assert (4, "stratd: no target 'team'\n") == (ended.code, ended.err)
    assert 4 == stratd("notifications test team").code


def test_the_client_does_the_same(served, daemon):
    with Client(served.path) as client:
        made = client.add_notification("mail", "email", host="mx", sender="a@b", to=("c@d",), every=60)
        assert ("c@d by mx:587", 60.0) == (made.where, made.every)
        assert client.test_notification("mail").delivered
        assert ["mail"] == [one.name for one in client.notifications()]
        assert "mail" == client.remove_notification("mail").name
        with pytest.raises(Invalid, match="chat: is needed for telegram"):
            client.add_notification("x", "telegram", token="1:a")


@pytest.mark.parametrize(
    "call", ["notifications", "add_notification", "remove_notification", "test_notification"]
)
def test_a_key_of_an_account_has_no_part_in_it(daemon, call):
    token = asking.set(Caller(name="w", account="mine", key="k", scopes=frozenset({"admin", "read"})))
    try:
        with pytest.raises(Refused, match="bound to the account"):
            asyncio.run(getattr(bound(daemon), call)("x"))
    finally:
        asking.reset(token)
