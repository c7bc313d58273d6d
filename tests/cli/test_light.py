"""What a short command loads: most of its life is imports."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

LOADED = """
import json, sys
from cli.main import run
code = run(sys.argv[1:])
print(json.dumps([code, sorted(sys.modules)]))
"""


@pytest.mark.system
@pytest.mark.parametrize("command", [["stop", "a"], ["start", "a"], ["restart", "--all"], ["remove", "a"]])
def test_a_verb_loads_neither_views_nor_tables_nor_the_daemons_packages(command, tmp_path):
    environment = {**os.environ, "STRATD_RUNTIME_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-P", "-c", LOADED, *command],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    code, loaded = json.loads(done.stdout)
    assert code == 3, "no daemon answers there"
    # pydantic is there all the same: typer reads parameters with it.
    unwanted = {"supervisor.schema", "numpy", "msgspec", "rich", "zmq", "sqlalchemy", "fastapi"}
    assert set() == set(loaded) & unwanted
