from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox.world import World, new_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A zygote, an engine on real sockets, and room for cells; ends with everything it started."""
    with new_world(tmp_path) as world:
        yield world
