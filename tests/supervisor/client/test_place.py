"""Where the daemon is: what is given, the environment, the socket; and what is none of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from supervisor import paths
from supervisor.client import place as place_module
from supervisor.client.call import segment, send
from supervisor.client.errors import NotFound, Unsendable
from supervisor.client.place import Place, place_of
from supervisor.client.session import open_session


def place(given: str | Path | None = None, **environ: str) -> Place:
    return place_of(given, environ, 1000)


def test_without_a_word_it_is_the_socket_that_the_command_line_would_use():
    assert place(STRATD_RUNTIME_DIR="/r").socket == Path("/r/api.sock")


@pytest.mark.parametrize("given", [Path("/r/a.sock"), "/r/a.sock", "unix:///r/a.sock"])
def test_a_socket_can_be_named_three_ways(given):
    assert place(given, STRATD_URL="https://elsewhere").socket == Path("/r/a.sock")


@pytest.mark.parametrize(
    ("url", "authority", "tls", "base"),
    [
        ("https://host:8003", "host:8003", True, ""),
        ("https://host/", "host:443", True, ""),
        ("http://127.0.0.1:8003/stratd/", "127.0.0.1:8003", False, "/stratd"),
        ("http://[::1]:8003", "[::1]:8003", False, ""),
    ],
)
def test_a_url_is_a_host_a_port_and_what_stands_before_every_path(url, authority, tls, base):
    found = place(STRATD_URL=url)
    assert (found.socket, found.authority, found.tls, found.base) == (None, authority, tls, base)


@pytest.mark.parametrize(
    "url",
    [
        "host:8003",
        "ftp://host",
        "https://",
        "https://h:99999",
        "unix://host/x",
        "https://h?x=1",
        "ht\ntp://[",
    ],
)
def test_what_is_no_place_is_refused_with_what_is_allowed(url):
    with pytest.raises(Unsendable, match="https://HOST:PORT"):
        place(url)


def test_a_key_in_a_url_is_refused_and_not_repeated():
    with pytest.raises(Unsendable) as refused:
        place("https://user:hunter2@host")
    assert "hunter2" not in str(refused.value)


def session(**given):
    stated = {"key": None, "verify": None, "cert": None, "timeout": None, "retries": 2, "environ": {}}
    return open_session("https://host", **(stated | given))


def test_the_key_is_given_or_of_the_environment_and_on_every_request():
    call = send("POST", "x", {})
    assert session(environ={"STRATD_API_KEY": "k1"}).headers(call)["X-API-Key"] == "k1"
    assert session(key="k2", environ={"STRATD_API_KEY": "k1"}).headers(call)["X-API-Key"] == "k2"
    assert "X-API-Key" not in session().headers(call)


@pytest.mark.parametrize("key", ["two words", "line\nbreak", "ключ"])
def test_what_no_key_can_be_is_refused_and_not_repeated(key):
    with pytest.raises(Unsendable) as refused:
        session(key=key)
    assert key not in str(refused.value)


def test_what_changes_something_has_a_key_of_its_own_and_what_reads_has_none():
    opened, call = session(), send("POST", "x", {})
    first, second = (opened.headers(call)["Idempotency-Key"] for _ in range(2))
    assert first != second
    assert "Idempotency-Key" not in opened.headers(call._replace(method="GET"))


@pytest.mark.parametrize("given", [{"verify": "/nowhere/ca.pem"}, {"cert": "/nowhere/me.pem"}])
def test_a_certificate_that_is_not_there_is_named(given):
    with pytest.raises(Unsendable, match="/nowhere/"):
        session(**given)


@pytest.mark.parametrize("name", ["", "/", "../../etc", "a/b", ".", ".."])
def test_what_cannot_be_a_name_is_nothings(name):
    with pytest.raises(NotFound) as found:
        segment(name)
    assert str(found.value) == f"no deployment {name!r}"


def test_what_json_cannot_say_is_not_sent():
    with pytest.raises(Unsendable):
        send("POST", "x", {"a": float("nan")})
    with pytest.raises(Unsendable):
        send("POST", "x", {"a": object()})


def test_a_folder_below_tmp_that_another_user_made_is_not_taken_for_the_daemons(tmp_path, monkeypatch):
    """Where there is no folder of a login session, anybody may come first."""
    me = os.geteuid()
    folder = tmp_path / "stratd"
    for module in (paths, place_module):
        monkeypatch.setattr(module, "stand_in", lambda _uid: folder)
    environ = {"HOME": str(tmp_path)}
    assert place_of(None, environ, me or 1000).socket == folder / "api.sock"  # nobody made it: nobody answers
    folder.mkdir()
    with pytest.raises(Unsendable, match=f"was made by another user \\(uid {me}\\)"):
        place_of(None, environ, me + 1)
    folder.rmdir()
    folder.symlink_to(tmp_path)
    with pytest.raises(Unsendable, match="another user"):
        place_of(None, environ, me + 1)
    assert place_of(None, {**environ, "XDG_RUNTIME_DIR": "/run/user/1"}, me + 1).socket
