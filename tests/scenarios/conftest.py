"""Sites for scenarios, and daemons that several of them share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.scenarios.rig import Daemon, Site


@pytest.fixture
def site() -> Iterator[Site]:
    """Folders of this test's own, for daemons of its own."""
    one = Site()
    yield one
    one.remove()


@pytest.fixture
def new_site() -> Iterator[Callable[..., Site]]:
    """Make folders with settings of this test's own: ``new_site(restart={"delay": 1})``."""
    sites: list[Site] = []

    def make(**how: Any) -> Site:
        sites.append(Site(**how))
        return sites[-1]

    yield make
    for one in sites:
        one.remove()


@pytest.fixture(scope="module")
def shared() -> Iterator[Daemon]:
    """One daemon with a feed ``main``, for every scenario of a module that does not disturb others."""
    one = Site().with_feed()
    yield one.daemon()
    one.remove()


@pytest.fixture
def daemon(shared: Daemon) -> Iterator[Daemon]:
    """The daemon of this module, with no deployment; afterwards there is none again."""
    yield shared
    shared.clear()
