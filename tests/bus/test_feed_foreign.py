"""Messages of publishers that stratd has no format for: named, and never opened."""

from __future__ import annotations

import os
import pickle

import pytest

from bus.intake import FORMATS, Intake
from tests.bus.feeding import T0, recorded
from tests.shared import needs_shared


class Bomb:
    """Runs a command wherever it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("wire_format", FORMATS)
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_pickle_is_refused_by_name_and_never_opened(wire_format, protocol, tmp_path):
    intake = Intake("x", wire_format)
    payload = pickle.dumps(Bomb(tmp_path / "opened"), protocol)
    for frames in ([payload], [b"tick.X", payload], [b"NSE_X_LTP", payload], [b"trades " + payload]):
        assert not intake.accept(frames, T0)
    assert not (tmp_path / "opened").exists()
    assert intake.rejected["pickle"] >= 2
    assert sum(intake.rejected.values()) == 4


@needs_shared("wire", "samples")
@pytest.mark.parametrize("wire_format", FORMATS)
def test_the_heartbeat_of_vnpy_is_a_pickle(wire_format):
    intake = Intake("x", wire_format)
    (frames,) = recorded("vnpy_heartbeat_pickle.jsonl")
    assert not intake.accept(frames, T0)
    assert intake.rejected == {"pickle": 1}


@needs_shared("wire", "samples")
@pytest.mark.parametrize("wire_format", FORMATS)
@pytest.mark.parametrize(("sample", "count"), [("mql5_json_api_live_PUSH.jsonl", 3), ("py4at_tick.jsonl", 1)])
def test_the_messages_of_mql5_and_py4at_are_foreign_formats(wire_format, sample, count):
    intake = Intake("x", wire_format)
    for frames in recorded(sample):
        assert not intake.accept(frames, T0)
    assert intake.rejected == {"foreign_format": count}


@pytest.mark.parametrize("wire_format", FORMATS)
def test_a_bitcoin_notification_of_three_frames_is_a_foreign_format(wire_format):
    intake = Intake("x", wire_format)
    assert not intake.accept([b"hashtx", bytes(range(32)), b"\x07\x00\x00\x00"], T0)
    assert intake.rejected == {"foreign_format": 1}


def test_three_frames_of_anything_else_are_a_wrong_number_of_frames():
    intake = Intake("x", "native")
    assert not intake.accept([b"a", b"b", b"c"], T0)
    assert intake.rejected == {"frames": 1}
