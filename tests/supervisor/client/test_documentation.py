"""The code of docs/client.md, run as it stands against a served daemon."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import supervisor.client
from supervisor.client import errors
from tests.supervisor.fake_daemon import make_row

pytestmark = pytest.mark.system

TEXT = (Path(__file__).parents[3] / "docs" / "client.md").read_text("utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", TEXT, flags=re.MULTILINE | re.DOTALL)
ASKING = [block for block in BLOCKS if "follow(" not in block]
"""Following needs somebody who trades: examples/first_steps.ipynb is run for that."""


@pytest.mark.parametrize("number", range(len(ASKING)))
def test_a_block_runs_as_it_stands(number, served, daemon, monkeypatch, capsys):
    monkeypatch.setenv("STRATD_RUNTIME_DIR", str(served.folder))
    monkeypatch.delenv("STRATD_URL", raising=False)
    daemon.rows["first"] = make_row("first", "stopped")
    exec(compile(ASKING[number], "docs/client.md", "exec"), {})  # noqa: S102  (ours)
    assert capsys.readouterr().out


def test_every_error_is_in_the_document_and_none_that_is_not():
    kinds = {name for name in vars(errors) if isinstance(getattr(errors, name), type)}
    ours = {name for name in kinds if issubclass(getattr(errors, name), errors.ClientError)}
    assert {name for name in ours if f"`{name}`" in TEXT} == ours - {"Answered"}
    assert ours <= set(supervisor.client.__all__)


@pytest.mark.parametrize("name", supervisor.client.__all__)
def test_every_name_of_the_package_is_there(name):
    assert getattr(supervisor.client, name).__name__ == name
