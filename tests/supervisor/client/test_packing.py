"""What is handed in: the text of a file, a zip of a folder, the pickle of a class that stands in no file."""

from __future__ import annotations

import base64
import io
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import supervisor.client
from strategies import IStrategy
from supervisor.client.calls.registering import register, validate_code
from supervisor.client.errors import Unsendable
from supervisor.client.packing import MOST_FILES, pack, zipped

SOURCE = "from strategies import IStrategy\n\n\nclass Mine(IStrategy):\n    pass\n"
NUMBERS = (number for number in range(3))


class Top(IStrategy):
    """Stands at the top of a file."""

    def initialize(self, config):
        pass

    def on_candle_complete(self, timeframe, candle, data):
        return None


def test_a_class_of_a_file_is_the_text_of_that_file():
    packed = pack(Top)
    assert packed == ("Top", {"code": Path(__file__).read_text()}, None)


def test_a_class_of_a_function_is_a_pickle_with_its_python():
    lookback = 7

    class Inner(Top):
        def initialize(self, config):
            self.lookback = lookback

    packed = pack(Inner)
    assert packed.name == "Inner"
    assert packed.fields["python"] == f"{sys.version_info.major}.{sys.version_info.minor}"
    assert packed.fields["source"].startswith("class Inner(Top):")
    assert b"Inner" in base64.b64decode(packed.fields["pickled"])
    with pytest.raises(Unsendable, match="only be pickled"):
        pack(Inner, pickled=False)


OPENED = """
import base64, sys
import dill
from strategies import Signal
del sys.modules["bus.messages.trading"]  # as sandbox/settling.py hides it from a strategy
found = dill.loads(base64.b64decode(sys.stdin.read()))
print(found.__name__, found.__base__.__name__, found.lookback(None), "supervisor" in sys.modules)
print(found.signal(None) is Signal)
"""
DEFINED = """
import math
from supervisor.client.packing import pack
from strategies import IStrategy, Signal
UNWANTED = (number for number in ())
def double(number):
    return math.floor(number * 2)
class Prompted(IStrategy):
    def lookback(self):
        return double(3.7)
    def signal(self):
        return Signal
print(pack(Prompted).fields["pickled"])
"""


@pytest.mark.system
def test_a_class_of_a_prompt_takes_along_what_it_refers_to_and_no_more():
    written = subprocess.run(
        [sys.executable, "-P", "-c", DEFINED], capture_output=True, text=True, check=True, input=""
    )
    # Another process, which has neither this package nor that prompt: as the daemon's sandbox has them.
    opened = subprocess.run(
        [sys.executable, "-I", "-c", OPENED], input=written.stdout, capture_output=True, text=True, check=True
    )
    assert opened.stdout == "Prompted IStrategy 7 False\nTrue\n"


def test_what_cannot_be_pickled_says_so_and_what_to_do():
    class Streaming(Top):
        def initialize(self, config):
            self.numbers = NUMBERS

    with pytest.raises(Unsendable, match=r"Streaming cannot be handed in: .*generator.*initialize"):
        pack(Streaming)


def test_source_and_a_file_are_code_and_a_file_has_a_name(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(SOURCE)
    assert pack(SOURCE) == ("", {"code": SOURCE}, None)
    assert pack(file) == pack(str(file)) == ("mine", {"code": SOURCE}, None)


def test_a_folder_is_a_zip_that_is_always_the_same(tmp_path):
    folder = tmp_path / "mine"
    for name, text in {
        "config.json": "{}",
        "strategy.py": SOURCE,
        "lib/part.py": "",
        ".git/HEAD": "x",
        "__pycache__/strategy.pyc": "x",
        "old.pyc": "x",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    first = pack(folder)
    (folder / "strategy.py").touch()
    assert first == pack(folder)
    with zipfile.ZipFile(io.BytesIO(first.archive)) as archive:
        assert archive.namelist() == ["config.json", "lib/part.py", "strategy.py"]
        assert archive.read("strategy.py").decode() == SOURCE
    (tmp_path / "mine.zip").write_bytes(first.archive)
    assert pack(tmp_path / "mine.zip").archive == first.archive


def test_a_link_and_a_crowd_stay_here(tmp_path):
    (tmp_path / "link.py").symlink_to("/etc/passwd")
    with pytest.raises(Unsendable, match="is a link"):
        zipped(tmp_path)
    (tmp_path / "link.py").unlink()
    for number in range(MOST_FILES + 1):
        (tmp_path / f"{number}.py").touch()
    with pytest.raises(Unsendable, match="more than"):
        zipped(tmp_path)


@pytest.mark.parametrize("what", ["nowhere.py", Path("/nowhere/x"), ""])
def test_what_is_not_there_is_named(what, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path / "..")
    with pytest.raises(Unsendable):
        register(what) if what else register("\0")


def test_bytes_that_are_no_text_are_no_source(tmp_path):
    (tmp_path / "x.py").write_bytes(b"\xff\xfe")
    with pytest.raises(Unsendable, match="UTF-8"):
        pack(tmp_path / "x.py")


def test_what_is_said_goes_over_what_is_found(tmp_path):
    (tmp_path / "mine.py").write_text(SOURCE)
    call = register(tmp_path / "mine.py", instruments=["EURUSD"], timeframe="1m", parameters={"fast": 3})
    assert (call.method, call.target) == ("POST", "/api/v1/strategies/register")
    assert json.loads(call.body) == {
        "name": "mine",
        "code": SOURCE,
        "instruments": ["EURUSD"],
        "timeframe": "1m",
        "parameters": {"fast": 3},
    }
    assert json.loads(register(Top, name="other").body)["name"] == "other"
    assert validate_code(tmp_path / "mine.py").target == "/api/v1/strategies/validate-code"


def test_nothing_in_the_client_opens_a_pickle():
    opens = re.compile(r"\b(dill|pickle|marshal)\.(load|loads|Unpickler|load_module|load_session)\b")
    for path in Path(supervisor.client.__file__).parent.rglob("*.py"):
        assert opens.findall(path.read_text()) == [], path
