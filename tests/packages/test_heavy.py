"""What authors import, at work in real confined cells: installed from a lock, bound read-only, imported late.

In every setting that this host allows. The work is real (a frame, a fit, a model, an indicator), and its
result is compared with what it must be, so that a library that fell back to something else is seen.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.attacks.conftest import why_impossible
from tests.attacks.stage import ROOT
from tests.packages.work import WORK

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]


@pytest.fixture(scope="module", params=["root", "userns", "bare"])
def done(request, heavy) -> dict:
    """What the cells of one setting have done."""
    if missing := why_impossible(request.param):
        assert os.environ.get("CI") != "true", f"CI must allow the setting {request.param}: {missing}"
        pytest.skip(f"the setting {request.param} is impossible here: {missing}")
    command = [sys.executable, "-B", "-m", "tests.packages.work", request.param, str(heavy)]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280, check=False)
    assert finished.returncode == 0, finished.stderr
    told = json.loads(finished.stdout)
    assert (request.param, "") == (told["setting"], told["refusal"])
    return told["cells"]


@pytest.mark.parametrize("name", WORK)
def test_a_cell_does_real_work_with_it(done, name):
    *_, expected = WORK[name]
    assert (expected, "") == (done[name]["said"], done[name]["died"]), done[name]["errors"]
