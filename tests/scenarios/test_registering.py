"""Code handed to a real daemon: what passes is kept and runs, and the daemon never opens any of it."""

from __future__ import annotations

import base64
import io
import json
import pickle
import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from supervisor.api.examples import EXAMPLES
from supervisor.client.pickled import python_version, to_pickle
from tests.scenarios.rig import Daemon, Site, process

pytestmark = pytest.mark.system
CODE = """
from strategies import IStrategy, Signal

class Mine(IStrategy):
    def initialize(self, config):
        print("said", {number})

    def on_candle_complete(self, timeframe, candle, data):
        return None
"""
DOCUMENT = Path(__file__).parents[2] / "docs" / "registering.md"
JSON_LINES = {"Accept": "application/x-ndjson"}


PICKED = """
from strategies import IStrategy, Signal

class Picked(IStrategy):
    def initialize(self, config):
        self.ctx.log.info("picked %s", config.parameters["n"])

    def on_candle_complete(self, timeframe, candle, data):
        return Signal(symbol=candle.symbol, intent="enter_long", quantity=1)
"""


def of_a_notebook(code: str, name: str) -> type:
    """Return a class as a notebook has it: of ``__main__``, so that it is pickled by value."""
    cells: dict[str, Any] = {"__name__": "__main__"}
    exec(code, cells)  # noqa: S102  (what a notebook does)
    found: type = cells[name]
    return found


def register(daemon: Daemon, name: str, code: str, **more: Any) -> httpx.Response:
    body = {"name": name, "code": code, "instruments": ["EURUSD"], "timeframe": "1m", **more}
    return daemon.http.post("/strategies/register", json=body)


def versions(daemon: Daemon, name: str) -> tuple[str, list[str]]:
    found = daemon.get(f"strategies/{name}/versions")
    return found["active"], [one["version"] for one in found["versions"]]


def version_of(answer: httpx.Response) -> str:
    assert answer.status_code in {200, 201}, answer.text
    return answer.json()["version"]["version"]


def test_registered_code_is_kept_by_its_content_runs_and_outlives_the_daemon(site: Site):
    daemon = site.daemon()
    first = register(daemon, "mine", CODE.format(number=1))
    assert (first.status_code, first.json()["report"]["ok"]) == (201, True)
    again = register(daemon, "mine", CODE.format(number=1))
    assert (again.status_code, again.json()["created"]) == (200, False)
    one = version_of(first)
    daemon.start("old", "mine")
    two = version_of(register(daemon, "mine", CODE.format(number=2)))
    daemon.start("new", "mine")
    assert (daemon.row("old")["version"], daemon.row("new")["version"]) == (one, two)
    assert versions(daemon, "mine") == (two, [two, one])
    assert daemon.http.post("/strategies/mine/rollback").json()["active"] == one
    assert daemon.http.post("/strategies/mine/rollback").json()["rule"] == "no_earlier_version"
    assert daemon.http.post(f"/strategies/mine/versions/{two}/activate").json()["active"] == two
    in_use = daemon.http.delete(f"/strategies/mine/versions/{one}")
    assert (in_use.status_code, in_use.json()["rule"]) == (403, "version_in_use")
    assert daemon.terminate() == 0
    shutil.rmtree(site.state / "registered")  # made again of what the database keeps
    daemon = site.daemon()
    daemon.until_state("old", "running")
    assert daemon.row("old")["version"] == one
    assert versions(daemon, "mine") == (two, [two, one])
    source = daemon.http.get(f"/strategies/mine/versions/{one}/source").content
    with zipfile.ZipFile(io.BytesIO(source)) as kept:
        assert kept.read("strategy.py").decode() == CODE.format(number=1)
    assert site.said("old", "said")[0] == "1"


def test_a_pickled_class_runs_in_its_cell_and_progress_is_told(daemon: Daemon):
    body = {
        "name": "picked",
        "pickled": to_pickle(of_a_notebook(PICKED, "Picked")),
        "python": python_version(),
        "parameters": {"n": 7},
        "instruments": ["EURUSD"],
    }
    answer = daemon.http.post("/strategies/register", json=body, headers=JSON_LINES)
    lines = [json.loads(line) for line in answer.text.splitlines()]
    steps = [line["step"]["name"] for line in lines[:-1]]
    assert "registration" in lines[-1], answer.text
    assert steps == ["size", "manifest", "parameters", "sandbox", "import", "initialize", "smoke run"]
    daemon.start("one", "picked", timeframes=["1m"])
    daemon.until(lambda: any("picked 7" in line.text for line in daemon.site.log("one")), "its line")


class Bomb:
    """Touches a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_the_daemon_imports_parses_and_unpickles_nothing(daemon: Daemon):
    mark = daemon.site.base / "mark"
    own = process(daemon.popen.pid)
    touch = f"import pathlib\npathlib.Path({str(mark)!r}).touch()\n"
    pickled = base64.b64encode(pickle.dumps(Bomb(mark))).decode()
    bombs = {
        "import": {"code": touch + CODE.format(number=1)},
        "pickle": {"pickled": pickled},
        "parentheses": {"code": "x = " + "(" * 90_000 + ")" * 90_000},
        "chain": {"code": "x = a" + ".b" * 300_000},
        "number": {"code": "x = " + "9" * 900_000},
        "exit": {"code": "import os\nos._exit(0)\n" + CODE.format(number=1)},
    }
    for name, what in bombs.items():
        answer = daemon.http.post("/strategies/register", json={"name": name, **what})
        assert answer.status_code == 422, f"{name}: {answer.text}"
    assert not mark.exists()
    assert own.alive
    assert daemon.status()["problems"] == []
    assert {one["name"] for one in daemon.get("strategies")["strategies"]}.isdisjoint(bombs)


def test_what_the_documents_give_as_an_example_is_taken_as_it_stands(daemon: Daemon):
    (printed,) = re.findall(r"^curl .*?-d '(.*?)'$", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    for body in (json.loads(printed), EXAMPLES["CodeRequest"]):
        answer = daemon.http.post("/strategies/validate-code", json=body)
        assert (answer.status_code, answer.json()["ok"]) == (200, True), answer.text


def test_a_name_of_another_strategy_is_refused_and_a_check_keeps_nothing(daemon: Daemon):
    taken = register(daemon, "moving_average_crossover", CODE.format(number=1))
    assert (taken.status_code, taken.json()["rule"]) == (403, "name_taken")
    checked = daemon.http.post(
        "/strategies/validate-code", json={"name": "free", "code": "def f(:\n", "timeframe": "1m"}
    )
    report = checked.json()
    assert (checked.status_code, report["ok"]) == (200, False)
    assert report["reason"].startswith("syntax: strategy.py:1:7: ")
    body = {"name": "free", "code": CODE.format(number=1)}
    assert daemon.http.post("/strategies/validate-code", json=body).json()["ok"] is True
    assert daemon.http.get("/strategies/free/versions").status_code == 404
    assert list((daemon.site.state / "registered").glob(".new-*")) == []


def test_a_daemon_that_takes_in_no_code_takes_none_where_it_lies(new_site, tmp_path):
    site = new_site(strategies={"register_code": False})
    site.daemon()
    (tmp_path / "mine.py").write_text(CODE.format(number=1))
    done = site.stratd("register", str(tmp_path / "mine.py"), "--in-place")
    assert (5, "") == done[:2]
    assert "refused by registering_off" in done.err
