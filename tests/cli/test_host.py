"""Verbs that need no daemon: new, validate, register's check, feed replay, doctor, systemd show."""

from __future__ import annotations

import configparser
import json
import shutil
import subprocess
import threading
from pathlib import Path

import pytest
from msgspec.structs import replace

from bus.sockets import FeedSocket, Hub
from supervisor import survey, validation
from tests.waiting import wait_until

pytestmark = pytest.mark.system

CODE = """
from strategies import IStrategy


class Mine(IStrategy):
    def initialize(self, config):
        {initialize}

    def on_candle_complete(self, timeframe, candle, data):
        return None
"""


def strategy(folder: Path, *, initialize: str = "pass", code: str = CODE, parameters: object = None) -> Path:
    folder.mkdir()
    config = {"name": folder.name, "version": "1.0.0", "type": "custom", "parameters": parameters or {}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "strategy.py").write_text(code.replace("{initialize}", initialize))
    return folder


# ---- new ------------------------------------------------------------------------------------------
def test_a_new_strategy_is_valid_as_it_is(stratd, tmp_path):
    assert stratd(f"new mine --path {tmp_path}").code == 0
    ended = stratd(f"validate {tmp_path}/mine")
    assert (ended.code, ended.err) == (0, "")


def test_a_name_that_is_taken_or_impossible_is_refused(stratd, tmp_path):
    stratd(f"new mine --path {tmp_path}")
    taken, impossible = stratd(f"new mine --path {tmp_path}"), stratd(f"new 1/x --path {tmp_path}")
    assert (taken.code, taken.err.count("\n")) == (1, 1)
    assert (impossible.code, impossible.err.count("\n")) == (1, 1)


# ---- validate -------------------------------------------------------------------------------------
def test_a_good_folder_is_valid_and_is_tried_in_a_cell(stratd, tmp_path):
    ended = stratd(f"validate {strategy(tmp_path / 'good')}")
    assert (ended.code, ended.err) == (0, "")
    assert [line.split()[:2] for line in ended.out.splitlines()] == [
        ["ok", "manifest"], ["ok", "parameters"], ["ok", "sandbox"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "initialize", "told"),
    [
        ("raises", "raise ValueError('no such symbol')", "ValueError: no such symbol"),
        ("exits", "import os; os._exit(3)", "exit code 3"),
        ("crashes", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "signal"),
    ],
)
def test_code_that_does_not_come_up_is_1_and_says_what_happened(stratd, tmp_path, name, initialize, told):
    ended = stratd(f"validate {strategy(tmp_path / name, initialize=initialize)}")
    assert (ended.code, ended.err.count("\n")) == (1, 1)
    assert told in ended.err


def test_a_syntax_error_is_told_with_its_line(stratd, tmp_path):
    folder = strategy(tmp_path / "syntax", code="x = 1\ndef y(:\n")
    ended = stratd(f"validate {folder}")
    assert (ended.code, "strategy.py:2: invalid syntax" in ended.err) == (1, True)


def test_a_broken_manifest_is_told_whole_and_nothing_is_run(stratd, tmp_path):
    folder = strategy(tmp_path / "broken")
    (folder / "config.json").write_text('{"name": "broken", "versio": "1"}')
    ended = stratd(f"validate {folder} --json")
    assert [step["name"] for step in ended.json["steps"]] == ["manifest"]
    assert "did you mean 'version'" in ended.json["reason"]
    assert ended.code == 1


def test_a_parameter_without_a_default_can_be_given(stratd, tmp_path):
    needs = {"period": {"type": "integer", "required": True, "min": 2}}
    folder = strategy(tmp_path / "needs", parameters=needs)
    assert "period" in stratd(f"validate {folder}").err
    assert stratd(f"validate {folder} --param period=5").code == 0


def test_code_that_this_host_could_not_hold_is_5_and_not_tried_without_trust(stratd, tmp_path, monkeypatch):
    monkeypatch.setenv("STRATD_SANDBOX__REQUIRE", "environment:landlock")
    real = survey.take("auto")
    layers = [replace(layer, active=layer.active and layer.name != "landlock") for layer in real.layers]
    monkeypatch.setattr(validation, "take", lambda wanted: replace(real, layers=layers))
    folder = strategy(tmp_path / "good", initialize=f"open('{tmp_path}/ran', 'w')")
    ended = stratd(f"validate {folder}")
    assert (ended.code, ended.err.count("\n")) == (5, 1)
    assert ended.err.startswith("stratd: refused by sandbox: not tried: the configuration demands")
    assert f"stratd validate {folder} --trust" in ended.err
    assert [line.split()[:2] for line in ended.out.splitlines()] == [
        ["ok", "manifest"], ["ok", "parameters"], ["FAIL", "sandbox"],
    ]  # fmt: skip
    assert not (tmp_path / "ran").exists()
    assert "not tried" not in stratd(f"validate {folder} --trust").err


