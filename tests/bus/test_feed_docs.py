"""docs/feeds.md says what is so: its publisher runs, and its table of reasons is the list in the code."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
import zmq

from bus.feeds.errors import REASONS
from bus.feeds.readings import Ignored
from bus.intake import FORMATS, Intake
from tests.waiting import wait_until

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "feeds.md").read_text()


def rows(heading):
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| `([a-z_]+)` \|", section, re.MULTILINE)


def test_the_table_of_reasons_is_the_closed_list():
    assert rows("What is refused, and why") == list(REASONS)


def test_the_table_of_formats_is_what_an_intake_takes():
    assert rows("The four formats") == list(FORMATS)


def test_every_name_that_is_ignored_is_named():
    (names,) = (field.type for field in msgspec.structs.fields(Ignored))
    assert all(f"`{name}`" in PAGE for name in names.__args__)


@pytest.mark.system
def test_the_publisher_on_the_page_is_a_healthy_feed(tmp_path):
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    endpoint = f"ipc://{tmp_path}/feed"
    assert "tcp://127.0.0.1:5555" in code
    intake = Intake("main", "native")
    with zmq.Context() as context, context.socket(zmq.SUB) as socket:
        socket.subscribe(b"")
        socket.connect(endpoint)
        command = [sys.executable, "-c", code.replace("tcp://127.0.0.1:5555", endpoint)]
        with subprocess.Popen(command) as publisher:
            try:

                def heard():
                    while socket.poll(0):
                        intake.accept(socket.recv_multipart(), time.time_ns())
                    return intake.ticks >= 3 and intake.heartbeats >= 3

                wait_until(heard, timeout=60, what="three ticks and three heartbeats")
            finally:
                publisher.kill()
    (status,) = intake.health(time.time_ns())
    assert (status.state, status.detail) == ("healthy", "")
    assert (intake.gaps, intake.rejected, intake.sequenced) == (0, {}, True)
