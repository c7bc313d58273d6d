"""``stratd state``: what is saved of a strategy, shown, put back and forgotten."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import msgpack
import numpy as np
import pytest

from cli.render_state import MOST_ITEMS, MOST_LINES, plain, tree
from strategies import state
from tests.supervisor.fake_daemon import checkpoint

SAVED = {
    "state": {"seen": 7, "prices": np.array([1.5, 2.5]), "cash": Decimal("10.50")},
    "kv": {},
}


@pytest.fixture
def daemon(daemon):
    daemon.saved["idle"] = [
        checkpoint(30, quarantined=True, why="load_state raised KeyError: 'seen'\x1b[31m"),
        checkpoint(20, newest=True),
        checkpoint(10, age_s=7200.0, paused=True),
    ]
    daemon.saved["gold"] = daemon.saved["idle"]
    daemon.states = {20: state.pack(SAVED), 10: state.pack({"seen": 1}), 30: b"\xc1"}
    return daemon


@pytest.mark.system
def test_the_newest_state_is_shown_as_a_tree_of_types_and_sizes(served, stratd):
    ended = stratd("state show idle")
    assert (ended.code, ended.err) == (0, "")
    head, _, content = ended.out.partition("\n\n")
    assert head.splitlines()[0] == "checkpoint  20, what the next start takes"
    assert "4,096 bytes, state version 2" in head
    assert content.splitlines() == [
        "state: dict, 3 keys",
        "  seen: int  7",
        "  prices: array of float64, 2, 16 bytes  [1.5, 2.5]",
        "  cash: Decimal  10.50",
        "kv: dict, 0 keys",
    ]


@pytest.mark.system
def test_programs_get_one_document_with_the_checkpoint_and_what_is_in_it(served, stratd):
    found = stratd("state show idle --json").json
    assert (found["seq"], found["newest"], found["state_version"]) == (20, True, 2)
    assert found["state"]["state"]["seen"] == 7
    assert found["state"]["state"]["cash"] == {"$type": "Decimal", "value": "10.50"}


@pytest.mark.system
def test_an_older_one_and_one_that_was_set_aside_can_be_looked_at(served, stratd):
    assert "seen: int  1" in stratd("state show idle 10").out
    ended = stratd("state show idle 30")
    assert ended.code == 1
    assert ended.err.startswith("stratd: checkpoint 30 of idle: checkpoint cannot be read: ")
    assert ended.err.count("\n") == 1


@pytest.mark.system
def test_what_is_kept_is_listed_with_age_size_version_and_why(served, stratd):
    lines = stratd("state checkpoints idle").out.splitlines()
    assert [line.split()[:5] for line in lines[1:]] == [
        ["30", "quarantined", "12s", "4,096", "2"],
        ["20", "next", "12s", "4,096", "2"],
        ["10", "good", "2h00m", "4,096", "2"],
    ]
    assert "load_state raised KeyError: 'seen'\N{REPLACEMENT CHARACTER}[31m" in lines[1]
    listed = stratd("state checkpoints idle --json").json
    assert [(one["seq"], one["quarantined"]) for one in listed] == [(30, True), (20, False), (10, False)]
    assert stratd("state checkpoints eurusd").out == "no checkpoints\n"


@pytest.mark.system
def test_the_one_before_the_newest_is_put_back_if_none_is_named(served, stratd, daemon):
    assert stratd("state restore idle").out == "idle: starts from checkpoint 10\n"
    assert stratd("state restore idle 20").out == "idle: already starts from checkpoint 20\n"
    assert daemon.calls == [("restore", "idle", 10), ("restore", "idle", 20)]


@pytest.mark.system
def test_every_state_is_forgotten_on_demand(served, stratd):
    assert stratd("state clear idle").out == "idle: without a saved state\n"
    assert stratd("state clear idle").out == "idle: already without a saved state\n"


@pytest.mark.system
@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("state show eurusd", 4, "eurusd has no good checkpoint"),
        ("state show idle 11", 4, "idle has no checkpoint 11 (kept: 30, 20, 10)"),
        ("state show idel", 4, "no deployment 'idel'; did you mean 'idle'?"),
        ("state checkpoints idel", 4, "no deployment 'idel'; did you mean 'idle'?"),
        ("state restore idel", 4, "no deployment 'idel'; did you mean 'idle'?"),
        ("state clear idel", 4, "no deployment 'idel'; did you mean 'idle'?"),
        ("state clear a/b", 4, "no deployment 'a/b'"),
        ("state restore eurusd", 4, "eurusd has no good checkpoint, and none before it"),
        ("state restore idle 11", 4, "no checkpoint '11'"),
        ("state restore gold 10", 5, "refused by not_stopped: gold is backoff; `stratd stop gold` first"),
        ("state clear gold", 5, "refused by not_stopped: gold is backoff; `stratd stop gold` first"),
        ("state restore idle 30", 5, "refused by checkpoint_refused: checkpoint 30 of idle was set aside"),
        ("state restore idle x", 2, "'x': must be a valid integer"),
        ("state show idle 0", 2, "'0': must be greater than or equal to 1"),
        ("state frob idle", 2, "no such command 'frob'"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_a_code(served, stratd, line, code, said):
    ended = stratd(line)
    assert (ended.code, ended.out) == (code, "")
    assert said in ended.err
    assert ended.err.count("\n") == 1


def test_without_a_daemon_there_is_nobody_to_ask(stratd, tmp_path, monkeypatch):
    monkeypatch.setenv("STRATD_RUNTIME_DIR", str(tmp_path))
    for line in ("show a", "checkpoints a", "restore a", "clear a"):
        assert stratd(f"state {line}").code == 3


# ---- the tree -------------------------------------------------------------------------------------
def test_every_type_that_can_be_saved_has_a_line():
    content = {
        "none": None,
        "yes": True,
        "text": "plain",
        "raw": b"\x00\x01",
        "list": [1, 2.5, "x"],
        "tuple": (1, (2, 3)),
        "when": datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
        "day": date(2026, 1, 2),
        "span": timedelta(seconds=90),
        "matrix": np.zeros((2, 4)),
        7: 2**70,
    }
    assert tree(state.unpack(state.pack(content))) == [
        "none: NoneType  None",
        "yes: bool  True",
        "text: str, 5  'plain'",
        "raw: bytes, 2  b'\\x00\\x01'",
        "list: list, 3 items  [1, 2.5, 'x']",
        "tuple: tuple, 2 items",
        "  [0]: int  1",
        "  [1]: tuple, 2 items  (2, 3)",
        "when: datetime  2026-01-02 03:04:00+00:00",
        "day: date  2026-01-02",
        "span: timedelta  0:01:30",
        "matrix: array of float64, 2 x 4, 64 bytes  [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, ...]",
        f"7: int  {2**70}",
    ]


def test_what_is_long_is_cut_and_what_drives_a_terminal_is_not_passed_on():
    lines = tree({"a\x1b[2J": "b\x1b]0;owned\x07" + "x" * 1000, "many": list(range(MOST_ITEMS + 30))})
    assert not any(char < " " for line in lines for char in line)
    assert all(len(line) < 200 for line in lines)
    assert lines[-1] == "  ... 30 more"
    huge = tree({str(number): number for number in range(MOST_LINES + 5)})
    assert len(huge) == MOST_LINES + 1
    assert huge[-1].startswith("... (the first 2000 lines")


def test_json_has_a_word_for_what_it_cannot_say():
    content = {
        "nan": math.nan,
        "raw": b"\xff",
        "tuple": (1,),
        "span": timedelta(seconds=1.5),
        "array": np.array([1, 2], np.int8),
        "at": date(2026, 1, 2),
        "odd": {1: "x"},
        "shadow": {"$type": "mine"},
    }
    said = plain(state.unpack(state.pack(content)))
    assert json.loads(json.dumps(said, allow_nan=False)) == {
        "nan": {"$type": "float", "value": "nan"},
        "raw": {"$type": "bytes", "value": "ff"},
        "tuple": {"$type": "tuple", "value": [1]},
        "span": {"$type": "timedelta", "value": 1.5},
        "array": {"$type": "array", "value": [1, 2], "dtype": "int8", "shape": [2]},
        "at": {"$type": "date", "value": "2026-01-02"},
        "odd": {"$type": "dict", "value": [[1, "x"]]},
        "shadow": {"$type": "dict", "value": [["$type", "mine"]]},
    }


@pytest.mark.system
@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b"\x80\x80",
        msgpack.packb([1]),
        msgpack.packb({"p": msgpack.ExtType(6, msgpack.packb(["|O", [1], b"\x00" * 8]))}),
        msgpack.packb({"p": msgpack.ExtType(99, b"cos\nsystem\n(S'id'\ntR.")}),
        b"\x81\xa1a" + b"\x91" * 5000 + b"\xc0",
    ],
)
def test_an_evil_state_is_refused_in_one_line(served, stratd, daemon, packed):
    daemon.states[20] = packed
    ended = stratd("state show idle")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("stratd: checkpoint 20 of idle: ")
    assert ended.err.count("\n") == 1
