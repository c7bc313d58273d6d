"""Strategies of several files, handed in as a zip: modules beside, relative imports, data."""

from __future__ import annotations

import io
import json
import zipfile

import httpx2 as httpx
import pytest

from tests.scenarios.rig import Daemon

pytestmark = pytest.mark.system
MANIFEST = {"name": "several", "version": "1.0.0", "timeframes": ["1m"], "symbols": ["EURUSD"]}
STRATEGY = """
from pathlib import Path

from strategies import IStrategy
{imports}

class Several(IStrategy):
    def initialize(self, config):
        print("found", {expression}, flush=True)

    def on_candle_complete(self, timeframe, candle, data):
        return None
"""
FILES = {
    "beside.py": "from pathlib import Path\nLENGTH = 7\n",
    "signs/__init__.py": "from .inner import sign\n",
    "signs/inner.py": "from beside import LENGTH\nfrom . import words\n\ndef sign():\n"
    "    return words.WORD * LENGTH\n",
    "signs/words.py": "WORD = 'a'\n",
    "data/levels.json": "[1, 2, 3]",
    "data/deep/notes.txt": "kept",
    "weights.bin": "\x00\x01",
}


def packed(imports: str, expression: str, **more: str) -> bytes:
    strategy = STRATEGY.format(imports=imports, expression=expression)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in {
            "config.json": json.dumps(MANIFEST), "strategy.py": strategy, **FILES, **more
        }.items():  # fmt: skip
            archive.writestr(name, text)
    return out.getvalue()


def upload(daemon: Daemon, content: bytes, **query: str) -> httpx.Response:
    head = {"Content-Type": "application/zip"}
    return daemon.http.post("/strategies/upload", content=content, headers=head, params=query)


def test_modules_beside_relative_imports_and_data_are_there_in_the_check_and_when_it_trades(daemon: Daemon):
    data = "Path(__file__).parent.joinpath"
    expression = (
        f"sign(), LENGTH, {data}('data', 'levels.json').read_text(), "
        f"{data}('data', 'deep', 'notes.txt').read_text(), {data}('weights.bin').read_bytes()"
    )
    taken = upload(daemon, packed("from beside import LENGTH\nfrom signs import sign", expression))
    assert taken.status_code == 201, taken.text
    source = daemon.http.get(f"/strategies/several/versions/{taken.json()['version']['version']}/source")
    with zipfile.ZipFile(io.BytesIO(source.content)) as kept:
        assert {"config.json", "strategy.py", *FILES} == set(kept.namelist())
        assert FILES["signs/inner.py"] == kept.read("signs/inner.py").decode()
    daemon.start("several", "several")
    assert ["aaaaaaa 7 [1, 2, 3] kept b'\\x00\\x01'"] == daemon.until_said("several", "found")[:1]


def test_what_is_wrong_in_a_module_beside_is_named_there(daemon: Daemon):
    for more, said in (
        ({"signs/words.py": "WORD = (\n"}, "signs/words.py:1"),
        ({"signs/words.py": "WORD = 1 / 0\n"}, "signs/words.py:1"),
        ({"signs/words.py": "import nothing_there\n"}, "signs/words.py:1"),
        ({"signs/inner.py": "\n\nfrom ...beside import LENGTH\n"}, "signs/inner.py:3"),
    ):
        refused = upload(daemon, packed("from signs import words", "words.WORD", **more), check_only="true")
        assert refused.status_code == 200, refused.text
        report = refused.json()
        assert (report["ok"], said in report["reason"]) == (False, True), report["reason"]
