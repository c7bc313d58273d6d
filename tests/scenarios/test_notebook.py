"""The notebook of examples/, executed: against a real daemon, on a market that a real publisher makes up."""

from __future__ import annotations

import re
import signal
import subprocess
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.scenarios.rig import STRATD, Site

pytestmark = pytest.mark.system

NOTEBOOK = Path(__file__).parents[2] / "examples" / "first_steps.ipynb"


@pytest.mark.timeout(240)
def test_the_notebook_registers_a_class_starts_it_and_sees_its_signals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    site = Site().with_feed()
    market = subprocess.Popen(
        [*STRATD, "feed", "synthetic", "--endpoint", site.endpoint(), "--symbol", "EURUSD", "--wait", "100"],
        env=site.environment(),
        stdout=subprocess.DEVNULL,
    )
    try:
        site.daemon()
        for name, value in site.environment().items():
            if name.startswith("STRATD_"):
                monkeypatch.setenv(name, value)
        monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
        notebook = nbformat.read(NOTEBOOK, as_version=4)
        NotebookClient(
            notebook, timeout=150, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
        ).execute()
        said = "".join(
            output.get("text", "")
            for cell in notebook.cells
            if cell.cell_type == "code"
            for output in cell.outputs
        )
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)  # nbclient takes them for its loop
        market.kill()
        market.wait()
        site.remove()
    assert "moving_average_crossover" in said
    assert "FAIL" not in said
    assert "first running" in said
    # Of a candle of one second a busy host may be too late to enter: so it goes on until two were filled.
    assert "enter_long accepted" in said
    assert ["+1", "-1"] == re.findall(r"^filled (\S+) at \d", said, re.MULTILINE)
    assert 2 <= int(re.findall(r"^(\d+) fills, USD$", said, re.MULTILINE)[0])
    assert said.rstrip().endswith("stopped")


def test_the_notebook_is_kept_without_what_it_printed_somewhere() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert cell.get("outputs", []) == []
