"""What a command makes of answers that no working daemon gives."""

from __future__ import annotations

import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.client import Client
from cli.errors import FAILED, NO_DAEMON, NOT_FOUND, CommandError
from supervisor.client.calls import daemon, records, running

pytestmark = pytest.mark.system

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
LINE = b"4\r\none\n\r\n"


class Answers:
    """Answers one request at ``path`` with ``said``, and hangs up."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "api.sock"
        self.said = b""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(str(self.path))
        self._socket.listen()
        self._thread = threading.Thread(target=self._answer)
        self._thread.start()

    def _answer(self) -> None:
        connection, _ = self._socket.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(self.said)

    def close(self) -> None:
        self._thread.join(60)
        self._socket.close()


@pytest.fixture
def answers() -> Iterator[Answers]:
    folder = Path(tempfile.mkdtemp(prefix="stratd-"))
    served = Answers(folder)
    yield served
    served.close()
    shutil.rmtree(folder)


def test_lines_end_with_the_answer(answers: Answers) -> None:
    answers.said = HEAD + LINE + LINE + b"0\r\n\r\n"
    assert [b"one\n", b"one\n"] == list(Client(answers.path).lines(records.signals))


@pytest.mark.parametrize("rest", [b"", b"7\r\nha"], ids=["between lines", "within a line"])
def test_an_answer_that_breaks_off_is_no_end(answers: Answers, rest: bytes) -> None:
    answers.said = HEAD + LINE + rest
    came = Client(answers.path).lines(records.signals)
    assert next(came) == b"one\n"
    with pytest.raises(CommandError) as failed:
        list(came)
    assert (failed.value.code, len(failed.value.lines)) in {(FAILED, 1), (NO_DAEMON, 1)}


def test_an_answer_that_sends_elsewhere_is_none(answers: Answers) -> None:
    answers.said = b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"
    with pytest.raises(CommandError) as failed:
        Client(answers.path).call(daemon.status)
    assert failed.value.code == FAILED


@pytest.mark.parametrize("name", ["", "/", "../../etc", "a/b"])
def test_what_cannot_be_an_id_is_no_deployment(name: str) -> None:
    with pytest.raises(CommandError) as failed:
        Client(Path("nowhere")).call(running.deployment, name)
    assert (failed.value.code, failed.value.lines) == (NOT_FOUND, (f"no deployment {name!r}",))