def test_validating_leaves_no_process_and_no_file_behind(stratd, tmp_path, monkeypatch):
    before = set(children())
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    stratd(f"validate {strategy(tmp_path / 'good')}")
    wait_until(lambda: set(children()) == before, what="the throw-away cell to be gone")


def children() -> list[str]:
    me = Path("/proc/self/task").resolve()
    return Path(me, me.parent.name, "children").read_text().split()


# ---- feed replay ----------------------------------------------------------------------------------
def test_a_recording_is_published_to_who_subscribes(stratd, tmp_path):
    rows = "".join(f"2026-01-05T10:00:{second:02d}Z,1.1{second:02d}\n" for second in range(10))
    (tmp_path / "EURUSD.csv").write_text("time,price\n" + rows)
    endpoint = f"ipc://{tmp_path}/feed"
    seen: list[list[bytes]] = []
    done = threading.Event()

    def listen() -> None:
        hub = Hub()
        feed = FeedSocket(hub, endpoint, "connect")
        hub.watch(feed, lambda: seen.extend(feed.drain()))
        while not done.is_set():
            hub.wait(0.05)
        feed.close()
        hub.close()

    thread = threading.Thread(target=listen)
    thread.start()
    try:
        ended = stratd(f"feed replay {tmp_path}/EURUSD.csv --symbol EURUSD --endpoint {endpoint} --speed max")
        wait_until(lambda: sum(frames[0].startswith(b"tick") for frames in seen) == 10, what="ten ticks")
    finally:
        done.set()
        thread.join()
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("10 ticks, 0 bars, 0 frames")


def test_a_file_that_is_not_understood_or_not_there_is_1_and_one_line(stratd, tmp_path):
    (tmp_path / "x.csv").write_text("colour,shape\nred,round\n")
    for name in ("x.csv", "gone.csv"):
        ended = stratd(f"feed replay {tmp_path}/{name} --endpoint ipc://{tmp_path}/f")
        assert (ended.code, ended.out, ended.err.count("\n")) == (1, "", 1)
        assert name in ended.err


def test_a_replay_that_nobody_hears_gives_up_and_says_so(stratd, tmp_path):
    (tmp_path / "EURUSD.csv").write_text("time,price\n2026-01-05T10:00:00Z,1.1\n")
    ended = stratd(f"feed replay {tmp_path}/EURUSD.csv --symbol E --endpoint ipc://{tmp_path}/f --wait 0.1")
    assert (ended.code, "nobody subscribed within 0.1 s" in ended.err) == (1, True)


# ---- doctor, serve, systemd -----------------------------------------------------------------------
def test_doctor_is_0_where_nothing_demanded_is_missing(stratd, monkeypatch, tmp_path):
    monkeypatch.setenv("STRATD_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("STRATD_RUNTIME_DIR", str(tmp_path))
    ended = stratd("doctor --json")
    assert (ended.code, ended.err, ended.json["missing"]) == (0, "", [])


def test_doctor_is_1_where_the_configured_redis_does_not_answer(stratd, monkeypatch, tmp_path):
    monkeypatch.setenv("REDIS_URL", f"unix://{tmp_path}/redis.sock")
    ended = stratd("doctor")
    assert ended.code == 1
    assert ended.err == "stratd: the configuration demands what is missing: redis\n"


@pytest.mark.parametrize("verb", ["serve", "doctor"])
def test_a_wrong_setting_is_2_and_a_line_for_each(stratd, tmp_path, verb):
    file = tmp_path / "stratd.toml"
    file.write_text("[limits]\nmax_concurrent = 0\nmax_per_acount = 1\n")
    ended = stratd(f"{verb} --config {file}")
    assert (ended.code, ended.out) == (2, "")
    assert [line.partition(f"{file}:")[2][0] for line in ended.err.splitlines()] == ["2", "3"]


def test_the_unit_is_shown_and_is_one(stratd):
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(stratd("systemd show").out)
    service = unit["Service"]
    assert (service["Type"], service["KillMode"], service["ExecStart"].endswith("/stratd serve")) == (
        "notify", "mixed", True,
    )  # fmt: skip


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze to read the unit")
def test_systemd_finds_nothing_wrong_with_the_unit(stratd, tmp_path):
    # Its command is not installed here; everything else of the unit is as it ships.
    text = stratd("systemd show").out.replace("/opt/stratd/current/bin/stratd", "/bin/true")
    (tmp_path / "stratd.service").write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", tmp_path / "stratd.service"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    ours = [
        line for line in done.stderr.splitlines() if "stratd.service" in line and "not executable" not in line
    ]
    assert ours == []


def test_what_cannot_be_sent_is_one_line_that_names_it(stratd, tmp_path):
    (tmp_path / "strategy.py").write_text("")
    (tmp_path / "link").symlink_to("/etc/hostname")
    ended = stratd(f"register {tmp_path}")
    told = f"stratd: {tmp_path}/link: is a link; put the file itself there\n"
    assert (2, "", told) == (ended.code, ended.out, ended.err)
