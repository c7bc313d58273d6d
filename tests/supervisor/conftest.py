"""What several of the tests here begin with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.supervisor.engine_harness import EngineProcess
from tests.supervisor.rig import Rig


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[EngineProcess]:
    made = EngineProcess(tmp_path)
    yield made
    if made.control.fileno() >= 0:
        assert 0 == made.stop(), made.stderr
        assert "" == made.stderr


@pytest.fixture
def rig() -> Iterator[Rig]:
    made = Rig()
    yield made
    made.remove()
