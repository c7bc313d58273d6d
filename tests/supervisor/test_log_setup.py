"""The daemon's own log: what a line carries, what it never shows, and the journal's protocol."""

from __future__ import annotations

import io
import json
import logging
import os
import socket
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from supervisor import log_setup
from supervisor.config import load
from supervisor.journald import Journal, connected_to_journal, entry, field
from supervisor.log_setup import HIDDEN, configure_log, journal_fields, without_secrets


def read_entry(datagram: bytes) -> dict[str, str]:
    """Read an entry as the journal does (systemd.io/JOURNAL_NATIVE_PROTOCOL)."""
    found, left = {}, datagram
    while left:
        line, left = left.split(b"\n", 1)
        name, is_short, value = line.partition(b"=")
        if not is_short:
            (size,) = struct.unpack("<Q", left[:8])
            value, left = left[8 : 8 + size], left[8 + size + 1 :]
        found[name.decode()] = value.decode()
    return found


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "journal"))
        listener.settimeout(60)
        yield listener


@pytest.fixture
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers, root.level = handlers, level
    logging.getLogger("stratd").setLevel(logging.NOTSET)
    structlog.reset_defaults()


def configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str) -> io.StringIO:
    out = io.StringIO()
    monkeypatch.setattr(sys, "stderr", out)
    settings = load(environ={"STRATD_LOG__FORMAT": kind, "STRATD_STATE_DIR": str(tmp_path)})
    configure_log(settings, {})
    return out


# ---- the journal ----
@given(
    st.dictionaries(st.from_regex(r"[A-Z][A-Z0-9_]{0,20}", fullmatch=True), st.text(max_size=200), max_size=8)
)
def test_whatever_an_entry_holds_the_journal_reads_it_back(fields: dict[str, str]):
    fields = {name: text.encode("utf-8", "replace").decode() for name, text in fields.items()}
    assert read_entry(entry(fields)) == fields


@given(st.text(max_size=200))
def test_every_field_has_a_name_that_the_journal_takes(name: str):
    """Capitals, digits, underscores; 64 at most (systemd.journal-fields(7))."""
    made = field(name)
    assert len(made) <= 64
    assert set(made) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")


def test_an_event_becomes_a_message_for_people_and_fields_for_queries():
    event = {
        "event": "died",
        "level": "warning",
        "timestamp": "t",
        "deployment": "eurusd",
        "detail": "hang: 2 s",
    }
    assert journal_fields("warning", event) == {
        "MESSAGE": "died: hang: 2 s (deployment=eurusd)",
        "PRIORITY": "4",
        "SYSLOG_IDENTIFIER": "stratd",
        "STRATD_KIND": "died",
        "STRATD_DEPLOYMENT": "eurusd",
        "STRATD_DETAIL": "hang: 2 s",
    }


def test_an_entry_comes_over_the_socket_with_a_traceback_of_many_lines(listener):
    journal = Journal(Path(listener.getsockname()))
    journal.send(journal_fields("error", {"event": "failed", "exception": "Traceback\n  line 1"}))
    journal.close()
    found = read_entry(listener.recv(2**20))
    assert (found["MESSAGE"], found["PRIORITY"]) == ("failed\nTraceback\n  line 1", "3")


def test_a_journal_that_takes_nothing_keeps_nobody_waiting(tmp_path):
    journal = Journal(tmp_path / "nobody")
    journal.send({"MESSAGE": "x"})
    journal.close()
    assert journal.lost == 1


def test_a_journal_that_is_full_keeps_nobody_waiting(listener):
    journal = Journal(Path(listener.getsockname()))
    for _ in range(10_000):
        journal.send({"MESSAGE": "x" * 1000})
        if journal.lost:
            break
    journal.close()
    assert journal.lost == 1


def test_only_the_stream_that_systemd_named_is_the_journals(tmp_path):
    with (tmp_path / "stderr").open("w") as file:
        status = os.fstat(file.fileno())
        mine = {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
        other = {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino + 1}"}
        found = [connected_to_journal(environ, file.fileno()) for environ in (mine, other, {})]
    assert found == [True, False, False]


@pytest.mark.usefixtures("logging_as_before")
def test_under_systemd_events_and_libraries_go_to_the_journal(listener, monkeypatch, tmp_path):
    journal = Journal(Path(listener.getsockname()))
    monkeypatch.setattr(log_setup, "Journal", lambda: journal)
    out = configured(monkeypatch, tmp_path, "journal")
    structlog.get_logger().warning("feed_stale", deployment=None, detail="main")
    logging.getLogger("uvicorn.error").error("it broke")
    journal.close()
    first, second = read_entry(listener.recv(2**20)), read_entry(listener.recv(2**20))
    assert (first["STRATD_KIND"], first["PRIORITY"]) == ("feed_stale", "4")
    assert (second["MESSAGE"], second["STRATD_LOGGER"]) == (
        "it broke (logger=uvicorn.error)",
        "uvicorn.error",
    )
    assert out.getvalue() == ""


# ---- JSON lines ----
@pytest.mark.usefixtures("logging_as_before")
def test_json_lines_have_one_object_each_with_the_traceback_in_it(monkeypatch, tmp_path):
    out = configured(monkeypatch, tmp_path, "json")
    structlog.get_logger().info("started", deployment="eurusd", detail=None)
    try:
        int("why")
    except ValueError:
        logging.getLogger("uvicorn.error").exception("it broke")
    first, second = map(json.loads, out.getvalue().splitlines())
    assert (first["event"], first["deployment"], first["level"], "detail" in first) == (
        "started", "eurusd", "info", False,
    )  # fmt: skip
    assert (second["event"], second["logger"]) == ("it broke", "uvicorn.error")
    assert "ValueError: invalid literal" in second["exception"]


@pytest.mark.usefixtures("logging_as_before")
def test_libraries_are_not_heard_below_warning(monkeypatch, tmp_path):
    out = configured(monkeypatch, tmp_path, "json")
    logging.getLogger("uvicorn.error").info("a WebSocket was accepted")
    logging.getLogger("stratd.api").info("ours")
    assert [json.loads(line)["event"] for line in out.getvalue().splitlines()] == ["ours"]


# ---- secrets ----
@pytest.mark.parametrize(
    "name", ["password", "api_key", "API_KEY", "curve_secret_key", "token", "authorization", "redis_password"]
)
def test_what_is_named_like_a_secret_is_hidden(name):
    assert without_secrets(None, "info", {"event": "x", name: "s3cret"})[name] == HIDDEN


def test_a_password_in_a_url_is_hidden_and_the_rest_of_it_is_not():
    said = {"event": "x", "detail": "cannot reach redis://user:s3cret@cache:6379/0 now"}
    assert (
        without_secrets(None, "info", said)["detail"]
        == f"cannot reach redis://user:{HIDDEN}@cache:6379/0 now"
    )
