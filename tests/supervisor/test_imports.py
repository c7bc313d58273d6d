"""What the daemon's own processes load: each import is memory, and time of every start."""

from __future__ import annotations

import functools
import subprocess
import sys

import pytest


@functools.cache
def loaded_by(module: str) -> set[str]:
    """Return the packages that a new process has once it has imported ``module``."""
    code = f"import sys, {module}; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.system
def test_the_engine_loads_the_codec_zeromq_and_nothing_else_of_others():
    """Nothing of the authors' side, which computes with numpy, nor of what the supervisor talks to."""
    ours = {"bus", "sandbox", "strategies", "supervisor"}
    loaded = loaded_by("supervisor.engine.__main__") - sys.stdlib_module_names - ours
    others = {name for name in loaded if not name.startswith("_")}  # of the interpreter and its site
    assert {"msgspec", "zmq"} == others - {"cython_runtime", "typing_extensions"}


@pytest.mark.system
@pytest.mark.parametrize("package", ["numpy", "redis", "zmq", "pandas", "exchange_calendars", "typer"])
def test_the_supervisor_does_without(package):
    """Redis is loaded where there is a mirror."""
    assert package not in loaded_by("supervisor.main")
