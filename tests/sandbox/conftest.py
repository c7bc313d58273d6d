from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.nursery import Nursery
from tests.sandbox.world import World, new_world


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    """A zygote for every world of a module: each of its cells is forked from it anew."""
    one = Nursery()
    yield one
    one.close()


@pytest.fixture
def world(tmp_path: Path, nursery: Nursery) -> Iterator[World]:
    """An engine on real sockets, and room for cells; ends with everything that a test started."""
    with new_world(tmp_path, nursery) as world:
        yield world
